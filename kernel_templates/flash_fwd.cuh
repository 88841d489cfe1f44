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
// of the products; all threads make them, or with TENSOR_COPIES one thread tells the copy engine to.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 64  // query rows of a block: 16 or 32 for each warp
#endif
#ifndef BLOCK_N
#define BLOCK_N 64  // keys of a step: a multiple of 16
#endif
#ifndef WARPS
#define WARPS 4  // warps of a block
#endif
#ifndef STAGES
#define STAGES 1  // K and V tiles in flight (1, 2)
#endif
#ifndef Q_IN_REGISTERS
#define Q_IN_REGISTERS 0  // 1: Q fragments are loaded once and kept (16-bit elements only)
#endif
#ifndef KEEP_PLACES
#define KEEP_PLACES 0  // 1: threads keep their places in K and V in registers
#endif
#ifndef TENSOR_COPIES
#define TENSOR_COPIES 0  // 1: the copy engine of sm_90 and later brings K and V, where it can
#endif
#ifndef TENSOR_PRODUCTS
#define TENSOR_PRODUCTS 0  // 1: f32 products on tensor cores, each as three of TF32
#endif

// The problem.
#ifndef ELEMENT
#define ELEMENT bf16  // f16, bf16, float or double
#define ELEMENT_BYTES 2
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 64  // of q and k
#endif
#ifndef HEAD_DIM_V
#define HEAD_DIM_V HEAD_DIM  // of v and o
#endif
#ifndef CAUSAL_MASK
#define CAUSAL_MASK 0  // 1: row i sees keys 0 to i + params.diagonal
#endif

#include "attention/mask.cuh"
#include "attention/softmax.cuh"
#include "attention/tile_order.cuh"
#include "flash_fwd.layout.h"
#include "flash_fwd.params.h"
#include "isa/isa.cuh"
#include "tile/fragment.cuh"
#include "tile/load.cuh"
#include "tile/store.cuh"
#if ELEMENT_BYTES == 2
#include "tile/products_mma.cuh"
#elif TENSOR_PRODUCTS
#include "tile/products_tf32.cuh"
#else
#include "tile/products_fma.cuh"
#endif

namespace attune {

using Element = ELEMENT;
#if ELEMENT_BYTES == 8
using Real = double;  // of scores, statistics and sums
#else
using Real = float;
#endif

constexpr FlashFwdLayout kLayout{ELEMENT_BYTES, HEAD_DIM, HEAD_DIM_V,         BLOCK_M,
                                 BLOCK_N,       STAGES,   TENSOR_COPIES != 0, TENSOR_PRODUCTS != 0};
constexpr int kThreads = 32 * WARPS;
constexpr int kDim = kLayout.padded_dim();
constexpr int kDimV = kLayout.padded_dim_v();
constexpr int kM = BLOCK_M / (16 * WARPS);  // row fragments of a warp
constexpr int kN = BLOCK_N / 8;             // key tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_M % (16 * WARPS) == 0, "every warp owns whole fragments of 16 rows");
static_assert(BLOCK_N % 16 == 0, "keys are multiplied in steps of 16");

using QueryTile = SharedTile<Element, kLayout.k_row_chunks()>;
constexpr int kPanelRows = TENSOR_COPIES ? BLOCK_N : 0;
using KeyTile = SharedTile<Element, kLayout.k_row_chunks(), kPanelRows>;
using ValueTile = SharedTile<Element, kLayout.v_row_chunks(), kPanelRows>;
using OutputTile = SharedTile<Element, kLayout.v_row_chunks()>;  // in the place of Q
using Query = QueryFragment<Element, kM, kDim, kLayout.k_row_chunks(), Q_IN_REGISTERS != 0>;
using Output = OutputFragment<Element, kM, kDimV>;
using Statistics = RowStatistics<Real, kM>;

ATTUNE_FN bool is_aligned(const FlashFwdParams& params, int tensor) {
  return (params.aligned >> tensor & 1u) != 0;
}
ATTUNE_FN Real scale_of(const FlashFwdParams& params) {
  return sizeof(Real) == 8 ? static_cast<Real>(params.scale_f64) : static_cast<Real>(params.scale);
}
ATTUNE_FN Real scale_log2_of(const FlashFwdParams& params) {
  return sizeof(Real) == 8 ? static_cast<Real>(params.scale_log2_f64) : static_cast<Real>(params.scale_log2);
}

// Of a tile of K or V with so many columns.
template <int COLUMNS>
ATTUNE_FN constexpr int tile_elements() {
  return BLOCK_N * kLayout.row_chunks(COLUMNS) * 16 / ELEMENT_BYTES;
}

// Element 0 of row `row` of a head.
ATTUNE_FN Global<const Element> row_of(const FlashTensor& tensor, int batch, int head, int row) {
  const i64 offset = batch * tensor.batch_stride + head * tensor.head_stride + row * tensor.row_stride;
  return Global<const Element>(static_cast<const Element*>(tensor.data)) + offset;
}

// The blocks of K or V that a tile walks over, last block first, on their way into a ring of STAGES tiles:
// block `step` of them goes into slot step % STAGES. Here all threads copy, and a block has arrived for
// everybody when each has waited (copy_async_wait) and they have met at a block barrier.
template <int COLUMNS, int PADDED, typename Tile>
struct CopiedBlocks {
  using Loader = TileLoader<BLOCK_N, COLUMNS, PADDED, kThreads, Element, kLayout.row_chunks(COLUMNS)>;
  Shared<Element> ring;
  Global<const Element> head;  // its row 0
  i64 row_stride;
  bool aligned;
  int blocks;
  int seqlen;
  Loader loader;  // at the next block

