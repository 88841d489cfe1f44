#include "device/keyed_device.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("a device key gives its device back") {
  for (DeviceSpec spec : known_devices()) {
    for (const char* mig : {"", "1g.18gb"}) {
      spec.mig_profile = mig;
      spec.multiprocessors += 3;
      const std::string key = device_key("cuda", spec);
      CAPTURE(key);
      const std::optional<KeyedDevice> device = device_of_key(key);
      REQUIRE(device);
      CHECK(device->backend == "cuda");
      CHECK(device->spec.name == spec.name);
      CHECK(device->spec.arch == spec.arch);
      CHECK(device->spec.multiprocessors == spec.multiprocessors);
      CHECK(device->spec.mig_profile == mig);
      CHECK(device->spec.shared_per_block == spec.shared_per_block);
      CHECK(device->spec.clock_hz == spec.clock_hz);
    }
  }
}

TEST_CASE("names that look like other parts of a key are names") {
  const std::optional<KeyedDevice> device = device_of_key("cuda sm_86 RTX x16 sm_90 x84");
  REQUIRE(device);
  CHECK(device->spec.name == "RTX x16 sm_90");
  CHECK(device->spec.multiprocessors == 84);
}

TEST_CASE("another text is no device key") {
  for (const char* key :
       {"", "cuda", "cuda sm_90", "cuda sm_90 H200", "cuda sm_90 H200 x", "cuda sm_90 H200 x0",
        "cuda sm_90 H200 x-1", "cuda sm_90 H200 x132 ", "cuda sm_90 H200 x132x", "cuda sm_90 H200 x0132",
        "cuda sm_90a H200 x132", "cuda sm_70 V100 x80", " sm_90 H200 x132", "cuda sm_90  x132",
        "cuda sm_90 H200 x99999999999"}) {
    CAPTURE(key);
    CHECK_FALSE(device_of_key(key));
  }
}
