// flash_bwd_dq_sm90: what flash_bwd_dq computes, by the warpgroup products and the copy engine of sm_90a.
//
//            keys ->  one step takes BLOCK_N keys, from the first to the last visible block
//          +-------+-------+-------+
//  Q, dO   |       |       | P     |   S  = Q · K',   P  = exp(scale · S - lse)
//  BLOCK_M |       |  ---> | dS    |   dP = dO · V',  dS = P ∘ (dP - delta)
//  rows    +-------+-------+-------+   dQ += dS · K
//
// A block owns BLOCK_M query rows of one head, each of its consumer warpgroups 64 of them: nothing is added
// to by two, so there are no atomics, and the same bits at every run. The first warpgroup is the producer:
// one of its threads has K and V copied into rings. Consumers meet nobody but through the rings, so that one
// computes exponentials while the products of another run.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 128  // query rows of a block: 64 for each consumer warpgroup
#endif
#ifndef BLOCK_N
#define BLOCK_N 64  // keys of a step (a multiple of 32)
#endif
#ifndef STAGES
#define STAGES 2  // K and V tiles in flight
#endif

// The problem.
#ifndef ELEMENT
#define ELEMENT bf16  // f16 or bf16
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
#include "flash_bwd_dq_sm90.layout.h"
#include "flash_bwd_dq_sm90.params.h"
#include "isa/isa.cuh"
#include "tile/products_warpgroup.cuh"
#include "tile/ring.cuh"
#include "tile/store.cuh"

namespace attune {

using Element = ELEMENT;

constexpr FlashBwdDqSm90Layout kLayout{HEAD_DIM, HEAD_DIM_V, BLOCK_M, BLOCK_N, STAGES};
constexpr int kConsumers = BLOCK_M / kWarpgroupRows;  // warpgroups
constexpr int kN = BLOCK_N / 8;                       // key tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_M % kWarpgroupRows == 0, "every consumer owns 64 rows");

using TileQ = PanelTile<Element, HEAD_DIM, BLOCK_M>;
using TileDout = PanelTile<Element, HEAD_DIM_V, BLOCK_M>;
using TileK = PanelTile<Element, HEAD_DIM, BLOCK_N>;
using TileV = PanelTile<Element, HEAD_DIM_V, BLOCK_N>;
using Position = RingPosition<STAGES>;
using Barriers = RingBarriers<STAGES>;

struct Memory {
  Shared<Element> start;

