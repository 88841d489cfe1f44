#include "tools/findings.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("findings come with a reason wherever something is missing") {
  const DriverFindings driver = find_driver();
  CHECK(driver.problem.empty() == !driver.devices.empty());
  const HostCompilerFindings host = find_host_compiler();
  CHECK(host.problem.empty() == !host.version.empty());
  if (host.problem.empty()) CHECK_THAT(host.identity, ContainsSubstring(host.version));
  const NvrtcSearch nvrtc = find_nvrtc("", driver);
  CHECK((nvrtc.library != nullptr) == nvrtc.choice.reason.empty());
  CHECK_FALSE(nvrtc.tried.empty());
}

TEST_CASE("an NVRTC that is asked for and not there is named") {
  const NvrtcSearch nvrtc = find_nvrtc("/nonexistent/libnvrtc.so", DriverFindings{});
  CHECK(nvrtc.library == nullptr);
  REQUIRE(nvrtc.tried.size() == 1);
  CHECK(nvrtc.tried[0].path == "/nonexistent/libnvrtc.so");
}

TEST_CASE("CUDA's number of a version is taken apart") {
  CHECK(cuda_version_text(13000) == "13.0");
  CHECK(cuda_version_text(12080) == "12.8");
}
