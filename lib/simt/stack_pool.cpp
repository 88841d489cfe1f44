#include "simt/stack_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "simt/fiber_sanitizer.h"

namespace attune::simt {
namespace {

constexpr size_t kStackBytes = 128 * 1024;  // untouched pages cost nothing

size_t page_bytes() {
  return static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}
size_t mapping_bytes() {
  return kStackBytes + page_bytes();
}

}  // namespace

StackPool::~StackPool() {
  for (void* mapping : mappings_)
    ::munmap(mapping, mapping_bytes());
}

boost::context::stack_context StackPool::take() {
  if (free_.empty()) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
    void* mapping = ::mmap(nullptr, mapping_bytes(), PROT_READ | PROT_WRITE, kFlags, -1, 0);
    if (mapping == MAP_FAILED) {
      fail(ATTUNE_ERROR_OUT_OF_MEMORY, "no memory for stack {} of the emulator: {}", mappings_.size() + 1,
           std::strerror(errno));
    }
    mappings_.push_back(mapping);
    ::mprotect(mapping, page_bytes(), PROT_NONE);
    // NOTE: all lanes run the same frames at the same depth. Without an offset of its own for each stack they
    // would all lie a multiple of 4096 bytes apart and share a few lines of the first-level cache.
    const size_t offset = mappings_.size() % 21 * 192;
    boost::context::stack_context stack;
    stack.size = kStackBytes - offset;
    stack.sp = static_cast<char*>(mapping) + mapping_bytes() - offset;
    free_.push_back(stack);
  }
  const boost::context::stack_context stack = free_.back();
  free_.pop_back();
  return stack;
}

void StackPool::give(const boost::context::stack_context& stack) {
  FiberSanitizer::forget(stack);
  free_.push_back(stack);
}

}  // namespace attune::simt
