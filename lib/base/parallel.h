// parallel_for: a range of independent work over the cores of this host.
#pragma once

#include <cstdint>
#include <functional>

namespace attune {

// Calls body(begin, end) for disjoint pieces that make up [0, count), from several threads, and waits for all
// of them. Pieces are handed out as threads become free, so they need not cost the same. The first exception
// of a piece is thrown again here; pieces not yet begun are then skipped.
void parallel_for(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace attune
