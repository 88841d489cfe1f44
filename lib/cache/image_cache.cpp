#include "cache/image_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "cache/image_file.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

// A key becomes a path, so nothing but digits may be in it.
bool is_key(std::string_view key) {
  return key.size() >= 8 && key.size() <= 128 && std::ranges::all_of(key, [](char character) {
           return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f');
         });
}

enum class FileState { absent, readable, unusable };

struct FileCheck {
  FileState state = FileState::absent;
  std::string reason;
};

FileCheck check_file(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode)) return {FileState::unusable, "it is not a regular file"};
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return {FileState::unusable,
            fmt::format("others can write it (user {}, mode {:o})", status.st_uid, status.st_mode & 07777)};
  }
  if (static_cast<uint64_t>(status.st_size) > kMaxImageFileBytes) {
    return {FileState::unusable, fmt::format("it has {} > {} bytes", status.st_size, kMaxImageFileBytes)};
  }
  return {FileState::readable, {}};
}

// Out of the way, yet there to be looked at. When it cannot be moved, storing the rebuilt image replaces it.
void quarantine(const fs::path& path, const std::string& reason, const Log& log) {
  fs::path bad = path;
  bad.replace_extension(".bad");
  std::error_code ignored;
  fs::rename(path, bad, ignored);
  log.debug("compiled image {} is put aside as {}: {}", path.string(), bad.filename().string(), reason);
}

}  // namespace

ImageCache::ImageCache(const std::optional<fs::path>& directory, const Log& log,
                       std::chrono::milliseconds patience)
    : log_(log), patience_(patience) {
  if (!directory) return;
  std::error_code error;
  const fs::path absolute = fs::absolute(*directory, error);
  std::string reason = error ? error.message() : make_private_directory(absolute);
  if (reason.empty()) reason = make_private_directory(absolute / "images");
  if (reason.empty()) {
    images_ = absolute / "images";
  } else {
    degrade(*directory, reason);
  }
}

std::optional<fs::path> ImageCache::path_of(std::string_view key) const {
  if (!images_ || !is_key(key)) return std::nullopt;
  return *images_ / key.substr(0, 2) / fmt::format("{}.img", key);
}

std::optional<CompiledImage> ImageCache::find(std::string_view key) const {
  const std::optional<fs::path> path = path_of(key);
  if (!path) return std::nullopt;
  FileCheck check = check_file(*path);
  if (check.state == FileState::absent) return std::nullopt;
  if (check.state == FileState::readable) {
    const std::optional<std::string> file = read_file(*path);
    if (!file) return std::nullopt;
    DecodedImage decoded = decode_image(key, *file);
    if (decoded.image) return std::move(decoded.image);
    if (decoded.other_version) {
      log_.debug("compiled image {} is not used: {}", path->string(), decoded.reason);
      return std::nullopt;
    }
    check.reason = std::move(decoded.reason);
  }
  quarantine(*path, check.reason, log_);
  return std::nullopt;
}

void ImageCache::store(std::string_view key, const CompiledImage& image) {
  const std::optional<fs::path> path = path_of(key);
  if (!path || !is_persistent()) return;
  const std::string file = encode_image(key, image);
  if (file.size() > kMaxImageFileBytes) {
    log_.debug("compiled image {} is not stored: it has {} > {} bytes", key, file.size(), kMaxImageFileBytes);
    return;
  }
  std::string reason = make_private_directory(path->parent_path());
  if (reason.empty()) reason = write_file_atomically(*path, file);
  if (!reason.empty()) degrade(images_->parent_path(), reason);
}

std::unique_ptr<BuildLock> ImageCache::lock_build(std::string_view key) const {
  std::optional<fs::path> path = path_of(key);
  if (!path || !is_persistent() || !make_private_directory(path->parent_path()).empty()) return nullptr;
  path->replace_extension(".lock");
  auto lock = std::make_unique<BuildLock>(*path, patience_);
  if (lock->is_held()) return lock;
  log_.debug("compiled image {} is built without a lock: {} could not be had within {} ms", key,
             path->string(), patience_.count());
  return nullptr;
}

bool ImageCache::is_persistent() const {
  const std::lock_guard lock(mutex_);
  return images_ && degraded_reason_.empty();
}

std::string ImageCache::degraded_reason() const {
  const std::lock_guard lock(mutex_);
  return degraded_reason_;
}

void ImageCache::degrade(const fs::path& directory, const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (!degraded_reason_.empty()) return;
    degraded_reason_ = reason;
  }
  log_.warning("image cache {}: {}; this process keeps what it compiles in memory only", directory.string(),
               reason);
}

}  // namespace attune
