#include "cache/compiled_images.h"

#include <chrono>
#include <condition_variable>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "cache/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::cache_test;

namespace {

// Lets `count` threads go on once all have come; false when some did not within a time that only a deadlock
// takes.
class Rendezvous {
 public:
  explicit Rendezvous(int count) : missing_(count) {}
  bool meet() {
    std::unique_lock lock(mutex_);
    --missing_;
    condition_.notify_all();
    return condition_.wait_for(lock, std::chrono::seconds(30), [&] { return missing_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  int missing_;
};

template <typename Work>
void in_threads(int count, const Work& work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads)
    thread.join();
}

}  // namespace

TEST_CASE("built once, then from memory, then from disk") {
  const ScratchDirectory scratch;
  FakeCompiler compiler;
  const KernelSource source = source_of("kernel");
  {
    ImageCache disk(scratch.path(), Log());
    CompiledImages images(disk);
    const ImageResult built = images.get_or_build(compiler, source);
    CHECK(built.source == ImageSource::built);
    REQUIRE(built.result->image.has_value());
    CHECK(built.result->image->compile_seconds == 0.25);
    const ImageResult again = images.get_or_build(compiler, source);
    CHECK(again.source == ImageSource::memory);
    CHECK(same_image(*again.result->image, *built.result->image));
    CHECK(again.result->image->compile_seconds == 0);
    CHECK(images.counts().builds == 1);
    CHECK(images.counts().hits_memory == 1);
    CHECK(images.counts().hits_disk == 0);
  }
  ImageCache disk(scratch.path(), Log());
  CompiledImages images(disk);
  const ImageResult stored = images.get_or_build(compiler, source);
  CHECK(stored.source == ImageSource::disk);
  CHECK(same_image(*stored.result->image, image_of("kernel")));
  CHECK(stored.result->log == image_of("kernel").log);
  CHECK(images.get_or_build(compiler, source).source == ImageSource::memory);
  CHECK(images.counts().builds == 0);
  CHECK(images.counts().hits_disk == 1);
  CHECK(compiler.compilations == 1);
}

TEST_CASE("another text or compiler is another image") {
  ImageCache disk(std::nullopt, Log());
  CompiledImages images(disk);
  FakeCompiler compiler;
  struct OtherCompiler : FakeCompiler {
    std::string identity() const override { return "fake 2.0"; }
  } other;
  images.get_or_build(compiler, source_of("kernel"));
  images.get_or_build(compiler, source_of("kernel "));
  CHECK(images.get_or_build(other, source_of("kernel")).source == ImageSource::built);
  CHECK(images.counts().builds == 3);
}

TEST_CASE("64 threads that ask for one key cause one build") {
  const ScratchDirectory scratch;
  ImageCache disk(scratch.path(), Log());
  CompiledImages images(disk);
  FakeCompiler compiler;
  compiler.meanwhile = [](const KernelSource&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };
  Rendezvous start(64);
  std::atomic<int> built = 0;
  std::atomic<int> wrong = 0;
  in_threads(64, [&](int) {
    start.meet();
    const ImageResult result = images.get_or_build(compiler, source_of("kernel"));
    built += result.source == ImageSource::built;
    wrong += !result.result->image || result.result->image->bytes != "kernel";
  });
  CHECK(compiler.compilations == 1);
  CHECK(built == 1);
  CHECK(wrong == 0);
  CHECK(images.counts().builds == 1);
  CHECK(images.counts().hits_memory == 63);
}

TEST_CASE("different keys build at the same time") {
  ImageCache disk(std::nullopt, Log());
  CompiledImages images(disk);
  FakeCompiler compiler;
  Rendezvous all_compile(8);
  std::atomic<int> alone = 0;
  compiler.meanwhile = [&](const KernelSource&) { alone += !all_compile.meet(); };
  in_threads(8, [&](int i) { images.get_or_build(compiler, source_of("kernel " + std::to_string(i))); });
  CHECK(alone == 0);
  CHECK(images.counts().builds == 8);
}

TEST_CASE("a failed compilation is remembered, but not on disk") {
  const ScratchDirectory scratch;
  FakeCompiler compiler;
  for (int process = 1; process <= 2; ++process) {
    ImageCache disk(scratch.path(), Log());
    CompiledImages images(disk);
    const ImageResult failed = images.get_or_build(compiler, source_of("broken"));
    CHECK(failed.source == ImageSource::built);
    CHECK_FALSE(failed.result->image.has_value());
    CHECK(failed.result->log == "error: broken");
    CHECK(images.get_or_build(compiler, source_of("broken")).source == ImageSource::memory);
    CHECK(compiler.compilations == process);
  }
}

TEST_CASE("an exception reaches all who wait and is not remembered") {
  ImageCache disk(std::nullopt, Log());
  CompiledImages images(disk);
  FakeCompiler compiler;
  Rendezvous start(16);
  compiler.meanwhile = [](const KernelSource&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    fail(ATTUNE_ERROR_NO_COMPILER, "no compiler today");
  };
  std::atomic<int> caught = 0;
  in_threads(16, [&](int) {
    start.meet();
    try {
      images.get_or_build(compiler, source_of("kernel"));
    } catch (const Error& error) {
      caught += error.status() == ATTUNE_ERROR_NO_COMPILER;
    }
  });
  CHECK(caught == 16);
  CHECK(compiler.compilations < 16);
  CHECK(images.counts().builds == 0);
  compiler.meanwhile = nullptr;
  CHECK(images.get_or_build(compiler, source_of("kernel")).source == ImageSource::built);
}

TEST_CASE("a broken file is rebuilt") {
  const ScratchDirectory scratch;
  FakeCompiler compiler;
  const KernelSource source = source_of("kernel");
  ImageCache disk(scratch.path(), Log());
  CompiledImages(disk).get_or_build(compiler, source);
  const auto path = *disk.path_of(image_key(compiler, source));
  REQUIRE(std::filesystem::exists(path));
  std::filesystem::resize_file(path, 100);
  CHECK(CompiledImages(disk).get_or_build(compiler, source).source == ImageSource::built);
  CHECK(CompiledImages(disk).get_or_build(compiler, source).source == ImageSource::disk);
}

TEST_CASE("without a usable directory everything works from memory") {
  LogCapture capture;
  ImageCache disk(std::filesystem::path("/proc/attune-test"), capture.log());
  CompiledImages images(disk);
  FakeCompiler compiler;
  CHECK(images.get_or_build(compiler, source_of("kernel")).source == ImageSource::built);
  CHECK(images.get_or_build(compiler, source_of("kernel")).source == ImageSource::memory);
  CHECK(images.get_or_build(compiler, source_of("other")).source == ImageSource::built);
  CHECK(capture.warnings.size() == 1);
}

TEST_CASE("memory keeps what was used last, within its bound") {
  ImageCache disk(std::nullopt, Log());
  FakeCompiler compiler;
  // Room for two images of this size and their logs, not for three.
  CompiledImages images(disk, 25000);
  const auto source = [](char letter) { return source_of(std::string(10000, letter)); };
  images.get_or_build(compiler, source('a'));
  images.get_or_build(compiler, source('b'));
  CHECK(images.get_or_build(compiler, source('a')).source == ImageSource::memory);
  const ImageResult last = images.get_or_build(compiler, source('c'));
  CHECK(images.get_or_build(compiler, source('a')).source == ImageSource::memory);
  CHECK(images.get_or_build(compiler, source('b')).source == ImageSource::built);  // "c" went for it
  CHECK(last.result->image->bytes == std::string(10000, 'c'));
}
