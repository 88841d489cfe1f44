#include "base/files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

size_t entries_in(const fs::path& directory) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

void write_plainly(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("read_file gives all bytes, or nothing") {
  const ScratchDirectory scratch;
  const std::string bytes("\0\xff\r\n\x1a text", 10);
  write_plainly(scratch.path() / "bytes", bytes);
  CHECK(read_file(scratch.path() / "bytes") == bytes);
  write_plainly(scratch.path() / "empty", "");
  CHECK(read_file(scratch.path() / "empty") == "");
  CHECK_FALSE(read_file(scratch.path() / "absent").has_value());
  CHECK_FALSE(read_file(scratch.path()).has_value());  // a directory opens, but cannot be read
}

TEST_CASE("write_file_atomically replaces the whole file and leaves nothing beside it") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "image";
  CHECK(write_file_atomically(path, std::string(100000, 'a')).empty());
  CHECK(write_file_atomically(path, "short") == "");
  CHECK(read_file(path) == "short");
  CHECK(mode_of(path) == 0600);
  CHECK(entries_in(scratch.path()) == 1);
}

TEST_CASE("write_file_atomically says why it could not, and cleans up") {
  const ScratchDirectory scratch;
  CHECK_THAT(write_file_atomically(scratch.path() / "absent" / "file", "x"),
             ContainsSubstring("cannot create") && ContainsSubstring("absent/file"));
  fs::create_directory(scratch.path() / "directory");
  CHECK_THAT(write_file_atomically(scratch.path() / "directory", "x"), ContainsSubstring("cannot rename to"));
  CHECK(fs::is_directory(scratch.path() / "directory"));
  CHECK(entries_in(scratch.path()) == 1);
}

TEST_CASE("a reader never sees a part of a file that is being replaced") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "file";
  REQUIRE(write_file_atomically(path, std::string(50000, '0')).empty());
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 1; i < 60; ++i)
      write_file_atomically(path, std::string(50000, static_cast<char>('0' + i % 10)));
    done = true;
  });
  int torn = 0, reads = 0;
  while (!done || reads == 0) {
    const std::optional<std::string> text = read_file(path);
    torn += !text || text->size() != 50000 || text->find_first_not_of(text->front()) != std::string::npos;
    ++reads;
  }
  writer.join();
  CHECK(torn == 0);
}

TEST_CASE("make_private_directory creates parents, all of them 0700, whatever the umask") {
  const ScratchDirectory scratch;
  const mode_t old = ::umask(0);
  const std::string reason = make_private_directory(scratch.path() / "a" / "b");
  ::umask(old);
  CHECK(reason.empty());
  CHECK(mode_of(scratch.path() / "a") == 0700);
  CHECK(mode_of(scratch.path() / "a" / "b") == 0700);
  CHECK(make_private_directory(scratch.path() / "a" / "b").empty());  // again: it is there
}

TEST_CASE("a directory that others can write to is refused") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "shared";
  fs::create_directory(path);
  for (const unsigned mode : {0777u, 0770u, 0702u, 01777u}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    CHECK(make_private_directory(path) ==
          fmt::format("{} can be written by others (mode {:o})", path.string(), mode));
  }
  for (const unsigned mode : {0700u, 0755u}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    CHECK(make_private_directory(path) == "");
  }
}

TEST_CASE("a directory of another user is refused") {
  const ScratchDirectory scratch;
  fs::path path = "/";
  if (::geteuid() == 0) {
    path = scratch.path() / "theirs";
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    if (::chown(path.c_str(), 12345, static_cast<gid_t>(-1)) != 0) ATTUNE_SKIP("chown is not possible here");
  }
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(make_private_directory(path) ==
        fmt::format("{} belongs to user {}, not to user {}", path.string(), status.st_uid, ::geteuid()));
}

TEST_CASE("a file in the way of a directory is refused") {
  const ScratchDirectory scratch;
  const fs::path file = scratch.path() / "file";
  write_plainly(file, "x");
  CHECK(make_private_directory(file) == file.string() + " is not a directory");
  CHECK_THAT(make_private_directory(file / "below"), ContainsSubstring("Not a directory"));
  CHECK(read_file(file) == "x");
}

TEST_CASE("the cache directory follows XDG_CACHE_HOME, then HOME") {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  const auto old_cache = variable("XDG_CACHE_HOME"), old_home = variable("HOME");
  ::setenv("HOME", "/home/somebody", 1);
  ::setenv("XDG_CACHE_HOME", "/caches", 1);
  CHECK(default_cache_directory() == fs::path("/caches/attune"));
  ::setenv("XDG_CACHE_HOME", "relative", 1);  // the XDG specification says to ignore it
  CHECK(default_cache_directory() == fs::path("/home/somebody/.cache/attune"));
  ::unsetenv("XDG_CACHE_HOME");
  CHECK(default_cache_directory() == fs::path("/home/somebody/.cache/attune"));
  ::unsetenv("HOME");
  CHECK_FALSE(default_cache_directory().has_value());
  if (old_cache) ::setenv("XDG_CACHE_HOME", old_cache->c_str(), 1);
  if (old_home) ::setenv("HOME", old_home->c_str(), 1);
}

TEST_CASE("a scratch directory is private, fresh, and removed with all that is in it") {
  fs::path path;
  {
    const ScratchDirectory scratch, other;
    path = scratch.path();
    CHECK(path != other.path());
    CHECK(mode_of(path) == 0700);
    CHECK(entries_in(path) == 0);
    fs::create_directories(path / "a" / "b");
    write_plainly(path / "a" / "b" / "file", "x");
    REQUIRE(fs::exists(path / "a" / "b" / "file"));
  }
  CHECK_FALSE(fs::exists(path));
}
