// flash_bwd_dkv: the gradients of keys and values, dV = P' · dO and dK = scale · dS' · Q (' transposes).
//
//            queries ->  one step takes BLOCK_M rows; the heads of the group come one after the other
//          +-------+-------+-------+
//  K, V    |       |       | P'    |   S'  = K · Q',   P'  = exp(scale · S' - lse)
//  BLOCK_N |       |  ---> | dS'   |   dP' = V · dO',  dS' = P' ∘ (dP' - delta)
//  keys    +-------+-------+-------+   dV += P' · dO,  dK += dS' · Q
//
// A block owns BLOCK_N keys of one kv head and each of its warps 16 or 32 of them, so that nothing is added
// to by two: no atomics, and the same bits at every run. Scores are computed transposed, since P' and dS'
// then are, in registers, what the second products take. Copies of Q, dO and row terms run STAGES - 1 tiles
// ahead.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 32  // query rows of a step (16, 32, 64, 128)
#endif
#ifndef BLOCK_N
#define BLOCK_N 64  // keys of a block: 16 or 32 for each warp
#endif
#ifndef WARPS
#define WARPS 4  // warps of a block
#endif
#ifndef STAGES
#define STAGES 1  // Q and dO tiles in flight (1, 2)
#endif
#ifndef KEYS_IN_REGISTERS
#define KEYS_IN_REGISTERS 0  // 1: fragments of K and V are loaded once and kept (16-bit elements only)
#endif
#ifndef SEPARATE
#define SEPARATE \
  0  // 1: a block computes dK or dV, for head dimensions whose two sums do not fit the registers
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

#include "attention/column_mask.cuh"
#include "attention/row_terms.cuh"
#include "attention/tensor_rows.cuh"
#include "attention/tile_order.cuh"
#include "flash_bwd_dkv.layout.h"
#include "flash_bwd_dkv.params.h"
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

constexpr FlashBwdDkvLayout kLayout{ELEMENT_BYTES, HEAD_DIM, HEAD_DIM_V,          BLOCK_M,
                                    BLOCK_N,       STAGES,   TENSOR_PRODUCTS != 0};
constexpr int kThreads = 32 * WARPS;
constexpr int kDim = kLayout.padded_dim();
constexpr int kDimV = kLayout.padded_dim_v();
constexpr int kN = BLOCK_N / (16 * WARPS);  // key fragments of a warp
constexpr int kM = BLOCK_M / 8;             // query tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_N % (16 * WARPS) == 0, "every warp owns whole fragments of 16 keys");
static_assert(BLOCK_M % 16 == 0, "queries are multiplied in steps of 16");

using TileK = SharedTile<Element, kLayout.k_row_chunks()>;  // of K, Q and dK
using TileV = SharedTile<Element, kLayout.v_row_chunks()>;  // of V, dO and dV
// The fixed operands of the first products, and the sums.
using FixedKeys = QueryFragment<Element, kN, kDim, kLayout.k_row_chunks(), KEYS_IN_REGISTERS != 0>;
using FixedValues = QueryFragment<Element, kN, kDimV, kLayout.v_row_chunks(), KEYS_IN_REGISTERS != 0>;
using SumDk = OutputFragment<Element, kN, kDim>;
using SumDv = OutputFragment<Element, kN, kDimV>;
template <int ROWS, int COLUMNS>
using Loader =
    TileLoader<ROWS, COLUMNS, kLayout.padded(COLUMNS), kThreads, Element, kLayout.row_chunks(COLUMNS)>;

struct Memory {
  Shared<Element> start;

