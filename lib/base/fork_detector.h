// ForkDetector: tells a process from its children after fork, at the price of one load. CUDA does not survive
// a fork.
#pragma once

#include <sys/types.h>

namespace attune {

class ForkDetector {
 public:
  ForkDetector();
  ~ForkDetector();
  ForkDetector(const ForkDetector&) = delete;
  ForkDetector& operator=(const ForkDetector&) = delete;

  // True in a child of the process that made this object.
  bool forked() const;

 private:
  // A page the kernel wipes in children, since getpid is a system call and too dear for each launch; nullptr
  // where the kernel cannot do that, then the process id is compared.
  volatile int* alive_ = nullptr;
  pid_t pid_ = 0;
};

}  // namespace attune
