// CompiledImages: the way to an image: memory, else disk, else compile. One build per key.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cache/image_cache.h"
#include "cache/single_flight.h"
#include "compile/compiler.h"

namespace attune {

enum class ImageSource { memory, disk, built };

struct ImageResult {
  std::shared_ptr<const CompileResult> result;  // never null; without an image when the compilation failed
  ImageSource source = ImageSource::memory;     // compile_seconds is 0 unless built
};

struct ImageCounts {
  int64_t hits_memory = 0;  // those who waited for another's build among them
  int64_t hits_disk = 0;
  int64_t builds = 0;  // compilations that ended, with an image or without
};

// Thread-safe. No lock of this process is held while compiling; other processes that share the disk wait for
// a build of the same key. A failed compilation is remembered for this process, not on disk.
class CompiledImages {
 public:
  // What memory keeps, the last used first: several tuning runs' worth, at some 100 KB an image.
  static constexpr size_t kMemoryBytes = size_t{64} << 20;

  // `disk` must outlive this object.
  explicit CompiledImages(ImageCache& disk, size_t memory_bytes = kMemoryBytes)
      : disk_(disk), results_(memory_bytes) {}

  // Throws what the compiler throws, to all who wait for that build; such a failure is not remembered.
  ImageResult get_or_build(Compiler& compiler, const KernelSource& source);

  ImageCounts counts() const;

 private:
  using Flights = SingleFlight<std::string, std::shared_ptr<const CompileResult>>;

  static Flights::Made made(std::shared_ptr<const CompileResult> result);
  std::shared_ptr<const CompileResult> find_on_disk(const std::string& key);  // nullptr when it is not there

  ImageCache& disk_;
  Flights results_;
  std::atomic<int64_t> hits_memory_ = 0;
  std::atomic<int64_t> hits_disk_ = 0;
  std::atomic<int64_t> builds_ = 0;
};

}  // namespace attune
