// flash_fwd: the forward pass of attention, O = softmax(scale · Q · K^T) · V, without storing scores.
//
//            keys ->  one step takes BLOCK_N keys, from the last visible block down to the first
//          +-------+-------+-------+-------+
//  Q tile  |       |       |       | S, P  |   S = Q · K^T, masked at the boundary
//  BLOCK_M |       |       |  <----|       |   P = exp(scale · (S - running maximum))
//  rows    +-------+-------+-------+-------+   O = O · correction + P · V
//
// A block owns BLOCK_M query rows of one head; each of its WARPS warps owns 16 · M of them and never
// exchanges data with the others, who only share the K and V tiles. Copies of K and V run STAGES tiles ahead
// of the products.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 64  // query rows of a block (16 for f32, 64, 128): 16 or 32 rows for each warp
#endif
#ifndef BLOCK_N
#define BLOCK_N 64  // keys of a step (16 for f32, 32, 64, 128)
#endif
#ifndef WARPS
#define WARPS 4  // warps of a block (1 for f32, 4, 8)
#endif
#ifndef STAGES
#define STAGES 1  // K and V tiles in flight (1, 2)
#endif
#ifndef Q_IN_REGISTERS
#define Q_IN_REGISTERS 0  // 1: Q fragments are loaded once and kept (16-bit elements only)
#endif

// The problem.
#ifndef ELEMENT
#define ELEMENT bf16  // f16, bf16 or float
#define ELEMENT_BYTES 2
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 64  // a multiple of 8
#endif
#ifndef CAUSAL_MASK
#define CAUSAL_MASK 0  // 1: row i sees keys 0 to i + seqlen_kv - seqlen_q
#endif

#include "attention/mask.cuh"
#include "attention/softmax.cuh"
#include "attention/tile_order.cuh"
#include "flash_fwd.layout.h"
#include "flash_fwd.params.h"
#include "isa/isa.cuh"
#include "tile/fragment.cuh"
#include "tile/load.cuh"
#if ELEMENT_BYTES == 2
#include "tile/products_mma.cuh"
#else
#include "tile/products_fma.cuh"
#endif

namespace attune {

using Element = ELEMENT;

constexpr FlashFwdLayout kLayout{ELEMENT_BYTES, HEAD_DIM, BLOCK_M, BLOCK_N, STAGES};
constexpr int kThreads = 32 * WARPS;
constexpr int kPaddedDim = kLayout.padded_dim();
constexpr int kRowElements = kLayout.row_elements();
constexpr int kM = BLOCK_M / (16 * WARPS);  // row fragments of a warp
constexpr int kN = BLOCK_N / 8;             // key tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_M % (16 * WARPS) == 0, "every warp owns whole fragments of 16 rows");
static_assert(BLOCK_N % 16 == 0, "keys are multiplied in steps of 16");

using Query = QueryFragment<Element, kM, kPaddedDim, Q_IN_REGISTERS != 0>;
using Output = OutputFragment<kM, kPaddedDim>;

ATTUNE_FN Global<const Element> head_of(const FlashTensor& tensor, int batch, int head) {
  return Global<const Element>(static_cast<const Element*>(tensor.data)) +
         (batch * tensor.batch_stride + head * tensor.head_stride);
}

// The rows of K or V that a tile walks over, last block first.
struct KeySequence {
  Global<const Element> data;
  i64 row_stride;
  int seqlen;
  int blocks;  // that the tile sees

  ATTUNE_FN int first_key(int step) const { return (blocks - 1 - step) * BLOCK_N; }

