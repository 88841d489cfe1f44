// What the tests of the caches share: a compiler and a backend that only count, and a log that remembers.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/hash.h"
#include "base/log.h"
#include "compile/compiler.h"

namespace attune::cache_test {

inline KernelSource source_of(const std::string& text) {
  KernelSource source;
  source.entry = "row_softmax";
  source.main_path = "row_softmax.cuh";
  source.files = {{"row_softmax.cuh", text}};
  source.hash = content_hash(text);
  return source;
}

inline CompiledImage image_of(const std::string& bytes) {
  CompiledImage image;
  image.bytes = bytes;
  image.entry = "row_softmax";
  image.log = "ptxas info: 40 registers";
  image.hash = content_hash(bytes);
  image.registers = 40;
  image.spill_bytes = 8;
  image.static_shared_bytes = 16;
  image.compile_seconds = 0.25;
  return image;
}

inline bool same_image(const CompiledImage& left, const CompiledImage& right) {
  return left.bytes == right.bytes && left.entry == right.entry && left.log == right.log &&
         left.hash == right.hash && left.registers == right.registers &&
         left.spill_bytes == right.spill_bytes && left.static_shared_bytes == right.static_shared_bytes;
}

// "Compiles" by copying the source's text, after whatever the test wants to happen meanwhile.
class FakeCompiler : public Compiler {
 public:
  std::string identity() const override { return "fake 1.0"; }
  CompileResult compile(const KernelSource& source) override {
    ++compilations;
    if (meanwhile) meanwhile(source);
    const std::string& text = source.files.at(0).text;
    if (text == "broken") return {.image = std::nullopt, .log = "error: broken"};
    CompileResult result{.image = image_of(text), .log = "compiled"};
    return result;
  }

  std::function<void(const KernelSource&)> meanwhile;
  std::atomic<int> compilations = 0;
};

class FakeModule : public Module {
 public:
  explicit FakeModule(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~FakeModule() override { --alive_; }
  int registers() const override { return 40; }
  int local_bytes() const override { return 0; }
  int static_shared_bytes() const override { return 0; }

 private:
  std::atomic<int>& alive_;
};

// Loads and does nothing else.
class FakeBackend : public Backend {
 public:
  std::string_view name() const override { return "fake"; }
  const DeviceSpec& device() const override { return device_; }
  Compiler& compiler() override { return compiler_; }
  std::string driver_version() const override { return "fake 1"; }
  bool timings_mean_speed() const override { return false; }
  void* allocate(size_t) override { return nullptr; }
  void free(void*) noexcept override {}
  void copy(void*, const void*, size_t) override {}
  void fill(void*, unsigned char, size_t, Stream) override {}
  size_t free_bytes() const override { return 0; }
  void launch(const Module&, const Launch&, Stream) override {}
  void synchronize(Stream) override {}
  std::vector<double> time(const Module&, const Launch&, int) override { return {}; }

  std::unique_ptr<Module> load(const CompiledImage& image, uint32_t) override {
    ++loads;
    if (meanwhile) meanwhile(image);
    return std::make_unique<FakeModule>(alive);
  }

  std::function<void(const CompiledImage&)> meanwhile;
  std::atomic<int> loads = 0;
  std::atomic<int> alive = 0;

 private:
  DeviceSpec device_;
  FakeCompiler compiler_;
};

// Keeps the warnings.
struct LogCapture {
  std::vector<std::string> warnings;

  Log log() { return Log(ATTUNE_LOG_WARNING, &LogCapture::take, this); }

 private:
  static void take(attune_log_level, const char* text, void* self) {
    static_cast<LogCapture*>(self)->warnings.emplace_back(text);
  }
};

}  // namespace attune::cache_test
