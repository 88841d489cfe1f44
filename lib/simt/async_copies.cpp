#include "simt/async_copies.h"

#include <cstring>

namespace attune::simt {
namespace {

constexpr size_t kCompactAt =
    1024;  // ended copies a queue keeps: a thread may never be without one in flight

}  // namespace

void AsyncCopies::begin_block(int threads) {
  queues_.resize(static_cast<size_t>(threads));
  for (Queue& queue : queues_) {
    queue.copies.clear();
    queue.first = 0;
    queue.groups = 0;
  }
}

void AsyncCopies::land(Copy& copy, SharedMemory& shared) {
  if (copy.landed) return;
  unsigned char* destination = shared.bytes_at(copy.offset);
  const auto bytes = static_cast<size_t>(copy.bytes);
  if (bytes > 0) std::memcpy(destination, copy.source, bytes);
  std::memset(destination + bytes, 0, ShadowMemory::kLine - bytes);
  copy.landed = true;
}

bool AsyncCopies::issue(int thread, int64_t offset, const void* source, int bytes, SharedMemory& shared,
                        Stamp me, Random& random) {
  if (!shared.begin_copy(offset, me)) return false;
  Queue& queue = queues_[thread];
  if (queue.first >= kCompactAt || queue.first == queue.copies.size()) {
    queue.copies.erase(queue.copies.begin(), queue.copies.begin() + static_cast<std::ptrdiff_t>(queue.first));
    queue.first = 0;
  }
  queue.copies.push_back({.offset = offset,
                          .source = source,
                          .bytes = bytes,
                          .group = queue.groups,
                          .site = me.site(),
                          .landed = false});
  if (random.bits(2) == 0) land(queue.copies.back(), shared);
  return true;
}

void AsyncCopies::commit(int thread, SharedMemory& shared, Random& random) {
  Queue& queue = queues_[thread];
  ++queue.groups;
  if (random.bits(2) != 0) return;
  for (size_t i = queue.first; i < queue.copies.size(); ++i)
    land(queue.copies[i], shared);
}

void AsyncCopies::wait(int thread, int pending, SharedMemory& shared, Stamp me) {
  Queue& queue = queues_[thread];
  for (; queue.first < queue.copies.size(); ++queue.first) {
    Copy& copy = queue.copies[queue.first];
    if (copy.group >= queue.groups - pending) break;
    land(copy, shared);
    shared.end_copy(copy.offset, me.at_site(copy.site));
  }
}

}  // namespace attune::simt
