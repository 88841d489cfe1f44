// flash_bwd_dkv_sm90: what flash_bwd_dkv computes, by the warpgroup products and the copy engine of sm_90a.
//
//            queries ->  one step takes BLOCK_M rows; the heads of the group come one after the other
//          +-------+-------+-------+
//  K, V    |       |       | P'    |   S'  = K · Q',   P'  = exp(scale · S' - lse)
//  BLOCK_N |       |  ---> | dS'   |   dP' = V · dO',  dS' = P' ∘ (dP' - delta)
//  keys    +-------+-------+-------+   dV += P' · dO,  dK += dS' · Q
//
// A block owns BLOCK_N keys of one kv head, each of its consumer warpgroups 64 of them: nothing is added to
// by two, so there are no atomics, and the same bits at every run. The first warpgroup is the producer: one
// of its threads has Q, dO and row terms copied into rings. Consumers meet nobody but through the rings, so
// that one computes exponentials while the products of another run.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 64  // query rows of a step (a multiple of 32)
#endif
#ifndef BLOCK_N
#define BLOCK_N 128  // keys of a block: 64 for each consumer warpgroup
#endif
#ifndef STAGES
#define STAGES 2  // Q and dO tiles in flight
#endif
#ifndef SEPARATE
#define SEPARATE \
  0  // 1: a block computes dK or dV, for head dimensions whose two sums do not fit the registers
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

#include "attention/column_mask.cuh"
#include "attention/row_terms.cuh"
#include "attention/tensor_rows.cuh"
#include "attention/tile_order.cuh"
#include "flash_bwd_dkv_sm90.layout.h"
#include "flash_bwd_dkv_sm90.params.h"
#include "isa/isa.cuh"
#include "tile/products_warpgroup.cuh"
#include "tile/ring.cuh"
#include "tile/store.cuh"

namespace attune {

using Element = ELEMENT;

constexpr FlashBwdDkvSm90Layout kLayout{HEAD_DIM, HEAD_DIM_V, BLOCK_M, BLOCK_N, STAGES};
constexpr int kConsumers = BLOCK_N / kWarpgroupRows;  // warpgroups
constexpr int kThreads = 128 * (1 + kConsumers);
constexpr int kM = BLOCK_M / 8;  // query tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_N % kWarpgroupRows == 0, "every consumer owns 64 keys");
static_assert(RowTermsLayout::kRowMultiple % BLOCK_M == 0, "every row of a tile has terms");

using TileK = PanelTile<Element, HEAD_DIM, BLOCK_N>;
using TileV = PanelTile<Element, HEAD_DIM_V, BLOCK_N>;
using TileQ = PanelTile<Element, HEAD_DIM, BLOCK_M>;
using TileDout = PanelTile<Element, HEAD_DIM_V, BLOCK_M>;
using Position = RingPosition<STAGES>;
using Barriers = RingBarriers<STAGES>;

struct Memory {
  Shared<Element> start;

