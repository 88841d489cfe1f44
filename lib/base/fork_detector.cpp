#include "base/fork_detector.h"

#include <sys/mman.h>
#include <unistd.h>

namespace attune {
namespace {

constexpr size_t kBytes = 1;  // the kernel rounds up to a page

}  // namespace

ForkDetector::ForkDetector() : pid_(getpid()) {
  void* page = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, kBytes, MADV_WIPEONFORK) != 0) {
    munmap(page, kBytes);
    return;
  }
  alive_ = static_cast<volatile int*>(page);
  *alive_ = 1;
}

ForkDetector::~ForkDetector() {
  if (alive_) munmap(const_cast<int*>(alive_), kBytes);
}

bool ForkDetector::forked() const {
  return alive_ ? *alive_ == 0 : getpid() != pid_;
}

}  // namespace attune
