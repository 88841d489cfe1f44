// ImageCache: compiled images on disk, one file per content-addressed key.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "cache/build_lock.h"
#include "compile/compiler.h"

namespace attune {

// <directory>/images/<first two digits of the key>/<key>.img. Thread-safe, and safe between processes: files
// are published whole. A directory that others can write to is refused; without a usable directory every find
// misses and nothing is stored, with one warning. Images are programs that will run, so only files that
// belong to this user are read.
class ImageCache {
 public:
  // How long to wait for another process's build: longer than a compilation takes, unless its process is
  // stopped.
  static constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(30);

  // Nothing for the directory: no disk, which is not a degradation.
  ImageCache(const std::optional<std::filesystem::path>& directory, const Log& log,
             std::chrono::milliseconds patience = kPatience);

  // A file that is broken, or not the one that was stored, counts as a miss and is renamed to <key>.bad.
  std::optional<CompiledImage> find(std::string_view key) const;

  // Losing a race against another process that stores the same key is fine. After a write that failed,
  // nothing more is stored; what is there is still found.
  void store(std::string_view key, const CompiledImage& image);

  // To be held from a find that missed until store, with another find in between: so processes that want one
  // key at the same time build it once. Null when there is nothing to lock or another process takes too long;
  // then one builds all the same.
  std::unique_ptr<BuildLock> lock_build(std::string_view key) const;

  // Where the image of a key lies or would lie; nothing without a directory or for a key that is not
  // hexadecimal.
  std::optional<std::filesystem::path> path_of(std::string_view key) const;

  // True while images reach the disk.
  bool is_persistent() const;
  // Why they do not; empty when they do or were never asked to.
  std::string degraded_reason() const;

 private:
  void degrade(const std::filesystem::path& directory, const std::string& reason);

  const Log log_;
  const std::chrono::milliseconds patience_;
  std::optional<std::filesystem::path>
      images_;                // nothing without a usable directory; constant after construction
  mutable std::mutex mutex_;  // guards what follows
  std::string degraded_reason_;
};

}  // namespace attune