  ATTUNE_FN TileK k() const { return {start + kLayout.k_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileV v() const { return {start + kLayout.v_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileQ q(int slot) const {
    return {start + (kLayout.q_offset(0) / ELEMENT_BYTES + slot * (kLayout.q_tile_bytes() / ELEMENT_BYTES))};
  }
  ATTUNE_FN TileDout dout(int slot) const {
    return {start +
            (kLayout.dout_offset(0) / ELEMENT_BYTES + slot * (kLayout.dout_tile_bytes() / ELEMENT_BYTES))};
  }
  ATTUNE_FN Shared<float> terms(int slot) const {
    return start.as<float>() + (kLayout.terms_offset(0) / 4 + slot * (kLayout.terms_bytes() / 4));
  }
  // Of K and V.
  ATTUNE_FN Shared<u64> fixed_barrier() const { return start.as<u64>() + kLayout.fixed_barrier_offset() / 8; }
  // Of Q and the row terms.
  ATTUNE_FN Barriers q_barriers() const { return {start.as<u64>() + kLayout.q_barriers_offset() / 8}; }
  ATTUNE_FN Barriers dout_barriers() const { return {start.as<u64>() + kLayout.dout_barriers_offset() / 8}; }
};

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
};

// Has everything copied that the consumers use, in the order of their use. One thread does it.
template <bool DK>
ATTUNE_FN void produce(const FlashBwdDkvSm90Params& params, const TileCoordinates& tile,
                       const QueryBlocks& queries, const Memory& memory) {
  if (queries.blocks_of_head == 0) return;
  mbarrier_expect(memory.fixed_barrier(), 2 * BLOCK_N * (HEAD_DIM + (DK ? HEAD_DIM_V : 0)));
  copy_tensor(memory.k().data, params.k_map, memory.fixed_barrier(), tile.first_row, tile.head, tile.batch);
  if constexpr (DK)
    copy_tensor(memory.v().data, params.v_map, memory.fixed_barrier(), tile.first_row, tile.head, tile.batch);
  Position at;
  ATTUNE_NO_UNROLL
  for (int head = queries.first_head; head < queries.first_head + params.problem.heads_per_kv; ++head) {
    ATTUNE_NO_UNROLL
    for (int block = 0; block < queries.blocks_of_head; ++block) {
      const int row = (queries.first_block + block) * BLOCK_M;
      const Barriers q = memory.q_barriers(), dout = memory.dout_barriers();
      q.await_empty(at);
      mbarrier_expect(q.full(at), kLayout.q_tile_bytes() + kLayout.terms_bytes());
      copy_tensor(memory.q(at.slot).data, params.q_map, q.full(at), row, head, tile.batch);
      copy_bulk(memory.terms(at.slot),
                row_terms_of<float>(params.problem.row_terms, tile.batch * params.problem.heads_q + head,
                                    params.problem.padded_rows, row),
                kLayout.terms_bytes(), q.full(at));
      dout.await_empty(at);
      mbarrier_expect(dout.full(at), kLayout.dout_tile_bytes());
      copy_tensor(memory.dout(at.slot).data, params.dout_map, dout.full(at), row, head, tile.batch);
      at.advance();
    }
  }
}

template <int COLUMNS, typename Tile>
ATTUNE_FN void store_gradient(const FlashTensor& tensor, bool aligned, const TileCoordinates& tile,
                              const WarpgroupSum<COLUMNS>& sum, const Tile& staging, float factor,
                              int first_key, int seqlen_kv) {
  if (tensor.data == nullptr) return;
  stage_rows(staging, sum, factor);
  RowStore<16, COLUMNS, Element, COLUMNS / 8>::run(
      output_row_of<Element>(tensor, tile.batch, tile.head, first_key), tensor.row_stride, aligned, staging,
      seqlen_kv - first_key);
}

// The gradients of a warpgroup's 64 keys, by its 128 threads.
template <bool DK, bool DV>
ATTUNE_FN void consume(const FlashBwdDkvParams& params, const TileCoordinates& tile,
                       const QueryBlocks& queries, const Memory& memory) {
  const int group_rows = kWarpgroupRows * (warpgroup_index() - 1);  // of the block, before this warpgroup's
  const int warp_rows = group_rows + 16 * (warp_index() % 4);
  const float scale_log2 = scale_log2_of<float>(params);
  WarpgroupSum<HEAD_DIM> dk;
  WarpgroupSum<HEAD_DIM_V> dv;
  if constexpr (DK) clear(dk);
  if constexpr (DV) clear(dv);

  if (queries.blocks_of_head > 0) mbarrier_wait(memory.fixed_barrier(), 0);
  const TileK keys = memory.k().from_row(group_rows);
  const TileV values = memory.v().from_row(group_rows);
  Position at;
  ATTUNE_NO_UNROLL
  for (int head = 0; head < params.heads_per_kv; ++head) {
    ATTUNE_NO_UNROLL
    for (int block = 0; block < queries.blocks_of_head; ++block) {
      float score[1][kM][4];
      float gradient[1][kM][4];
      PackedScores<kM> packed_score, packed_gradient;
      memory.q_barriers().await_full(at);
      warpgroup_arrive();
      start_scores(score, keys, memory.q(at.slot));
      warpgroup_commit();
      memory.dout_barriers().await_full(at);
      if constexpr (DK) {
        start_scores(gradient, values, memory.dout(at.slot));
        warpgroup_commit();
      }
      warpgroup_wait<DK ? 1 : 0>();
      pin(score[0]);
      if constexpr (kCausal) {
        apply_column_mask(score, tile.first_row + warp_rows, (queries.first_block + block) * BLOCK_M,
                          params.diagonal);
      }
      exponentiate_columns(score, memory.terms(at.slot), scale_log2);
      if constexpr (DV) {
        pack<Element>(packed_score, score);
        warpgroup_arrive();
        start_sum(dv, packed_score, memory.dout(at.slot));
        warpgroup_commit();
      }
      if constexpr (DK) {
        warpgroup_wait<DV ? 1 : 0>();
        pin(gradient[0]);
        multiply_columns(gradient, score, memory.terms(at.slot));
        pack<Element>(packed_gradient, gradient);
        warpgroup_arrive();
        start_sum(dk, packed_gradient, memory.q(at.slot));
        warpgroup_commit();
        warpgroup_wait<1>();
      } else {
        warpgroup_wait<0>();
      }
      if constexpr (DV) pin(dv.value);
      memory.dout_barriers().release(at);
      warpgroup_wait<0>();
      if constexpr (DK) pin(dk.value);
      memory.q_barriers().release(at);
      at.advance();
    }
  }

  // Only this warpgroup reads these rows of K and V: no other need wait before they are written over.
  warpgroup_barrier();
  const int first_key = tile.first_row + warp_rows;
  if constexpr (DV) {
    store_gradient<HEAD_DIM_V>(params.dv, is_aligned(params, 5), tile, dv, memory.v().from_row(warp_rows), 1,
                               first_key, params.seqlen_kv);
  }
  if constexpr (DK) {
    store_gradient<HEAD_DIM>(params.dk, is_aligned(params, 4), tile, dk, memory.k().from_row(warp_rows),
                             scale_of<float>(params), first_key, params.seqlen_kv);
  }
}

// The gradients of a block of keys: both, or one of them.
template <bool DK, bool DV>
ATTUNE_FN void run_block(const FlashBwdDkvSm90Params& params, const TileCoordinates& tile,
                         const Memory& memory) {
  const QueryBlocks queries(params.problem, tile);
  if (warpgroup_index() == 0) {
    release_registers<24>();
    if (thread_index() == 0) produce<DK>(params, tile, queries, memory);
  } else {
    claim_registers<kConsumers == 3 ? 160 : 240>();
    consume<DK, DV>(params.problem, tile, queries, memory);
  }
}

}  // namespace attune

ATTUNE_KERNEL_ALONE(flash_bwd_dkv_sm90, FlashBwdDkvSm90Params, attune::kThreads) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const Memory memory{dynamic_shared<Element>(0)};
  if (thread_index() == 0) {
    mbarrier_init(memory.fixed_barrier());
    memory.q_barriers().init(4 * kConsumers);
    memory.dout_barriers().init(4 * kConsumers);
    mbarrier_init_fence();
  }
  block_barrier();
  u32 block = static_cast<u32>(block_index());
  // dK, which has one product more, comes first, so that dV fills the end of the launch.
  const bool second_part = SEPARATE != 0 && block >= static_cast<u32>(params.problem.part_blocks);
  if (second_part) block -= static_cast<u32>(params.problem.part_blocks);
  // The first keys have the most queries under a causal mask, and start first.
  const TileCoordinates tile =
      tile_of_block<BLOCK_N, false>(block, params.problem.kv_tiles, params.problem.heads_kv);
  if constexpr (SEPARATE == 0) {
    run_block<true, true>(params, tile, memory);
  } else if (second_part || params.problem.dk.data == nullptr) {
    run_block<false, true>(params, tile, memory);
  } else {
    run_block<true, false>(params, tile, memory);
  }
}
