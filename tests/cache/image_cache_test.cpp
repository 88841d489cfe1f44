#include "cache/image_cache.h"

#include <sys/stat.h>

#include "base/files.h"
#include "cache/fixtures.h"
#include "cache/image_file.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::cache_test;
namespace fs = std::filesystem;

namespace {

const std::string kKey = "0123456789abcdef0123456789abcdef";

int mode_of(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<int>(status.st_mode & 07777) : -1;
}

void check_refused(const fs::path& directory, const std::string& reason) {
  LogCapture capture;
  ImageCache cache(directory, capture.log());
  CHECK_FALSE(cache.is_persistent());
  CHECK(cache.degraded_reason().find(reason) != std::string::npos);
  cache.store(kKey, image_of("bytes"));
  CHECK_FALSE(cache.find(kKey).has_value());
  CHECK_FALSE(cache.path_of(kKey).has_value());
  REQUIRE(capture.warnings.size() == 1);
  CHECK(capture.warnings[0].find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("an image is found again, also by another cache on the directory") {
  const ScratchDirectory scratch;
  LogCapture capture;
  ImageCache cache(scratch.path() / "cache", capture.log());
  CHECK_FALSE(cache.find(kKey).has_value());
  cache.store(kKey, image_of("bytes"));
  const fs::path path = scratch.path() / "cache" / "images" / "01" / (kKey + ".img");
  CHECK(cache.path_of(kKey) == path);
  CHECK(mode_of(path) == 0600);
  CHECK(mode_of(path.parent_path()) == 0700);
  CHECK(mode_of(scratch.path() / "cache") == 0700);
  const ImageCache other(scratch.path() / "cache", capture.log());
  REQUIRE(other.find(kKey).has_value());
  CHECK(same_image(*other.find(kKey), image_of("bytes")));
  CHECK(cache.is_persistent());
  CHECK(capture.warnings.empty());

  cache.store(kKey, image_of("newer"));
  CHECK(other.find(kKey)->bytes == "newer");
}

TEST_CASE("without a directory nothing is kept and nothing is wrong") {
  LogCapture capture;
  ImageCache cache(std::nullopt, capture.log());
  cache.store(kKey, image_of("bytes"));
  CHECK_FALSE(cache.find(kKey).has_value());
  CHECK_FALSE(cache.is_persistent());
  CHECK(cache.degraded_reason().empty());
  CHECK(capture.warnings.empty());
}

TEST_CASE("a key that is no digest reaches no path") {
  const ScratchDirectory scratch;
  ImageCache cache(scratch.path(), Log());
  for (const std::string key :
       {"", "../../../etc/passwd", "0123456789ABCDEF", "0123", "0123/567", "01234567.img"}) {
    CAPTURE(key);
    CHECK_FALSE(cache.path_of(key).has_value());
    cache.store(key, image_of("bytes"));
    CHECK_FALSE(cache.find(key).has_value());
  }
  CHECK_FALSE(cache.path_of(std::string(129, 'a')).has_value());
  CHECK(fs::is_empty(scratch.path() / "images"));
}

TEST_CASE("a broken or foreign file is a miss, is put aside, and is rebuilt") {
  const ScratchDirectory scratch;
  ImageCache cache(scratch.path(), Log());
  cache.store(kKey, image_of("bytes"));
  const fs::path path = *cache.path_of(kKey);
  fs::path bad = path;
  bad.replace_extension(".bad");
  const std::string intact = *read_file(path);
  std::string content;
  SECTION("empty") {}
  SECTION("cut") {
    content = intact.substr(0, intact.size() / 2);
  }
  SECTION("a bit flipped") {
    (content = intact).back() ^= 1;
  }
  SECTION("another program's") {
    content =
        "\x7f"
        "ELF";
  }
  SECTION("another key's") {
    content = encode_image(std::string(32, 'f'), image_of("bytes"));
  }
  REQUIRE(write_file_atomically(path, content).empty());
  CHECK_FALSE(cache.find(kKey).has_value());
  CHECK_FALSE(fs::exists(path));
  CHECK(read_file(bad) == content);
  cache.store(kKey, image_of("bytes"));
  CHECK(cache.find(kKey).has_value());
}

TEST_CASE("a file cut at any length is a miss") {
  const ScratchDirectory scratch;
  ImageCache cache(scratch.path(), Log());
  cache.store(kKey, image_of("bytes"));
  const fs::path path = *cache.path_of(kKey);
  const std::string intact = *read_file(path);
  int found = 0;
  for (size_t size = 0; size < intact.size(); ++size) {
    fs::remove(path);
    REQUIRE(write_file_atomically(path, intact).empty());
    fs::resize_file(path, size);
    found += cache.find(kKey).has_value();
  }
  CHECK(found == 0);
}

TEST_CASE("a file of another format version is a miss that stays") {
  const ScratchDirectory scratch;
  ImageCache cache(scratch.path(), Log());
  cache.store(kKey, image_of("bytes"));
  const fs::path path = *cache.path_of(kKey);
  std::string content = *read_file(path);
  content[8] = 2;
  REQUIRE(write_file_atomically(path, content).empty());
  CHECK_FALSE(cache.find(kKey).has_value());
  CHECK(fs::exists(path));
}

TEST_CASE("a file that others can write, or that is no plain file, is not read") {
  const ScratchDirectory scratch;
  ImageCache cache(scratch.path(), Log());
  cache.store(kKey, image_of("bytes"));
  const fs::path path = *cache.path_of(kKey);
  SECTION("mode") {
    REQUIRE(::chmod(path.c_str(), 0622) == 0);
  }
  SECTION("link") {
    fs::rename(path, scratch.path() / "elsewhere");
    fs::create_symlink(scratch.path() / "elsewhere", path);
  }
  SECTION("pipe") {
    fs::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  SECTION("directory") {
    fs::remove(path);
    fs::create_directory(path);
  }
  SECTION("huge") {
    fs::resize_file(path, kMaxImageFileBytes + 1);
  }
  CHECK_FALSE(cache.find(kKey).has_value());
  CHECK_FALSE(fs::exists(fs::symlink_status(path)));
}

TEST_CASE("directories that must not or cannot be used") {
  const ScratchDirectory scratch;
  SECTION("others can write it") {
    REQUIRE(::chmod(scratch.path().c_str(), 0777) == 0);
    check_refused(scratch.path(), "can be written by others (mode 777)");
    CHECK(fs::is_empty(scratch.path()));
  }
  SECTION("others can write the images' own") {
    REQUIRE(fs::create_directory(scratch.path() / "images"));
    REQUIRE(::chmod((scratch.path() / "images").c_str(), 0770) == 0);
    check_refused(scratch.path(), "can be written by others (mode 770)");
  }
  SECTION("a regular file is in the way") {
    REQUIRE(write_file_atomically(scratch.path() / "file", "x").empty());
    check_refused(scratch.path() / "file", "is not a directory");
    check_refused(scratch.path() / "file" / "below", "file");
  }
  SECTION("it cannot be made") {
    check_refused("/proc/attune-test", "/proc");
  }
}

TEST_CASE("a write that fails is the last one, and what is stored stays") {
  const ScratchDirectory scratch;
  LogCapture capture;
  ImageCache cache(scratch.path(), capture.log());
  cache.store(kKey, image_of("bytes"));
  const std::string blocked = "ff" + kKey.substr(2);
  REQUIRE(write_file_atomically(scratch.path() / "images" / "ff", "in the way").empty());
  cache.store(blocked, image_of("bytes"));
  CHECK_FALSE(cache.is_persistent());
  CHECK(cache.degraded_reason().find("not a directory") != std::string::npos);
  cache.store(blocked, image_of("bytes"));
  cache.store("ee" + kKey.substr(2), image_of("bytes"));
  CHECK(capture.warnings.size() == 1);
  CHECK(cache.find(kKey).has_value());
  CHECK_FALSE(cache.find(blocked).has_value());
  CHECK_FALSE(cache.find("ee" + kKey.substr(2)).has_value());
}