  ATTUNE_FN CopiedBlocks(Shared<Element> ring, Shared<u64>, const TensorMap&, const FlashTensor& tensor,
                         bool is_aligned, int blocks, int seqlen, int kv_head, int batch)
      : ring(ring),
        head(row_of(tensor, batch, kv_head, 0)),
        row_stride(tensor.row_stride),
        aligned(is_aligned),
        blocks(blocks),
        seqlen(seqlen),
        loader(head + (blocks - 1) * BLOCK_N * row_stride, row_stride, is_aligned) {}

  ATTUNE_FN Tile tile(int step) const { return {ring + step % STAGES * tile_elements<COLUMNS>()}; }

  // Starts copying block `step`, if there is one; blocks come in order. The group is committed in any case,
  // so that the number of groups in flight does not depend on the step.
  ATTUNE_FN void load(int step) {
    const int first_key = (blocks - 1 - step) * BLOCK_N;
    if (first_key >= 0) {
      if constexpr (KEEP_PLACES != 0) {
        loader.load(tile(step), seqlen - first_key);
        loader.move(-BLOCK_N);
      } else {
        Loader(head + first_key * row_stride, row_stride, aligned).load(tile(step), seqlen - first_key);
      }
    }
    copy_async_commit();
  }
  ATTUNE_FN void await(int, u32) const {}
};

// The same, brought by the copy engine: one thread tells it to, and who has awaited a block may read it.
template <int COLUMNS, int PADDED, typename Tile>
struct TensorBlocks {
  static constexpr u32 kTileBytes = tile_elements<COLUMNS>() * ELEMENT_BYTES;
  Shared<Element> ring;
  Shared<u64> barriers;  // of the slots
  const TensorMap& map;
  int blocks;
  int kv_head;
  int batch;

  ATTUNE_FN TensorBlocks(Shared<Element> ring, Shared<u64> barriers, const TensorMap& map, const FlashTensor&,
                         bool, int blocks, int, int kv_head, int batch)
      : ring(ring), barriers(barriers), map(map), blocks(blocks), kv_head(kv_head), batch(batch) {}

  ATTUNE_FN Tile tile(int step) const { return {ring + step % STAGES * tile_elements<COLUMNS>()}; }

