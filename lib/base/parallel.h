// parallel_for: a range of independent work over the cores of this host.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>

namespace attune {

// Calls body(begin, end) for disjoint pieces that make up [0, count), from several threads, and waits for all
// of them. Pieces are handed out as threads become free, so they need not cost the same. The first exception
// of a piece is thrown again here; pieces not yet begun are then skipped.
// `work` is about how many multiplications all of it takes, where that is known: a thread is started only for
// a share that takes longer than starting it.
void parallel_for(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body,
                  int64_t work = std::numeric_limits<int64_t>::max());

}  // namespace attune