  // Starts loading the block of `step` unless there is none; the group is committed in any case, so that the
  // number of groups in flight does not depend on the step.
  ATTUNE_FN void load(Shared<Element> destination, int step) const {
    if (step < blocks) {
      const int first = first_key(step);
      load_tile<BLOCK_N, HEAD_DIM, kPaddedDim, kThreads>(destination, kRowElements, data + first * row_stride,
                                                         row_stride, seqlen - first);
    }
    copy_async_commit();
  }
};

ATTUNE_FN void rescale(Output& output, const float (&correction)[2 * kM]) {
  for (auto& panel : output.value) {
    ATTUNE_UNROLL
    for (int m = 0; m < kM; ++m) {
      for (auto& tile : panel[m]) {
        ATTUNE_UNROLL
        for (int e = 0; e < 4; ++e)
          tile[e] *= correction[2 * m + e / 2];
      }
    }
  }
}

ATTUNE_FN Shared<Element> k_slot(int step) {
  return dynamic_shared<Element>(kLayout.k_offset(step % STAGES));
}
ATTUNE_FN Shared<Element> v_slot(int step) {
  return dynamic_shared<Element>(kLayout.v_offset(step % STAGES));
}

// Walks over the visible keys. Groups of copies are committed in the order K0 V0 K1 V1 ..., each STAGES tiles
// ahead of its use, so that "at most 2 · STAGES - 2 groups in flight" means that the next tile to be used has
// arrived.
ATTUNE_FN void attend(Output& output, RowStatistics<kM>& rows, Query& query, const KeySequence& keys,
                      const KeySequence& values, const FlashFwdParams& params, int first_row, int warp_row) {
  keys.load(k_slot(0), 0);
  ATTUNE_UNROLL
  for (int step = 1; step < STAGES; ++step) {
    values.load(v_slot(step - 1), step - 1);
    keys.load(k_slot(step), step);
  }
  for (int step = 0; step < keys.blocks; ++step) {
    copy_async_wait<2 * STAGES - 2>();
    block_barrier();  // K has arrived for everybody; everybody is done with the V of the step before
    values.load(v_slot(step + STAGES - 1), step + STAGES - 1);
    if (step == 0) query.fetch();

    float score[kM][kN][4];
    multiply_queries_keys(score, query, k_slot(step), kRowElements);
    const int first_key = keys.first_key(step);
    if (block_needs_mask<BLOCK_N, kCausal>(first_row, first_key, params.seqlen_q, params.seqlen_kv)) {
      apply_mask<kCausal>(score, warp_row, first_key, params.seqlen_q, params.seqlen_kv);
    }
    float correction[2 * kM];
    exponentiate(score, rows, correction, params.scale_log2);
    rescale(output, correction);

    copy_async_wait<2 * STAGES - 2>();
    block_barrier();  // V has arrived for everybody; everybody is done with this K
    keys.load(k_slot(step + STAGES), step + STAGES);
    multiply_probabilities_values<Element>(output, score, v_slot(step), kRowElements);
  }
  copy_async_wait<0>();
}

ATTUNE_FN void store_statistics(const FlashFwdParams& params, const RowStatistics<kM>& rows,
                                const TileCoordinates& tile, int warp_row) {
  if (params.lse == nullptr || lane_index() % 4 != 0) return;
  const Global<float> lse = Global<float>(params.lse) +
                            (static_cast<i64>(tile.batch) * params.heads_q + tile.head) * params.seqlen_q;
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i) {
    const int row = warp_row + 8 * i + lane_index() / 4;
    if (row < params.seqlen_q) lse.store(row, log_sum_exp(rows.maximum[i], rows.sum[i], params.scale));
  }
}

}  // namespace attune

ATTUNE_KERNEL(flash_fwd, FlashFwdParams, 32 * WARPS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const TileCoordinates tile = tile_of_block<BLOCK_M, kCausal>(block_index(), params.q_tiles, params.heads_q);
  const int blocks =
      visible_key_blocks<BLOCK_M, BLOCK_N, kCausal>(tile.first_row, params.seqlen_q, params.seqlen_kv);
  const int warp_row = tile.first_row + 16 * kM * warp_index();

  const Global<const Element> q =
      head_of(params.q, tile.batch, tile.head) + tile.first_row * params.q.row_stride;
  const int kv_head = tile.head / params.heads_per_kv;
  const KeySequence keys{head_of(params.k, tile.batch, kv_head), params.k.row_stride, params.seqlen_kv,
                         blocks};
  const KeySequence values{head_of(params.v, tile.batch, kv_head), params.v.row_stride, params.seqlen_kv,
                           blocks};

  const Shared<Element> q_tile = dynamic_shared<Element>(kLayout.q_offset());
  const Shared<Element> warp_tile = q_tile + 16 * kM * warp_index() * kRowElements;
  Query query(warp_tile, kRowElements);
  Output output;
  RowStatistics<kM> rows;
  for (auto& panel : output.value)
    clear(panel);
  clear(rows);

  if (blocks > 0) {
    // Q joins the first group of copies.
    load_tile<BLOCK_M, HEAD_DIM, kPaddedDim, kThreads>(q_tile, kRowElements, q, params.q.row_stride,
                                                       params.seqlen_q - tile.first_row);
    attend(output, rows, query, keys, values, params, tile.first_row, warp_row);
  }

  quad_sum(rows.sum);
  float factor[2 * kM];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i)
    factor[i] = rows.sum[i] > 0 ? 1.0f / rows.sum[i] : 0.0f;
  const Global<Element> o = Global<Element>(static_cast<Element*>(params.o.data)) +
                            (tile.batch * params.o.batch_stride + tile.head * params.o.head_stride +
                             warp_row * params.o.row_stride);
  store_output<HEAD_DIM>(o, params.o.row_stride, output, factor, warp_tile, kRowElements,
                         params.seqlen_q - warp_row);
  store_statistics(params, rows, tile, warp_row);
}