  ATTUNE_FN void init_barriers() const {
    ATTUNE_UNROLL
    for (int slot = 0; slot < STAGES; ++slot)
      mbarrier_init(barriers + slot);
  }
  ATTUNE_FN void load(int step) const {
    if (step < blocks && thread_index() == 0) {
      mbarrier_expect(barriers + step % STAGES, kTileBytes);
      copy_tensor(tile(step).data, map, barriers + step % STAGES, (blocks - 1 - step) * BLOCK_N, kv_head,
                  batch);
    }
  }
  // `phase` alternates with every turn of the ring.
  ATTUNE_FN void await(int step, u32 phase) const { mbarrier_wait(barriers + step % STAGES, phase); }
};

#if TENSOR_COPIES
using Keys = TensorBlocks<HEAD_DIM, kDim, KeyTile>;
using Values = TensorBlocks<HEAD_DIM_V, kDimV, ValueTile>;
#else
using Keys = CopiedBlocks<HEAD_DIM, kDim, KeyTile>;
using Values = CopiedBlocks<HEAD_DIM_V, kDimV, ValueTile>;
#endif

ATTUNE_FN void rescale(Output& output, const Real (&correction)[2 * kM]) {
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

// P = exp(S), O = O + P · V, sixteen keys at a time: while the tensor cores multiply some, the exponentials
// of the next are computed.
ATTUNE_FN void add_values(Output& output, Real (&score)[kM][kN][4], Statistics& rows, const ValueTile& values,
                          Real scale_log2) {
  Real offset[2 * kM];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i)
    offset[i] = offset_of(rows.maximum[i], scale_log2);
  ATTUNE_UNROLL
  for (int first = 0; first < kN; first += kProductTiles) {
    exponentiate<kProductTiles>(score, first, rows, offset, scale_log2);
    multiply_probabilities_values(output, score, first, values);
  }
}

// Walks over the visible keys. Groups of copies are committed in the order K0 V0 K1 V1 ..., each STAGES tiles
// ahead of its use, so that "at most 2 · STAGES - 2 groups in flight" means that the next tile to be used has
// arrived. Tensor copies go the same way; what is awaited there are their barriers.
ATTUNE_FN void attend(Output& output, Statistics& rows, Query& query, Keys& keys, Values& values,
                      const FlashFwdParams& params, int blocks, int first_row, int warp_row) {
  const Real scale_log2 = scale_log2_of(params);
  keys.load(0);
  ATTUNE_UNROLL
  for (int step = 1; step < STAGES; ++step) {
    values.load(step - 1);
    keys.load(step);
  }
  u32 phase = 0;  // NOTE: computed from `step` instead, it made ptxas move all accumulators in every step
  ATTUNE_NO_UNROLL
  for (int step = 0; step < blocks; ++step) {
    if constexpr (TENSOR_COPIES == 0) copy_async_wait<2 * STAGES - 2>();
    block_barrier();  // K has arrived for everybody; everybody is done with the V of the step before
    values.load(step + STAGES - 1);
    if (step == 0) query.fetch();
    keys.await(step, phase);
    Real score[kM][kN][4];
    multiply_queries_keys(score, query, keys.tile(step));

    // The second barrier comes before the softmax: nothing then stands between exponentials and products.
    if constexpr (TENSOR_COPIES == 0) copy_async_wait<2 * STAGES - 2>();
    block_barrier();  // V has arrived for everybody; everybody is done with this K
    keys.load(step + STAGES);
    const int first_key = (blocks - 1 - step) * BLOCK_N;
    if (block_needs_mask<BLOCK_N, kCausal>(first_row, first_key, params.seqlen_kv, params.diagonal)) {
      apply_mask<kCausal>(score, warp_row, first_key, params.seqlen_kv, params.diagonal);
    }
    Real correction[2 * kM];
    if (raise_maximum(score, rows, correction, scale_log2)) rescale(output, correction);
    values.await(step, phase);
    add_values(output, score, rows, values.tile(step), scale_log2);
    if ((step + 1) % STAGES == 0) phase ^= 1;
  }
  copy_async_wait<0>();
}

ATTUNE_FN void store_statistics(const FlashFwdParams& params, const Statistics& rows,
                                const TileCoordinates& tile, int warp_row) {
  if (params.lse == nullptr || lane_index() % 4 != 0) return;
  const Global<Real> lse = Global<Real>(static_cast<Real*>(params.lse)) +
                           (static_cast<i64>(tile.batch) * params.heads_q + tile.head) * params.seqlen_q;
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i) {
    const int row = warp_row + 8 * i + lane_index() / 4;
    if (row < params.seqlen_q) {
      lse.store(row, log_sum_exp(rows.maximum[i], rows.sum[i], scale_of(params)));
    }
  }
}

}  // namespace attune