  ATTUNE_FN TileK k() const { return {start + kLayout.k_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileV v() const { return {start + kLayout.v_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileK q(int step) const { return {start + kLayout.q_offset(step % STAGES) / ELEMENT_BYTES}; }
  ATTUNE_FN TileV dout(int step) const {
    return {start + kLayout.dout_offset(step % STAGES) / ELEMENT_BYTES};
  }
};
ATTUNE_FN Shared<Real> terms_of(const Shared<Real>& start, int step) {
  return start + kLayout.terms_offset(step % STAGES) / static_cast<int>(sizeof(Real));
}

// The blocks of queries that see a block of keys: of each head of the group, from the first that does to the
// last.
struct QueryBlocks {
  int first_head;
  int first_block;
  int blocks_of_head;

  ATTUNE_FN QueryBlocks(const FlashBwdDkvParams& params, const TileCoordinates& keys)
      : first_head(keys.head * params.heads_per_kv),
        first_block(first_seeing_block<BLOCK_M, kCausal>(keys.first_row, params.diagonal)) {
    const int blocks = (params.seqlen_q + BLOCK_M - 1) / BLOCK_M - first_block;
    blocks_of_head = blocks > 0 ? blocks : 0;
  }
  ATTUNE_FN int steps(const FlashBwdDkvParams& params) const { return blocks_of_head * params.heads_per_kv; }
  ATTUNE_FN int head(int step) const { return first_head + step / blocks_of_head; }
  ATTUNE_FN int first_row(int step) const { return (first_block + step % blocks_of_head) * BLOCK_M; }
};

// Starts loading what a step needs, if there is such a step; the group is committed in any case.
ATTUNE_FN void load_step(const FlashBwdDkvParams& params, const Memory& memory, const Shared<Real>& all_terms,
                         const QueryBlocks& queries, int batch, int step) {
  if (step < queries.steps(params)) {
    const int head = queries.head(step), row = queries.first_row(step), valid = params.seqlen_q - row;
    Loader<BLOCK_M, HEAD_DIM>(row_of<Element>(params.q, batch, head, row), params.q.row_stride,
                              is_aligned(params, 0))
        .load(memory.q(step), valid);
    Loader<BLOCK_M, HEAD_DIM_V>(row_of<Element>(params.dout, batch, head, row), params.dout.row_stride,
                                is_aligned(params, 3))
        .load(memory.dout(step), valid);
    load_row_terms<BLOCK_M, kThreads>(
        terms_of(all_terms, step),
        row_terms_of<Real>(params.row_terms, batch * params.heads_q + head, params.padded_rows, row));
  }
  copy_async_commit();
}

// One step: scores of the block's keys with the queries in `slot` of the rings, and what they add to the
// sums.
template <bool DK, bool DV>
ATTUNE_FN void add_step(SumDk& dk, SumDv& dv, FixedKeys& keys, FixedValues& values, const Memory& memory,
                        const Shared<Real>& terms, int step, int warp_key, int first_row, Real scale_log2,
                        int diagonal) {
  Real score[kN][kM][4];
  Real gradient[kN][kM][4];
  multiply_queries_keys(score, keys, memory.q(step));
  if constexpr (DK) multiply_queries_keys(gradient, values, memory.dout(step));
  if constexpr (kCausal) apply_column_mask(score, warp_key, first_row, diagonal);
  ATTUNE_UNROLL
  for (int first = 0; first < kM; first += kProductTiles) {
    differentiate_columns<kProductTiles, DK>(score, gradient, first, terms, scale_log2);
    if constexpr (DV) multiply_probabilities_values(dv, score, first, memory.dout(step));
    if constexpr (DK) multiply_probabilities_values(dk, gradient, first, memory.q(step));
  }
}

template <int COLUMNS, typename Sum, typename Tile>
ATTUNE_FN void store_gradient(const FlashTensor& tensor, bool aligned, const TileCoordinates& tile,
                              const Sum& sum, const Tile& staging, Real factor, int first_key,
                              int seqlen_kv) {
  if (tensor.data == nullptr) return;
  Real factors[2 * kN];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kN; ++i)
    factors[i] = factor;
  warp_barrier();  // all lanes are done with the rows that are written over
  stage_output(staging, sum, factors);
  RowStore<16 * kN, COLUMNS, Element, kLayout.row_chunks(COLUMNS)>::run(
      output_row_of<Element>(tensor, tile.batch, tile.head, first_key), tensor.row_stride, aligned, staging,
      seqlen_kv - first_key);
}

// The gradients of a block of keys: both, or one of them.
template <bool DK, bool DV>
ATTUNE_FN void run_block(const FlashBwdDkvParams& params, const TileCoordinates& tile, const Memory& memory,
                         const Shared<Real>& all_terms) {
  const QueryBlocks queries(params, tile);
  const int steps = queries.steps(params);
  const int warp_rows = 16 * kN * warp_index();  // of the block, before this warp's
  const Real scale_log2 = scale_log2_of<Real>(params);
  FixedKeys keys(memory.k().from_row(warp_rows));
  FixedValues values(memory.v().from_row(warp_rows));
  SumDk dk;
  SumDv dv;
  for (auto& panel : dk.value)
    clear(panel);
  for (auto& panel : dv.value)
    clear(panel);

  if (steps > 0) {
    // K and V join the first group of copies.
    const int valid = params.seqlen_kv - tile.first_row;
    Loader<BLOCK_N, HEAD_DIM>(row_of<Element>(params.k, tile.batch, tile.head, tile.first_row),
                              params.k.row_stride, is_aligned(params, 1))
        .load(memory.k(), valid);
    if constexpr (DK) {
      Loader<BLOCK_N, HEAD_DIM_V>(row_of<Element>(params.v, tile.batch, tile.head, tile.first_row),
                                  params.v.row_stride, is_aligned(params, 2))
          .load(memory.v(), valid);
    }
  }
  ATTUNE_UNROLL
  for (int step = 0; step < STAGES - 1; ++step)
    load_step(params, memory, all_terms, queries, tile.batch, step);
  ATTUNE_NO_UNROLL
  for (int step = 0; step < steps; ++step) {
    if constexpr (STAGES == 1) {
      if (step > 0) block_barrier();  // everybody is done with the step before, whose place this one takes
      load_step(params, memory, all_terms, queries, tile.batch, step);
    }
    copy_async_wait<STAGES == 1 ? 0 : STAGES - 2>();
    block_barrier();  // the step's tiles have arrived for everybody; everybody is done with the step before
    if constexpr (STAGES > 1) load_step(params, memory, all_terms, queries, tile.batch, step + STAGES - 1);
    if (step == 0) {
      keys.fetch();
      if constexpr (DK) values.fetch();
    }
    add_step<DK, DV>(dk, dv, keys, values, memory, terms_of(all_terms, step), step,
                     tile.first_row + warp_rows, queries.first_row(step), scale_log2, params.diagonal);
  }
  copy_async_wait<0>();

  // A warp reads no rows of K and V but its own: no other need wait before it writes to their places.
  const int first_key = tile.first_row + warp_rows;
  if constexpr (DV) {
    store_gradient<HEAD_DIM_V>(params.dv, is_aligned(params, 5), tile, dv, memory.v().from_row(warp_rows),
                               Real(1), first_key, params.seqlen_kv);
  }
  if constexpr (DK) {
    store_gradient<HEAD_DIM>(params.dk, is_aligned(params, 4), tile, dk, memory.k().from_row(warp_rows),
                             scale_of<Real>(params), first_key, params.seqlen_kv);
  }
}

}  // namespace attune

ATTUNE_KERNEL(flash_bwd_dkv, FlashBwdDkvParams, 32 * WARPS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const Memory memory{dynamic_shared<Element>(0)};
  const Shared<Real> all_terms = dynamic_shared<Real>(0);
  u32 block = static_cast<u32>(block_index());
  // dK, which has one product more, comes first, so that dV fills the end of the launch.
  const bool second_part = SEPARATE != 0 && block >= static_cast<u32>(params.part_blocks);
  if (second_part) block -= static_cast<u32>(params.part_blocks);
  // The first keys have the most queries under a causal mask, and start first.
  const TileCoordinates tile = tile_of_block<BLOCK_N, false>(block, params.kv_tiles, params.heads_kv);
  if constexpr (SEPARATE == 0) {
    run_block<true, true>(params, tile, memory, all_terms);
  } else if (second_part || params.dk.data == nullptr) {
    run_block<false, true>(params, tile, memory, all_terms);
  } else {
    run_block<true, false>(params, tile, memory, all_terms);
  }
}
