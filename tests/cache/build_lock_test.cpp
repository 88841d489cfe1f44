// One build per key among processes.
#include "cache/build_lock.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "cache/compiled_images.h"
#include "cache/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::cache_test;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

template <typename Body>
pid_t in_child(const Body& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(body() ? 0 : 1);
  return child;
}

bool ended_well(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Asks for one image; every compilation appends a byte to `tally`, and takes a while.
bool build(const fs::path& directory, const fs::path& tally) {
  ImageCache disk(directory, Log());
  CompiledImages images(disk);
  FakeCompiler compiler;
  compiler.meanwhile = [&](const KernelSource&) {
    std::ofstream(tally, std::ios::app) << 'x' << std::flush;
    std::this_thread::sleep_for(milliseconds(300));
  };
  const ImageResult result = images.get_or_build(compiler, source_of("kernel"));
  return result.result->image && result.result->image->bytes == "kernel";
}

// The child takes the lock, tells it by a file, and keeps it until it is killed.
pid_t holder_of(const fs::path& path, const fs::path& sign) {
  const pid_t child = in_child([&] {
    const BuildLock lock(path, milliseconds(1000));
    std::ofstream(sign) << lock.is_held();
    for (;;)
      ::pause();
    return true;
  });
  while (!fs::exists(sign) || fs::is_empty(sign))
    std::this_thread::sleep_for(milliseconds(5));
  REQUIRE(read_file(sign) == "1");
  return child;
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("8 processes that ask for one key compile it once") {
  const ScratchDirectory scratch;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(in_child([&] { return build(scratch.path() / "cache", scratch.path() / "tally"); }));
  }
  for (const pid_t child : children)
    CHECK(ended_well(child));
  CHECK(read_file(scratch.path() / "tally") == "x");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(scratch.path() / "cache")) {
    INFO(entry.path());
    CHECK((entry.is_directory() || entry.path().extension() == ".img"));  // no lock file is left
  }
}

TEST_CASE("who dies with the lock blocks nobody") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "key.lock";
  const pid_t holder = holder_of(path, scratch.path() / "sign");
  CHECK_FALSE(BuildLock(path, milliseconds(0)).is_held());
  REQUIRE(::kill(holder, SIGKILL) == 0);
  ::waitpid(holder, nullptr, 0);
  CHECK(fs::exists(path));  // its file stays, and is taken over
  CHECK(BuildLock(path, milliseconds(1000)).is_held());
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("who is stopped with the lock is waited for no longer than patience allows") {
  const ScratchDirectory scratch;
  ImageCache disk(scratch.path(), Log(), milliseconds(150));
  FakeCompiler compiler;
  const std::string key = image_key(compiler, source_of("kernel"));
  fs::path path = *disk.path_of(key);
  path.replace_extension(".lock");
  fs::create_directories(path.parent_path());
  const pid_t holder = holder_of(path, scratch.path() / "sign");
  REQUIRE(::kill(holder, SIGSTOP) == 0);
  const double seconds = seconds_of([&] {
    CHECK(CompiledImages(disk).get_or_build(compiler, source_of("kernel")).source == ImageSource::built);
  });
  CHECK(seconds >= 0.15);
  CHECK(seconds < 5);
  CHECK(fs::exists(path));  // not ours to remove
  CHECK(disk.find(key).has_value());
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
}

TEST_CASE("a process forked while the lock is held does not keep it") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "key.lock";
  pid_t child = 0;
  {
    const BuildLock lock(path, milliseconds(0));
    REQUIRE(lock.is_held());
    child = in_child([] {
      for (;;)
        ::pause();
      return true;
    });
  }
  CHECK(BuildLock(path, milliseconds(0)).is_held());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("where nothing can be locked one builds all the same") {
  const ScratchDirectory scratch;
  CHECK_FALSE(BuildLock(scratch.path() / "nowhere" / "key.lock", milliseconds(1000)).is_held());
  REQUIRE(fs::create_directory(scratch.path() / "directory.lock"));
  CHECK_FALSE(BuildLock(scratch.path() / "directory.lock", milliseconds(1000)).is_held());
  fs::create_symlink(scratch.path() / "elsewhere", scratch.path() / "link.lock");
  CHECK_FALSE(BuildLock(scratch.path() / "link.lock", milliseconds(1000)).is_held());
  CHECK_FALSE(fs::exists(scratch.path() / "elsewhere"));
  CHECK(build("/proc/attune-test", scratch.path() / "tally"));
  CHECK(ImageCache(std::nullopt, Log()).lock_build("0123456789abcdef") == nullptr);
  CHECK(ImageCache(scratch.path(), Log()).lock_build("../../../etc/passwd") == nullptr);
}

TEST_CASE("the build of one key does not wait for another's") {
  const ScratchDirectory scratch;
  ImageCache disk(scratch.path(), Log());
  const auto first = disk.lock_build("0123456789abcdef");
  CHECK(first != nullptr);
  CHECK(disk.lock_build("0123456789abcdee") != nullptr);
}
