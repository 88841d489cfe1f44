// BuildLock: held by the one process that builds a key's image, while others wait for what it will publish.
#pragma once

#include <chrono>
#include <filesystem>

namespace attune {

// A file that is locked by flock, so it is free again when its process ends, however that happens. Never an
// obstacle: without a directory to lie in, on file systems that cannot lock, or when the other process takes
// too long (it may have been stopped), one goes on without.
class BuildLock {
 public:
  // Waits for the lock, `patience` at most. The directory must be there and private.
  BuildLock(const std::filesystem::path& path, std::chrono::milliseconds patience);
  // Removes the file, and lets the next one go on.
  ~BuildLock();
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;

  bool is_held() const { return file_ >= 0; }

 private:
  const std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace attune
