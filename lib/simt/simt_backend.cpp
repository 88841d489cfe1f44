#include "simt/simt_backend.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "backend/host_device.h"
#include "base/error.h"
#include "isa/simt_api.h"
#include "simt/emulator.h"
#include "simt/host_compiler.h"
#include "simt/options.h"
#include "simt/simt_module.h"
#include "simt/simt_tensor_maps.h"

namespace attune {
namespace {

DeviceSpec emulated_device(std::string_view arch) {
  const std::string_view wanted = arch.empty() ? "sm_90a" : arch;
  std::optional<DeviceSpec> spec = known_device(wanted);
  if (!spec) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "simt: unknown architecture '{}'", wanted);
  // NOTE: its records must never be taken for a GPU's, so it has a name of its own.
  spec->name = fmt::format("simt {}", spec->arch);
  spec->global_bytes = 0;
  return *spec;
}

class Simt final : public SimtBackend {
 public:
  Simt(std::string_view arch, const simt::SimtOptions& options, const Log& log)
      : device_(emulated_device(arch)), compiler_(options.cxx, log), emulator_(options) {}

  std::string_view name() const override { return "simt"; }
  const DeviceSpec& device() const override { return device_; }
  std::string word() const override { return fmt::format("simt:{}", device_.arch); }
  Compiler& compiler() override { return compiler_; }
  std::string driver_version() const override { return fmt::format("simt {}", ATTUNE_SIMT_ABI_VERSION); }
  bool timings_mean_speed() const override { return false; }

  void* allocate(size_t bytes) override { return allocate_on_host(name(), bytes); }
  void free(void* pointer) noexcept override { std::free(pointer); }
  void copy(void* destination, const void* source, size_t bytes) override {
    if (bytes > 0) std::memmove(destination, source, bytes);
  }
  void fill(void* destination, unsigned char byte, size_t bytes, Stream stream) override {
    check_stream(stream);
    if (bytes > 0) std::memset(destination, byte, bytes);
  }
  size_t free_bytes() const override { return SIZE_MAX; }

  std::unique_ptr<Module> load(const CompiledImage& image, uint32_t shared_bytes) override {
    check_shared_bytes(image.entry, shared_bytes, device_.shared_per_block);
    return std::make_unique<simt::SimtModule>(image, shared_bytes);
  }
  void launch(const Module& module, const Launch& launch, Stream stream) override {
    check_stream(stream);
    const auto& loaded = static_cast<const simt::SimtModule&>(module);
    check_launch(loaded, launch);
    emulator_.run(loaded.name(), loaded.kernel(), launch);
  }
  const TensorMapEncoder* tensor_maps() const override { return &tensor_maps_; }
  void synchronize(Stream stream) override { check_stream(stream); }

  std::vector<double> time(const Module& module, const Launch& launch, int repetitions) override {
    std::vector<double> seconds;
    for (int i = 0; i < repetitions; ++i) {
      const auto start = std::chrono::steady_clock::now();
      this->launch(module, launch, nullptr);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return seconds;
  }

  simt::RunReport last_run_report() const override { return emulator_.last_report(); }

 private:
  void check_stream(Stream stream) const { require_no_stream(name(), stream); }
  static void check_shared_bytes(const std::string& kernel, int64_t bytes, int64_t limit) {
    if (bytes <= limit) return;
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "{}: {} bytes of shared memory per block, the limit is {}", kernel,
         bytes, limit);
  }
  void check_launch(const simt::SimtModule& module, const Launch& launch) const;

  DeviceSpec device_;
  HostCompiler compiler_;
  simt::Emulator emulator_;
  simt::SimtTensorMaps tensor_maps_;
};

void Simt::check_launch(const simt::SimtModule& module, const Launch& launch) const {
  const attune_simt_kernel_info& kernel = module.kernel();
  if (launch.block > static_cast<uint32_t>(device_.threads_per_block) || launch.block > 1024) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "{}: {} threads per block, the limit is {}", module.name(), launch.block,
         device_.threads_per_block);
  }
  if (launch.block != kernel.threads || launch.block % 32 != 0) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED,
         "{}: launched with {} threads per block, compiled for {} (a multiple of 32)", module.name(),
         launch.block, kernel.threads);
  }
  if (launch.parameter_bytes != kernel.parameter_bytes) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "{}: launched with {} bytes of parameters, compiled for {}",
         module.name(), launch.parameter_bytes, kernel.parameter_bytes);
  }
  check_shared_bytes(module.name(), launch.shared_bytes, module.shared_bytes());
}

}  // namespace

std::unique_ptr<SimtBackend> make_simt_backend(std::string_view arch, const std::string& options,
                                               const Log& log) {
  return std::make_unique<Simt>(arch, simt::parse_options(options), log);
}

}  // namespace attune
