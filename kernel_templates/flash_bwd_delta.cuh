// flash_bwd_delta: the first launch of the backward pass, the row terms of every query row,
//
//   delta = sum over columns of dO · O, less dlse,   and LSE in base 2,
//
// stored side by side. What both gradients would otherwise compute again for every tile is computed once, and
// rows that saw no key, or are not there, get terms that make P and dS zero, so that nobody else asks for
// them.
//
// Four lanes share a row and take 16 bytes of it in turn: the kernel reads dO and O once and does little
// else.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef WARPS
#define WARPS 4  // warps of a block, eight rows each
#endif

// The problem.
#ifndef ELEMENT
#define ELEMENT bf16  // f16, bf16, float or double
#define ELEMENT_BYTES 2
#endif
#ifndef HEAD_DIM_V
#define HEAD_DIM_V 64  // of o and dout
#endif

#include "attention/row_terms.layout.h"
#include "attention/tensor_rows.cuh"
#include "attention/tile_order.cuh"
#include "flash_bwd_delta.layout.h"
#include "flash_bwd_delta.params.h"
#include "isa/isa.cuh"

namespace attune {

using Element = ELEMENT;
using Real = RealOf<Element>;

constexpr FlashBwdDeltaLayout kLayout{WARPS};
constexpr int kElements = 16 / ELEMENT_BYTES;         // of a chunk
constexpr int kWholeChunks = HEAD_DIM_V / kElements;  // of a row
static_assert(RowTermsLayout::kRowMultiple % kLayout.rows() == 0, "padded rows are whole blocks");

// The lane's share of dO · O: columns from `first` on, `step` apart.
ATTUNE_FN Real add_columns(Real sum, const Global<const Element>& o, const Global<const Element>& dout,
                           int first, int step) {
  for (int column = first; column < HEAD_DIM_V; column += step)
    sum = multiply_add(to_real(o.load(column)), to_real(dout.load(column)), sum);
  return sum;
}

ATTUNE_FN Real partial_delta(const Global<const Element>& o, const Global<const Element>& dout,
                             bool aligned) {
  const int place = lane_index() % 4;
  if (!aligned) return add_columns(0, o, dout, place, 4);
  Real sum = 0;
  ATTUNE_UNROLL
  for (int chunk = place; chunk < kWholeChunks; chunk += 4) {
    const Bytes16 o_bytes = o.load16(chunk * kElements), dout_bytes = dout.load16(chunk * kElements);
    ATTUNE_UNROLL
    for (int i = 0; i < kElements; ++i)
      sum = multiply_add(to_real(element_of<Element>(o_bytes, i)),
                         to_real(element_of<Element>(dout_bytes, i)), sum);
  }
  return add_columns(sum, o, dout, kWholeChunks * kElements + place, 4);
}

}  // namespace attune

ATTUNE_KERNEL(flash_bwd_delta, FlashBwdDeltaParams, 32 * WARPS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  constexpr Real kLog2E = 1.4426950408889634;
  const TileCoordinates tile =
      tile_of_block<kLayout.rows(), false>(static_cast<u32>(block_index()), params.q_tiles, params.heads_q);
  const int row = tile.first_row + 8 * warp_index() + lane_index() / 4;
  const int head_and_batch = tile.batch * params.heads_q + tile.head;
  const i64 statistic = static_cast<i64>(head_and_batch) * params.seqlen_q + row;

  Real lse = -infinity();
  if (row < params.seqlen_q) lse = Global<const Real>(static_cast<const Real*>(params.lse)).load(statistic);
  const bool saw_keys = lse != -infinity();
  Real sum[1] = {0};
  if (saw_keys) {
    sum[0] = partial_delta(row_of<Element>(params.o, tile.batch, tile.head, row),
                           row_of<Element>(params.dout, tile.batch, tile.head, row), params.aligned == 3u);
  }
  quad_sum(sum);
  if (lane_index() % 4 != 0) return;
  if (saw_keys && params.dlse != nullptr)
    sum[0] -= Global<const Real>(static_cast<const Real*>(params.dlse)).load(statistic);
  const Global<Real> terms = Global<Real>(static_cast<Real*>(params.row_terms)) +
                             2 * (static_cast<i64>(head_and_batch) * params.padded_rows + row);
  terms.store(0, saw_keys ? lse * kLog2E : static_cast<Real>(infinity()));
  terms.store(1, sum[0]);
}
