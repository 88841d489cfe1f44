// flash_bwd_dq: the gradient of queries, dQ = scale · dS · K.
//
//            keys ->  one step takes BLOCK_N keys, from the first to the last visible block
//          +-------+-------+-------+
//  Q, dO   |       |       | P     |   S  = Q · K',   P  = exp(scale · S - lse)
//  BLOCK_M |       |  ---> | dS    |   dP = dO · V',  dS = P ∘ (dP - delta)
//  rows    +-------+-------+-------+   dQ += dS · K
//
// A block owns BLOCK_M query rows of one head and each of its warps 16 or 32 of them, so that nothing is
// added to by two: no atomics, and the same bits at every run. Copies of K and V run STAGES - 1 tiles ahead.
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
#ifndef QUERIES_IN_REGISTERS
#define QUERIES_IN_REGISTERS 0  // 1: fragments of Q and dO are loaded once and kept (16-bit elements only)
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
#define HEAD_DIM_V HEAD_DIM  // of v and dout
#endif
#ifndef CAUSAL_MASK
#define CAUSAL_MASK 0  // 1: row i sees keys 0 to i + params.diagonal
#endif

#include "attention/mask.cuh"
#include "attention/row_terms.cuh"
#include "attention/tensor_rows.cuh"
#include "attention/tile_order.cuh"
#include "flash_bwd_dq.layout.h"
#include "flash_bwd_dq.params.h"
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
using Real = RealOf<Element>;

constexpr FlashBwdDqLayout kLayout{ELEMENT_BYTES, HEAD_DIM, HEAD_DIM_V,          BLOCK_M,
                                   BLOCK_N,       STAGES,   TENSOR_PRODUCTS != 0};
constexpr int kThreads = 32 * WARPS;
constexpr int kDim = kLayout.padded_dim();
constexpr int kDimV = kLayout.padded_dim_v();
constexpr int kM = BLOCK_M / (16 * WARPS);  // row fragments of a warp
constexpr int kN = BLOCK_N / 8;             // key tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_M % (16 * WARPS) == 0, "every warp owns whole fragments of 16 rows");
static_assert(BLOCK_N % 16 == 0, "keys are multiplied in steps of 16");
static_assert(RowTermsLayout::kRowMultiple % BLOCK_M == 0, "every row of a tile has terms");

using TileK = SharedTile<Element, kLayout.k_row_chunks()>;  // of Q, K and dQ
using TileV = SharedTile<Element, kLayout.v_row_chunks()>;  // of dO and V
using Query = QueryFragment<Element, kM, kDim, kLayout.k_row_chunks(), QUERIES_IN_REGISTERS != 0>;
using Dout = QueryFragment<Element, kM, kDimV, kLayout.v_row_chunks(), QUERIES_IN_REGISTERS != 0>;
using Sum = OutputFragment<Element, kM, kDim>;
template <int ROWS, int COLUMNS>
using Loader =
    TileLoader<ROWS, COLUMNS, kLayout.padded(COLUMNS), kThreads, Element, kLayout.row_chunks(COLUMNS)>;

struct Memory {
  Shared<Element> start;

