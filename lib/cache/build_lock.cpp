#include "cache/build_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

// How often one looks again: at first soon, since a compilation takes tenths of a second.
constexpr std::chrono::milliseconds kFirstPause{2};
constexpr std::chrono::milliseconds kLongestPause{50};

enum class Lock { taken, busy, impossible };

Lock try_lock(int file) {
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno == EWOULDBLOCK ? Lock::busy : Lock::impossible;
  }
  return Lock::taken;
}

// False when the holder before us has removed the file: the next ones lock another, so this lock is worth
// nothing.
bool is_still_there(int file, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

BuildLock::BuildLock(const std::filesystem::path& path, std::chrono::milliseconds patience) : path_(path) {
  const Clock::time_point deadline = Clock::now() + patience;
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    // Closed at exec, so that no compiler we start keeps the lock.
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return;
    const Lock lock = try_lock(file);
    if (lock == Lock::taken && is_still_there(file, path_)) {
      file_ = file;
      return;
    }
    ::close(file);
    if (lock == Lock::impossible) return;
    if (lock == Lock::taken) continue;  // the file of that name is another one now
    if (Clock::now() >= deadline) return;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

BuildLock::~BuildLock() {
  if (file_ < 0) return;
  // Removed while it is locked, so that nobody can hold the name's next file at the same time.
  ::unlink(path_.c_str());
  // NOTE: not left to close(): a child that was forked meanwhile shares the lock until it ends.
  ::flock(file_, LOCK_UN);
  ::close(file_);
}

}  // namespace attune
