#include "recorded/recorded_backend.h"

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "base/error.h"

namespace attune {

std::vector<double> RecordedModule::next_samples(size_t count) const {
  const size_t begin = std::min(next_.fetch_add(count), samples_.size());
  const size_t end = std::min(begin + count, samples_.size());
  return {samples_.begin() + static_cast<ptrdiff_t>(begin), samples_.begin() + static_cast<ptrdiff_t>(end)};
}

namespace {

class Recorded final : public RecordedBackend {
 public:
  Recorded(RecordedDevice device, std::function<std::unique_ptr<Compiler>()> make_compiler)
      : device_(std::move(device)), make_compiler_(std::move(make_compiler)) {}

  const std::string& recorded_key() const override { return device_.key; }
  std::string_view name() const override { return "recorded"; }
  const DeviceSpec& device() const override { return device_.spec; }
  Compiler& compiler() override {
    const std::lock_guard lock(mutex_);
    if (!compiler_) compiler_ = make_compiler_();
    return *compiler_;
  }
  std::string driver_version() const override { return device_.version; }
  bool timings_mean_speed() const override { return true; }
  std::string provenance() const override { return device_.provenance; }

  void* allocate(size_t bytes) override {
    if (bytes == 0) return nullptr;
    refuse("allocate memory");
  }
  void free(void*) noexcept override {}
  void copy(void*, const void*, size_t bytes) override {
    if (bytes > 0) refuse("copy memory");
  }
  void fill(void*, unsigned char, size_t bytes, Stream) override {
    if (bytes > 0) refuse("fill memory");
  }
  size_t free_bytes() const override { return SIZE_MAX; }

  // So that a plan can be made, and asked for its config.
  std::unique_ptr<Module> load(const CompiledImage& image, uint32_t) override {
    return std::make_unique<RecordedModule>(image.registers, 0, std::vector<double>{});
  }
  void launch(const Module&, const Launch&, Stream) override { refuse("launch a kernel"); }
  void synchronize(Stream) override {}

  std::vector<double> time(const Module& module, const Launch&, int repetitions) override {
    return static_cast<const RecordedModule&>(module).next_samples(
        static_cast<size_t>(std::max(0, repetitions)));
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    fail(
        ATTUNE_ERROR_UNSUPPORTED,
        "the device is recorded ({}) and cannot {}: it answers trials and makes plans, but computes nothing; "
        "ATTUNE_DEVICE=cuda or simt computes",
        device_.provenance, what);
  }

  const RecordedDevice device_;
  const std::function<std::unique_ptr<Compiler>()> make_compiler_;
  std::mutex mutex_;
  std::unique_ptr<Compiler> compiler_;
};

}  // namespace

std::unique_ptr<RecordedBackend> make_recorded_backend(
    RecordedDevice device, std::function<std::unique_ptr<Compiler>()> make_compiler) {
  return std::make_unique<Recorded>(std::move(device), std::move(make_compiler));
}

}  // namespace attune