  ATTUNE_FN TileK q() const { return {start + kLayout.q_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileV dout() const { return {start + kLayout.dout_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileK k(int step) const { return {start + kLayout.k_offset(step % STAGES) / ELEMENT_BYTES}; }
  ATTUNE_FN TileV v(int step) const { return {start + kLayout.v_offset(step % STAGES) / ELEMENT_BYTES}; }
};

// The keys and values that a tile of queries walks over.
struct KeyBlocks {
  Global<const Element> k, v;  // their row 0
  int steps;

  ATTUNE_FN KeyBlocks(const FlashBwdDqParams& params, const TileCoordinates& tile)
      : k(row_of<Element>(params.k, tile.batch, tile.head / params.heads_per_kv, 0)),
        v(row_of<Element>(params.v, tile.batch, tile.head / params.heads_per_kv, 0)),
        steps(visible_key_blocks<BLOCK_M, BLOCK_N, kCausal>(tile.first_row, params.seqlen_q, params.seqlen_kv,
                                                            params.diagonal)) {}

  // Starts loading the block of a step, if there is such a step; the group is committed in any case.
  ATTUNE_FN void load(const FlashBwdDqParams& params, const Memory& memory, int step) const {
    if (step < steps) {
      const i64 key = static_cast<i64>(step) * BLOCK_N;
      const int valid = params.seqlen_kv - step * BLOCK_N;
      Loader<BLOCK_N, HEAD_DIM>(k + key * params.k.row_stride, params.k.row_stride, is_aligned(params, 1))
          .load(memory.k(step), valid);
      Loader<BLOCK_N, HEAD_DIM_V>(v + key * params.v.row_stride, params.v.row_stride, is_aligned(params, 2))
          .load(memory.v(step), valid);
    }
    copy_async_commit();
  }
};

// One step: scores of the warp's rows with the keys in the rings, and what they add to the sum.
ATTUNE_FN void add_step(Sum& sum, Query& query, Dout& dout, const RowTerms<Real, kM>& terms,
                        const FlashBwdDqParams& params, const Memory& memory, int step, int first_row,
                        int warp_row) {
  Real score[kM][kN][4];
  Real gradient[kM][kN][4];
  multiply_queries_keys(score, query, memory.k(step));
  multiply_queries_keys(gradient, dout, memory.v(step));
  const int first_key = step * BLOCK_N;
  if (block_needs_mask<BLOCK_N, kCausal>(first_row, first_key, params.seqlen_kv, params.diagonal))
    apply_mask<kCausal>(score, warp_row, first_key, params.seqlen_kv, params.diagonal);
  ATTUNE_UNROLL
  for (int first = 0; first < kN; first += kProductTiles) {
    differentiate_rows<kProductTiles>(score, gradient, first, terms, scale_log2_of<Real>(params));
    multiply_probabilities_values(sum, gradient, first, memory.k(step));
  }
}

// Walks over the visible keys, of which there are some.
ATTUNE_FN void add_keys(Sum& sum, const FlashBwdDqParams& params, const TileCoordinates& tile,
                        const KeyBlocks& blocks, const Memory& memory, int warp_rows) {
  Query query(memory.q().from_row(warp_rows));
  Dout dout(memory.dout().from_row(warp_rows));
  // Q and dO join the first group of copies.
  const int valid = params.seqlen_q - tile.first_row;
  Loader<BLOCK_M, HEAD_DIM>(row_of<Element>(params.q, tile.batch, tile.head, tile.first_row),
                            params.q.row_stride, is_aligned(params, 0))
      .load(memory.q(), valid);
  Loader<BLOCK_M, HEAD_DIM_V>(row_of<Element>(params.dout, tile.batch, tile.head, tile.first_row),
                              params.dout.row_stride, is_aligned(params, 3))
      .load(memory.dout(), valid);
  RowTerms<Real, kM> terms;
  load_row_terms(terms, row_terms_of<Real>(params.row_terms, tile.batch * params.heads_q + tile.head,
                                           params.padded_rows, tile.first_row + warp_rows));
  ATTUNE_UNROLL
  for (int step = 0; step < STAGES - 1; ++step)
    blocks.load(params, memory, step);
  ATTUNE_NO_UNROLL
  for (int step = 0; step < blocks.steps; ++step) {
    if constexpr (STAGES == 1) {
      if (step > 0) block_barrier();  // everybody is done with the step before, whose place this one takes
      blocks.load(params, memory, step);
    }
    copy_async_wait<STAGES == 1 ? 0 : STAGES - 2>();
    block_barrier();  // the step's tiles have arrived for everybody; everybody is done with the step before
    if constexpr (STAGES > 1) blocks.load(params, memory, step + STAGES - 1);
    if (step == 0) {
      query.fetch();
      dout.fetch();
    }
    add_step(sum, query, dout, terms, params, memory, step, tile.first_row, tile.first_row + warp_rows);
  }
  copy_async_wait<0>();
}

}  // namespace attune

ATTUNE_KERNEL(flash_bwd_dq, FlashBwdDqParams, 32 * WARPS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const TileCoordinates tile =
      tile_of_block<BLOCK_M, kCausal>(static_cast<u32>(block_index()), params.q_tiles, params.heads_q);
  const Memory memory{dynamic_shared<Element>(0)};
  const int warp_rows = 16 * kM * warp_index();  // of the tile, before this warp's
  Sum sum;
  for (auto& panel : sum.value)
    clear(panel);
  const KeyBlocks blocks(params, tile);
  if (blocks.steps > 0) add_keys(sum, params, tile, blocks, memory, warp_rows);

  Real factor[2 * kM];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i)
    factor[i] = scale_of<Real>(params);
  // A warp reads no rows of Q but its own: no other need wait before it writes to their place.
  warp_barrier();
  const TileK staging = memory.q().from_row(warp_rows);
  stage_output(staging, sum, factor);
  const int first_row = tile.first_row + warp_rows;
  RowStore<16 * kM, HEAD_DIM, Element, kLayout.k_row_chunks()>::run(
      output_row_of<Element>(params.dq, tile.batch, tile.head, first_row), params.dq.row_stride,
      is_aligned(params, 4), staging, params.seqlen_q - first_row);
}
