// FakeBackend: a device in host memory whose candidates compute, fail and take time as a test scripts it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "space/config.h"
#include "support/fake_kernels.h"

namespace attune {

// What a candidate does on the fake device.
struct FakeBehaviour {
  Fault fault = Fault::none;
  double seconds = 1e-3;                 // what timing it reports, on average
  double replayed_seconds = 1e-3;        // and timing by replay
  double noise = 5e-4;                   // and how far off a sample may be, relatively
  std::chrono::milliseconds compile{0};  // wall clock of its compilation
  std::chrono::milliseconds launch{0};   // wall clock of each timed launch
  int registers = 64;
  int image_version = 0;  // another one gives another image, as another template would
};

// Set before use; read by the compiler's threads.
class FakeScript {
 public:
  FakeBehaviour otherwise;  // of candidates without a behaviour of their own

  // For the kernels specialised with these values; later calls win.
  FakeBehaviour& operator[](const Config& config);
  const FakeBehaviour& of(const Constants& constants) const;

 private:
  std::map<std::string, std::pair<Config, FakeBehaviour>> behaviours_;  // by the config's text
};

class FakeCompiler final : public Compiler {
 public:
  explicit FakeCompiler(const FakeScript& script) : script_(script) {}

  std::string identity() const override;
  // The image is the entry and attune_config.h: what the fake kernels know of their config, they know from
  // there.
  CompileResult compile(const KernelSource& source) override;

  std::string version = "fake 1.0";
  bool is_missing = false;  // identity and compile throw NO_COMPILER
  std::atomic<int> compilations = 0;
  mutable std::atomic<int> identities = 0;  // how often it was asked who it is

 private:
  const FakeScript& script_;
};

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(std::string_view arch = "sm_90");

  FakeScript script;
  FakeCompiler fake_compiler{script};
  DeviceSpec spec;
  std::string driver = "driver 1.0";
  size_t free_memory = size_t{1} << 40;
  bool is_a_gpu = true;  // false: as the emulator, whose times mean nothing
  bool replays = false;  // whether it can time by replay
  int throttled_after =
      INT32_MAX;  // timed launches, all candidates'; the clock is a third slower from then on
  // What happened.
  int loads = 0;
  int launches = 0;
  std::optional<Launch> last_launch;
  const Launch* launched = nullptr;  // where that lay
  int64_t live_allocations = 0;
  int64_t live_modules = 0;
  int replayed = 0;  // samples that were taken by replay
  // Launches that were timed, by replay or not, of all candidates or of those specialised with these values.
  int timed() const;
  int timed(const Config& config) const;

  std::string_view name() const override { return "fake"; }
  const DeviceSpec& device() const override { return spec; }
  Compiler& compiler() override { return fake_compiler; }
  std::string driver_version() const override { return driver; }
  bool timings_mean_speed() const override { return is_a_gpu; }
  void* allocate(size_t bytes) override;
  void free(void* pointer) noexcept override;
  void copy(void* destination, const void* source, size_t bytes) override;
  void fill(void* destination, unsigned char byte, size_t bytes, Stream stream) override;
  size_t free_bytes() const override { return free_memory; }
  std::unique_ptr<Module> load(const CompiledImage& image, uint32_t shared_bytes) override;
  void launch(const Module& module, const Launch& launch, Stream stream) override;
  void synchronize(Stream stream) override;
  // The scripted seconds, each sample a little off.
  std::vector<double> time(const Module& module, const Launch& launch, int repetitions) override;
  bool can_replay() const override { return replays; }
  std::vector<double> time_by_replay(const Module& module, const Launch& launch, int repetitions) override;

 private:
  std::vector<double> samples_of(const Module& module, int repetitions, double FakeBehaviour::*seconds_of);

  Fault pending_ = Fault::none;  // to be told at the next synchronize
  std::vector<std::pair<Constants, int>> timed_;
};

}  // namespace attune