  ATTUNE_FN TileQ q() const { return {start + kLayout.q_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileDout dout() const { return {start + kLayout.dout_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileK k(int slot) const {
    return {start + (kLayout.k_offset(0) / ELEMENT_BYTES + slot * (kLayout.k_tile_bytes() / ELEMENT_BYTES))};
  }
  ATTUNE_FN TileV v(int slot) const {
    return {start + (kLayout.v_offset(0) / ELEMENT_BYTES + slot * (kLayout.v_tile_bytes() / ELEMENT_BYTES))};
  }
  // Of Q and dO.
  ATTUNE_FN Shared<u64> fixed_barrier() const { return start.as<u64>() + kLayout.fixed_barrier_offset() / 8; }
  ATTUNE_FN Barriers k_barriers() const { return {start.as<u64>() + kLayout.k_barriers_offset() / 8}; }
  ATTUNE_FN Barriers v_barriers() const { return {start.as<u64>() + kLayout.v_barriers_offset() / 8}; }
};

// Has everything copied that the consumers use, in the order of their use. One thread does it.
ATTUNE_FN void produce(const FlashBwdDqSm90Params& params, const TileCoordinates& tile, int steps,
                       const Memory& memory) {
  if (steps == 0) return;
  mbarrier_expect(memory.fixed_barrier(), 2 * BLOCK_M * (HEAD_DIM + HEAD_DIM_V));
  copy_tensor(memory.q().data, params.q_map, memory.fixed_barrier(), tile.first_row, tile.head, tile.batch);
  copy_tensor(memory.dout().data, params.dout_map, memory.fixed_barrier(), tile.first_row, tile.head,
              tile.batch);
  const int kv_head = tile.head / params.problem.heads_per_kv;
  Position at;
  ATTUNE_NO_UNROLL
  for (int step = 0; step < steps; ++step) {
    const Barriers k = memory.k_barriers(), v = memory.v_barriers();
    k.await_empty(at);
    mbarrier_expect(k.full(at), kLayout.k_tile_bytes());
    copy_tensor(memory.k(at.slot).data, params.k_map, k.full(at), step * BLOCK_N, kv_head, tile.batch);
    v.await_empty(at);
    mbarrier_expect(v.full(at), kLayout.v_tile_bytes());
    copy_tensor(memory.v(at.slot).data, params.v_map, v.full(at), step * BLOCK_N, kv_head, tile.batch);
    at.advance();
  }
}

// The gradients of a warpgroup's 64 rows, by its 128 threads.
ATTUNE_FN void consume(const FlashBwdDqParams& params, const TileCoordinates& tile, int steps,
                       const Memory& memory) {
  const int group_rows = kWarpgroupRows * (warpgroup_index() - 1);  // of the tile, before this warpgroup's
  const int warp_rows = group_rows + 16 * (warp_index() % 4);
  const int first_row = tile.first_row + warp_rows;
  const float scale_log2 = scale_log2_of<float>(params);
  WarpgroupSum<HEAD_DIM> sum;
  clear(sum);
  RowTerms<float, 1> terms;
  load_row_terms(terms, row_terms_of<float>(params.row_terms, tile.batch * params.heads_q + tile.head,
                                            params.padded_rows, first_row));

  if (steps > 0) mbarrier_wait(memory.fixed_barrier(), 0);
  const TileQ queries = memory.q().from_row(group_rows);
  const TileDout douts = memory.dout().from_row(group_rows);
  Position at;
  ATTUNE_NO_UNROLL
  for (int step = 0; step < steps; ++step) {
    float score[1][kN][4];
    float gradient[1][kN][4];
    PackedScores<kN> packed;
    memory.k_barriers().await_full(at);
    warpgroup_arrive();
    start_scores(score, queries, memory.k(at.slot));
    warpgroup_commit();
    memory.v_barriers().await_full(at);
    start_scores(gradient, douts, memory.v(at.slot));
    warpgroup_commit();
    warpgroup_wait<1>();
    pin(score[0]);
    const int first_key = step * BLOCK_N;
    if (block_needs_mask<BLOCK_N, kCausal>(tile.first_row, first_key, params.seqlen_kv, params.diagonal))
      apply_mask<kCausal>(score, first_row, first_key, params.seqlen_kv, params.diagonal);
    exponentiate_rows(score, terms, scale_log2);
    warpgroup_wait<0>();
    pin(gradient[0]);
    memory.v_barriers().release(at);
    multiply_rows(gradient, score, terms);
    pack<Element>(packed, gradient);
    warpgroup_arrive();
    start_sum(sum, packed, memory.k(at.slot));
    warpgroup_commit();
    warpgroup_wait<0>();
    pin(sum.value);
    memory.k_barriers().release(at);
    at.advance();
  }

  // Only this warpgroup reads these rows of Q: no other need wait before they are written over.
  warpgroup_barrier();
  const TileQ staging = memory.q().from_row(warp_rows);
  stage_rows(staging, sum, scale_of<float>(params));
  RowStore<16, HEAD_DIM, Element, HEAD_DIM / 8>::run(
      output_row_of<Element>(params.dq, tile.batch, tile.head, first_row), params.dq.row_stride,
      is_aligned(params, 4), staging, params.seqlen_q - first_row);
}

}  // namespace attune

ATTUNE_KERNEL_ALONE(flash_bwd_dq_sm90, FlashBwdDqSm90Params, 128 * (1 + BLOCK_M / 64)) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const Memory memory{dynamic_shared<Element>(0)};
  if (thread_index() == 0) {
    mbarrier_init(memory.fixed_barrier());
    memory.k_barriers().init(4 * kConsumers);
    memory.v_barriers().init(4 * kConsumers);
    mbarrier_init_fence();
  }
  block_barrier();
  const TileCoordinates tile = tile_of_block<BLOCK_M, kCausal>(
      static_cast<u32>(block_index()), params.problem.q_tiles, params.problem.heads_q);
  const int steps = visible_key_blocks<BLOCK_M, BLOCK_N, kCausal>(
      tile.first_row, params.problem.seqlen_q, params.problem.seqlen_kv, params.problem.diagonal);
  if (warpgroup_index() == 0) {
    release_registers<24>();
    if (thread_index() == 0) produce(params, tile, steps, memory);
  } else {
    claim_registers<kConsumers == 3 ? 160 : 240>();
    consume(params.problem, tile, steps, memory);
  }
}
