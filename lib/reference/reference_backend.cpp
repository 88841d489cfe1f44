#include "reference/reference_backend.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "backend/host_device.h"
#include "base/error.h"

namespace attune {
namespace {

DeviceSpec this_host() {
  DeviceSpec host;
  host.name = "CPU, double precision";
  host.arch = "host";
  host.multiprocessors = static_cast<int>(std::thread::hardware_concurrency());
  return host;
}

class Reference final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  const DeviceSpec& device() const override { return device_; }
  Compiler& compiler() override { refuse("compile"); }
  std::string driver_version() const override { return "reference"; }
  bool timings_mean_speed() const override { return false; }

  void* allocate(size_t bytes) override { return allocate_on_host(name(), bytes); }
  void free(void* pointer) noexcept override { std::free(pointer); }
  void copy(void* destination, const void* source, size_t bytes) override {
    if (bytes > 0) std::memmove(destination, source, bytes);
  }
  void fill(void* destination, unsigned char byte, size_t bytes, Stream stream) override {
    require_no_stream(name(), stream);
    if (bytes > 0) std::memset(destination, byte, bytes);
  }
  size_t free_bytes() const override { return SIZE_MAX; }

  std::unique_ptr<Module> load(const CompiledImage&, uint32_t) override { refuse("load a kernel"); }
  void launch(const Module&, const Launch&, Stream) override { refuse("launch a kernel"); }
  void synchronize(Stream stream) override { require_no_stream(name(), stream); }
  std::vector<double> time(const Module&, const Launch&, int) override { refuse("time a kernel"); }

 private:
  [[noreturn]] static void refuse(const char* what) {
    fail(ATTUNE_ERROR_UNSUPPORTED,
         "the device is reference, which computes in double precision on the CPU and cannot {}: it has no "
         "kernels and nothing to tune; ATTUNE_DEVICE=cuda or simt has",
         what);
  }

  const DeviceSpec device_ = this_host();
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<Reference>();
}

}  // namespace attune
