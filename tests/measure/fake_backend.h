// A backend whose kernels do nothing but take time: seeded noise with outliers and a clock that drifts.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"
#include "measure/timer.h"

namespace attune_test {

struct FakeModule final : attune::Module {
  FakeModule(double seconds_, double replayed_) : seconds(seconds_), replayed(replayed_) {}
  int registers() const override { return 0; }
  int local_bytes() const override { return 0; }
  int static_shared_bytes() const override { return 0; }

  double seconds;   // the true time
  double replayed;  // and that of a launch among its like
};

class FakeBackend final : public attune::Backend {
 public:
  struct Noise {
    double deviation = 0;                // of the logarithm of a sample
    double outlier_probability = 0;      // then up to three times as long
    double drift_per_call = 0;           // deviation of a random walk that all candidates share
    std::chrono::microseconds sleep{0};  // real time for each launch
    std::chrono::microseconds replay_sleep{0};
    size_t full_speed_calls = SIZE_MAX;  // calls after these take twice as long
  };

  FakeBackend(uint64_t seed, const Noise& noise) : random_(seed), noise_(noise) {}

  std::vector<double> time(const attune::Module& module, const attune::Launch&, int repetitions) override {
    calls.emplace_back(&module, repetitions);
    return samples_of(static_cast<const FakeModule&>(module).seconds, repetitions, noise_.sleep);
  }
  bool can_replay() const override { return true; }
  std::vector<double> time_by_replay(const attune::Module& module, const attune::Launch&,
                                     int repetitions) override {
    replays.emplace_back(&module, repetitions);
    return samples_of(static_cast<const FakeModule&>(module).replayed, repetitions, noise_.replay_sleep);
  }

  std::string_view name() const override { return "fake"; }
  const attune::DeviceSpec& device() const override { return device_; }
  attune::Compiler& compiler() override { attune::fail(ATTUNE_ERROR_NO_COMPILER, "fake"); }
  std::string driver_version() const override { return "fake"; }
  bool timings_mean_speed() const override { return true; }
  void* allocate(size_t) override { return nullptr; }
  void free(void*) noexcept override {}
  void copy(void*, const void*, size_t) override {}
  void fill(void*, unsigned char, size_t, attune::Stream) override {}
  size_t free_bytes() const override { return 0; }
  std::unique_ptr<attune::Module> load(const attune::CompiledImage&, uint32_t) override { return nullptr; }
  void launch(const attune::Module&, const attune::Launch&, attune::Stream) override {}
  void synchronize(attune::Stream) override {}

  std::vector<std::pair<const attune::Module*, int>> calls;    // of time(): whom, and how often
  std::vector<std::pair<const attune::Module*, int>> replays;  // of time_by_replay()

 private:
  std::vector<double> samples_of(double seconds, int repetitions, std::chrono::microseconds sleep) {
    if (seconds < 0) attune::fail(ATTUNE_ERROR_LAUNCH_FAILED, "fake fault");
    drift_ += noise_.drift_per_call * normal();
    const double slowdown = calls.size() <= noise_.full_speed_calls ? 1 : 2;
    std::vector<double> samples;
    for (int i = 0; i < repetitions; ++i) {
      std::this_thread::sleep_for(sleep);
      const bool outlier = uniform() < noise_.outlier_probability;
      samples.push_back(slowdown * seconds * std::exp(drift_ + noise_.deviation * normal()) *
                        (outlier ? 1 + 2 * uniform() : 1));
    }
    return samples;
  }
  double normal() { return std::normal_distribution<double>()(random_); }
  double uniform() { return std::uniform_real_distribution<double>()(random_); }

  std::mt19937_64 random_;
  Noise noise_;
  double drift_ = 0;
  attune::DeviceSpec device_;
};

// Modules of these true times, ready to be raced; those of replays are the same unless given.
struct Candidates {
  explicit Candidates(const std::vector<double>& seconds, const std::vector<double>& replayed = {}) {
    for (size_t i = 0; i < seconds.size(); ++i)
      modules.push_back(
          std::make_unique<FakeModule>(seconds[i], replayed.empty() ? seconds[i] : replayed[i]));
    for (const auto& module : modules)
      launches.push_back({module.get(), &launch});
  }

  attune::Launch launch;
  std::vector<std::unique_ptr<FakeModule>> modules;
  std::vector<attune::TimedLaunch> launches;
};

}  // namespace attune_test
