// Shared memory of flash_bwd_delta: none. Rows of a block: eight for each warp.
#pragma once

namespace attune {

struct FlashBwdDeltaLayout {
  int warps;

  constexpr int rows() const { return 8 * warps; }
  constexpr int shared_bytes() const { return 0; }
};

}  // namespace attune
