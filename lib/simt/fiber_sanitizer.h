// FiberSanitizer: tells AddressSanitizer which stack is in use. Empty in other builds.
#pragma once

#include <boost/context/stack_context.hpp>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define ATTUNE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ATTUNE_ASAN 1
#endif
#endif

#if defined(ATTUNE_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#include <vector>
#endif

namespace attune::simt {

#if defined(ATTUNE_ASAN)

class FiberSanitizer {
 public:
  void clear() { stacks_.assign(1, Bounds{}); }
  void add(const boost::context::stack_context& stack) {
    stacks_.push_back({static_cast<char*>(stack.sp) - stack.size, stack.size});
  }
  // Around a switch to the stack added as number `index`, -1 for the one everything started on. What leave()
  // returns is for arrive() once the leaver runs again.
  void* leave(int index) {
    void* frames = nullptr;
    __sanitizer_start_switch_fiber(&frames, stacks_[index + 1].bottom, stacks_[index + 1].size);
    return frames;
  }
  void leave_for_good(int index) {
    __sanitizer_start_switch_fiber(nullptr, stacks_[index + 1].bottom, stacks_[index + 1].size);
  }
  static void arrive(void* frames) { __sanitizer_finish_switch_fiber(frames, nullptr, nullptr); }
  void arrive_first(int from) {
    Bounds& bounds = stacks_[from + 1];
    __sanitizer_finish_switch_fiber(nullptr, &bounds.bottom, &bounds.size);
  }
  // The stack's next user must not trip over marks of frames that are no more.
  static void forget(const boost::context::stack_context& stack) {
    ASAN_UNPOISON_MEMORY_REGION(static_cast<char*>(stack.sp) - stack.size, stack.size);
  }

 private:
  struct Bounds {
    const void* bottom = nullptr;
    size_t size = 0;
  };
  std::vector<Bounds> stacks_;
};

#else

class FiberSanitizer {
 public:
  void clear() {}
  void add(const boost::context::stack_context&) {}
  void* leave(int) { return nullptr; }
  void leave_for_good(int) {}
  static void arrive(void*) {}
  void arrive_first(int) {}
  static void forget(const boost::context::stack_context&) {}
};

#endif

}  // namespace attune::simt