ATTUNE_KERNEL(flash_fwd, FlashFwdParams, 32 * WARPS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const TileCoordinates tile =
      tile_of_block<BLOCK_M, kCausal>(static_cast<u32>(block_index()), params.q_tiles, params.heads_q);
  const int blocks = visible_key_blocks<BLOCK_M, BLOCK_N, kCausal>(tile.first_row, params.seqlen_q,
                                                                   params.seqlen_kv, params.diagonal);
  const int warp_rows = 16 * kM * warp_index();  // of the tile, before this warp's
  const Shared<Element> memory = dynamic_shared<Element>(0);
  const QueryTile q_tile{memory + kLayout.q_offset() / ELEMENT_BYTES};
  Query query(q_tile.from_row(warp_rows));
  Output output;
  Statistics rows;
  for (auto& panel : output.value)
    clear(panel);
  clear(rows);

  if (blocks > 0) {
    // Q joins the first group of copies.
    const TileLoader<BLOCK_M, HEAD_DIM, kDim, kThreads, Element, kLayout.k_row_chunks()> queries(
        row_of(params.q, tile.batch, tile.head, tile.first_row), params.q.row_stride, is_aligned(params, 0));
    queries.load(q_tile, params.seqlen_q - tile.first_row);
    const int kv_head = tile.head / params.heads_per_kv;
    const Shared<u64> words = memory.as<u64>();
    Keys keys(memory + kLayout.k_offset(0) / ELEMENT_BYTES, words + kLayout.k_barrier_offset(0) / 8,
              params.k_map, params.k, is_aligned(params, 1), blocks, params.seqlen_kv, kv_head, tile.batch);
    Values values(memory + kLayout.v_offset(0) / ELEMENT_BYTES, words + kLayout.v_barrier_offset(0) / 8,
                  params.v_map, params.v, is_aligned(params, 2), blocks, params.seqlen_kv, kv_head,
                  tile.batch);
#if TENSOR_COPIES
    copy_async_commit();
    copy_async_wait<0>();  // Q is there for everybody after the first block barrier
    if (thread_index() == 0) {
      keys.init_barriers();
      values.init_barriers();
      mbarrier_init_fence();
    }
#endif
    attend(output, rows, query, keys, values, params, blocks, tile.first_row, tile.first_row + warp_rows);
  }

  quad_sum(rows.sum);
  Real factor[2 * kM];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i)
    factor[i] = rows.sum[i] == 0 ? Real(0) : 1 / rows.sum[i];
  // NOTE: Q's place is divided among the warps anew where rows of O are longer or shorter than those of Q.
  if constexpr (kLayout.k_row_chunks() != kLayout.v_row_chunks()) block_barrier();
  const OutputTile staging = OutputTile{q_tile.data}.from_row(warp_rows);
  stage_output(staging, output, factor);
  const int first_row = tile.first_row + warp_rows;
  const Global<Element> o = Global<Element>(static_cast<Element*>(params.o.data)) +
                            (tile.batch * params.o.batch_stride + tile.head * params.o.head_stride +
                             first_row * params.o.row_stride);
  RowStore<16 * kM, HEAD_DIM_V, Element, kLayout.v_row_chunks()>::run(
      o, params.o.row_stride, is_aligned(params, 3), staging, params.seqlen_q - first_row);
  store_statistics(params, rows, tile, first_row);
}
