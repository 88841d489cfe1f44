// flash_fwd_sm90: what flash_fwd computes, by the warpgroup products and the copy engine of sm_90a.
//
//            keys ->  one step takes BLOCK_N keys, from the last visible block down to the first
//          +-------+-------+-------+
//  Q tile  |       |       | S, P  |   S = Q · K', masked at the boundary
//  BLOCK_M |       |  <--- |       |   P = exp(scale · (S - running maximum))
//  rows    +-------+-------+-------+   O = O · correction + P · V
//
// A block owns BLOCK_M query rows of one head at a time, each of its consumer warpgroups 64 of them. The
// first warpgroup is the producer: one of its threads has Q, K and V copied, the next tile's while this one's
// last products run. While a consumer computes the exponentials of a step, two products run: its own
// P · V of the step before, and those of other consumers. When a tile ends, the first product of the next one
// runs while its rows go to shared memory, from where the copy engine stores them (or straight to global
// memory where there is no room). The launch begins before the one before it has ended, and waits.
//
//   products of a consumer   | S0 |    | S1 | P0·V0 |     | S2 | P1·V1 |
//   its exponentials              | P0 |       | P1       |       | P2
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 128  // query rows of a tile: 64 for each consumer warpgroup, one to three
#endif
#ifndef BLOCK_N
#define BLOCK_N 128  // keys of a step (a multiple of 16)
#endif
#ifndef STAGES
#define STAGES 2  // K and V tiles in flight
#endif
#ifndef TAKE_TURNS
#define TAKE_TURNS 0  // 1: two or three consumers start their products one after the other
#endif
#ifndef PERSISTENT
#define PERSISTENT 1  // 1: a block computes several tiles, one after the other; 0: one
#endif

// The problem.
#ifndef ELEMENT
#define ELEMENT bf16  // f16 or bf16
#define ELEMENT_BYTES 2
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 64  // of q and k, a multiple of 8
#endif
#ifndef HEAD_DIM_V
#define HEAD_DIM_V HEAD_DIM  // of v and o
#endif
#ifndef CAUSAL_MASK
#define CAUSAL_MASK 0  // 1: row i sees keys 0 to i + params.diagonal
#endif

#include "attention/mask.cuh"
#include "attention/softmax.cuh"
#include "attention/tensor_rows.cuh"
#include "attention/tile_walk.cuh"
#include "flash_fwd_sm90.layout.h"
#include "flash_fwd_sm90.params.h"
#include "isa/isa.cuh"
#include "tile/products_warpgroup.cuh"
#include "tile/ring.cuh"
#include "tile/store_fragment.cuh"
#include "tile/store_tensor.cuh"
#include "tile/turns.cuh"

namespace attune {

using Element = ELEMENT;

constexpr int kConsumers = BLOCK_M / kWarpgroupRows;  // warpgroups
constexpr FlashFwdSm90Layout kLayout{HEAD_DIM, HEAD_DIM_V, kConsumers, BLOCK_N, STAGES};
constexpr bool kStagesOutput = FlashFwdSm90Layout::stages_output(kConsumers, HEAD_DIM, HEAD_DIM_V);
constexpr int kBlocks = FlashFwdSm90Layout::blocks(kConsumers, HEAD_DIM_V);  // of a multiprocessor
// Registers of a consumer's thread once the producer has given up its own; 0: as many as it is launched with.
constexpr int kClaimedRegisters = kConsumers == 3 ? 160 : kConsumers == 2 ? 240 : kBlocks == 2 ? 232 : 0;
constexpr int kN = BLOCK_N / 8;  // key tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
static_assert(BLOCK_M % kWarpgroupRows == 0, "every consumer owns 64 rows");
static_assert(kConsumers > 1 || TAKE_TURNS == 0, "one consumer has no one to take turns with");
static_assert(HEAD_DIM % 8 == 0 && HEAD_DIM_V % 8 == 0, "products take eight columns at a time");

// Panels are whole in shared memory: columns beyond the head dimension are zeros.
constexpr int kColumns = 64 * FlashFwdSm90Layout::panels(HEAD_DIM);
constexpr int kColumnsV = 64 * FlashFwdSm90Layout::panels(HEAD_DIM_V);
using TileQ = PanelTile<Element, kColumns, kWarpgroupRows>;
using TileK = PanelTile<Element, kColumns, BLOCK_N>;
using TileV = PanelTile<Element, kColumnsV, BLOCK_N>;
using TileO = PanelTile<Element, kColumnsV, kWarpgroupRows>;
using Position = RingPosition<STAGES>;
using Barriers = RingBarriers<STAGES>;
using Output = WarpgroupSum<FlashFwdSm90Layout::output_columns(HEAD_DIM_V)>;
using Statistics = RowStatistics<float, 1>;
using Scores = float[1][kN][4];
constexpr float kLn2 = 0.6931471805599453f;

struct Memory {
  Shared<Element> start;

  ATTUNE_FN TileQ q(int consumer) const {
    return {start + consumer * (kLayout.q_tile_bytes() / ELEMENT_BYTES)};
  }
  ATTUNE_FN TileK k(int slot) const {
    return {start + (kLayout.k_offset(0) / ELEMENT_BYTES + slot * (kLayout.k_tile_bytes() / ELEMENT_BYTES))};
  }
  ATTUNE_FN TileV v(int slot) const {
    return {start + (kLayout.v_offset(0) / ELEMENT_BYTES + slot * (kLayout.v_tile_bytes() / ELEMENT_BYTES))};
  }
  ATTUNE_FN TileO o(int consumer) const { return {start + kLayout.o_offset(consumer) / ELEMENT_BYTES}; }
  // A ring of one slot for each consumer.
  ATTUNE_FN RingBarriers<1> q_barriers(int consumer) const {
    return {start.as<u64>() + (kLayout.q_barriers_offset(0) / 8 + 2 * consumer)};
  }
  ATTUNE_FN Barriers k_barriers() const { return {start.as<u64>() + kLayout.k_barriers_offset() / 8}; }
  ATTUNE_FN Barriers v_barriers() const { return {start.as<u64>() + kLayout.v_barriers_offset() / 8}; }
  ATTUNE_FN Shared<u64> turns() const { return start.as<u64>() + kLayout.turns_offset() / 8; }

  ATTUNE_FN void init_barriers() const {
    constexpr u32 kWarps = 4;  // of a warpgroup
    ATTUNE_UNROLL
    for (int consumer = 0; consumer < kConsumers; ++consumer)
      q_barriers(consumer).init(kWarps);
    k_barriers().init(kWarps * kConsumers);
    v_barriers().init(kWarps * kConsumers);
    Turns<kConsumers>::init(turns());
  }
};

using Walk = TileWalk<BLOCK_M, kCausal, PERSISTENT != 0>;

// Steps of a tile: one at least, in which all keys may be masked.
ATTUNE_FN int steps_of(const TileCoordinates& tile, const FlashFwdSm90Params& params) {
  const int blocks = visible_key_blocks<BLOCK_M, BLOCK_N, kCausal>(tile.first_row, params.seqlen_q,
                                                                   params.seqlen_kv, params.diagonal);
  return blocks > 0 ? blocks : 1;
}

ATTUNE_FN void prefetch_maps(const FlashFwdSm90Params& params) {
  prefetch_map(params.q_map);
  prefetch_map(params.k_map);
  prefetch_map(params.v_map);
  if constexpr (kStagesOutput) prefetch_map(params.o_map);
}

// Starts copying a tile's rows from `row` on, panel by panel.
template <int ROW_CHUNKS, int ROWS>
ATTUNE_FN void copy_tile(const SharedTile<Element, ROW_CHUNKS, ROWS>& tile, const TensorMap& map,
                         Shared<u64> barrier, int row, int head, int batch) {
  ATTUNE_UNROLL
  for (int panel = 0; panel < ROW_CHUNKS / 8; ++panel)
    copy_panel(tile.data + panel * tile.kPanelElements, map, barrier, panel, row, head, batch);
}

// Has everything copied that the consumers use, in the order of their use. One thread does it.
struct Producer {
  const FlashFwdSm90Params& params;
  const Memory& memory;
  RingPosition<1> at_q;
  Position at_k, at_v;

  ATTUNE_FN void load_tiles() {
    Walk walk(params.walk, static_cast<u32>(block_index()));
    TileCoordinates tile;
    ATTUNE_NO_UNROLL
    while (walk.next(tile)) {
      const int kv_head = static_cast<int>(quotient(static_cast<u32>(tile.head), params.heads_per_kv));
      int first_key = (steps_of(tile, params) - 1) * BLOCK_N;
      load_keys(first_key, kv_head, tile.batch);
      load_queries(tile);
      ATTUNE_NO_UNROLL
      for (; first_key > 0; first_key -= BLOCK_N) {  // V comes a step behind K, as its use does
        load_keys(first_key - BLOCK_N, kv_head, tile.batch);
        load_values(first_key, kv_head, tile.batch);
      }
      load_values(0, kv_head, tile.batch);
    }
  }

 private:
  ATTUNE_FN void load_queries(const TileCoordinates& tile) {
    ATTUNE_UNROLL
    for (int consumer = 0; consumer < kConsumers; ++consumer) {
      const RingBarriers<1> q = memory.q_barriers(consumer);
      q.await_empty(at_q);
      mbarrier_expect(q.full(at_q), kLayout.q_tile_bytes());
      copy_tile(memory.q(consumer), params.q_map, q.full(at_q), tile.first_row + kWarpgroupRows * consumer,
                tile.head, tile.batch);
    }
    at_q.advance();
  }
  ATTUNE_FN void load_keys(int first_key, int kv_head, int batch) {
    const Barriers k = memory.k_barriers();
    k.await_empty(at_k);
    mbarrier_expect(k.full(at_k), kLayout.k_tile_bytes());
    copy_tile(memory.k(at_k.slot), params.k_map, k.full(at_k), first_key, kv_head, batch);
    at_k.advance();
  }
  ATTUNE_FN void load_values(int first_key, int kv_head, int batch) {
    const Barriers v = memory.v_barriers();
    v.await_empty(at_v);
    mbarrier_expect(v.full(at_v), kLayout.v_tile_bytes());
    copy_tile(memory.v(at_v.slot), params.v_map, v.full(at_v), first_key, kv_head, batch);
    at_v.advance();
  }
};

// A warpgroup that computes its 64 rows of each tile, by its 128 threads.
struct Consumer {
  const FlashFwdSm90Params& params;
  const Memory& memory;
  int self;  // which of the consumers
  Turns<kConsumers> turns;
  RingPosition<1> at_q;
  Position at_k, at_v;

  ATTUNE_FN Consumer(const FlashFwdSm90Params& params, const Memory& memory, int self)
      : params(params), memory(memory), self(self), turns(memory.turns(), self) {}

  ATTUNE_FN void compute_tiles() {
    Walk walk(params.walk, static_cast<u32>(block_index()));
    TileCoordinates tile;
    if (!walk.next(tile)) return;
    Scores score;
    start_step(score);
    warpgroup_wait<0>();
    pin(score[0]);
    bool goes_on = true;
    ATTUNE_NO_UNROLL
    while (goes_on) {
      Output output;
      Statistics rows;
      clear(output);
      clear(rows);
      const int group_row = tile.first_row + kWarpgroupRows * self;
      attend(output, rows, score, group_row, steps_of(tile, params));
      // The tile's rows are stored while the first product of the next tile runs.
      // NOTE: that one is awaited in this branch. Were it in flight from one turn of the loop to the next,
      // ptxas would await every product where it is started.
      TileCoordinates next_tile = tile;
      goes_on = PERSISTENT != 0 && walk.next(next_tile);
      if (goes_on) {
        start_step(score);
        warpgroup_wait<1>();
        pin(output.value);
        release_values();
        store(output, rows, tile, group_row);
        warpgroup_wait<0>();
        pin(score[0]);
      } else {
        warpgroup_wait<0>();
        pin(output.value);
        release_values();
        store(output, rows, tile, group_row);
      }
      tile = next_tile;
    }
    if constexpr (kStagesOutput) finish_stores();
  }

 private:
  // Scores of the next keys.
  ATTUNE_FN void start_step(Scores& score) {
    memory.q_barriers(self).await_full(at_q);
    memory.k_barriers().await_full(at_k);
    warpgroup_arrive();
    start_scores<HEAD_DIM>(score, memory.q(self), memory.k(at_k.slot));
    warpgroup_commit();
  }
  // P · V of the step whose scores are exponentiated.
  ATTUNE_FN void start_values(Output& output, const PackedScores<kN>& probability) {
    memory.v_barriers().await_full(at_v);
    warpgroup_arrive();
    start_sum(output, probability, memory.v(at_v.slot));
    warpgroup_commit();
  }

  // The outputs of 64 rows from `group_row` on, not yet divided by their sums, of which the last product has
  // just been started; `score` is that of the first step. S of a step is started before P · V of the step
  // before, and exponentiated while that runs.
  ATTUNE_FN void attend(Output& output, Statistics& rows, Scores& score, int group_row, int steps) {
    float correction[2];
    PackedScores<kN> probability;
    int first_key = (steps - 1) * BLOCK_N;
    release_keys_and_queries(first_key == 0);
    exponentiate_scores(score, rows, correction, group_row, first_key);
    pack<Element>(probability, score);

    ATTUNE_NO_UNROLL
    while (first_key > 0) {
      first_key -= BLOCK_N;
      if constexpr (TAKE_TURNS != 0) turns.await();
      start_step(score);
      start_values(output, probability);
      if constexpr (TAKE_TURNS != 0) turns.pass();
      warpgroup_wait<1>();
      pin(score[0]);
      release_keys_and_queries(first_key == 0);
      const bool moved = exponentiate_scores(score, rows, correction, group_row, first_key);
      // NOTE: waiting in a branch. In straight code ptxas waits first and then exponentiates.
      if (moved) {
        warpgroup_wait<0>();
        pin(output.value);
        scale_rows(output, correction);
      } else {
        warpgroup_wait<0>();
        pin(output.value);
      }
      release_values();
      pack<Element>(probability, score);
    }
    start_values(output, probability);
  }

  // After the last scores of a tile Q is done with, too: the next tile's may come.
  ATTUNE_FN void release_keys_and_queries(bool is_last) {
    memory.k_barriers().release(at_k);
    at_k.advance();
    if (is_last) {
      memory.q_barriers(self).release(at_q);
      at_q.advance();
    }
  }
  ATTUNE_FN void release_values() {
    memory.v_barriers().release(at_v);
    at_v.advance();
  }
  // Scores become unnormalised probabilities. True when older outputs are to be multiplied with `correction`.
  ATTUNE_FN bool exponentiate_scores(float (&score)[1][kN][4], Statistics& rows, float (&correction)[2],
                                     int group_row, int first_key) const {
    if (block_needs_mask<BLOCK_N, kCausal>(group_row, first_key, params.seqlen_kv, params.diagonal)) {
      const int warp_row = group_row + 16 * (warp_index() % 4);
      apply_mask<kCausal>(score, warp_row, first_key, params.seqlen_kv, params.diagonal);
    }
    const bool moved = raise_maximum(score, rows, correction, params.scale_log2);
    const float offset[2] = {offset_of(rows.maximum[0], params.scale_log2),
                             offset_of(rows.maximum[1], params.scale_log2)};
    exponentiate<kN>(score, 0, rows, offset, params.scale_log2);
    return moved;
  }

  ATTUNE_FN void store(Output& output, Statistics& rows, const TileCoordinates& tile, int group_row) {
    const int warp_row = group_row + 16 * (warp_index() % 4);
    quad_sum(rows.sum);
    float factor[2];
    ATTUNE_UNROLL
    for (int i = 0; i < 2; ++i)
      factor[i] = rows.sum[i] == 0 ? 0.0f : reciprocal_approximate(rows.sum[i]);
    if constexpr (kStagesOutput) {
      reclaim_tile();
      start_store(params.o_map, memory.o(self), output, factor, group_row, tile.head, tile.batch);
    } else {
      store_rows<HEAD_DIM_V>(output, factor,
                             output_row_of<Element>(params.o, tile.batch, tile.head, warp_row),
                             params.o.row_stride, params.seqlen_q - warp_row);
    }
    if (params.lse == nullptr || lane_index() % 4 != 0) return;
    const Global<float> lse =
        Global<float>(static_cast<float*>(params.lse)) +
        (static_cast<i64>(tile.batch) * params.walk.heads_q.value + tile.head) * params.seqlen_q;
    ATTUNE_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int row = warp_row + 8 * i + lane_index() / 4;
      // A row that saw no key is told by its sum: infinities times a scale of 0 would be NaN.
      const float log_sum = log2_approximate(rows.sum[i]) * kLn2;
      if (row < params.seqlen_q)
        lse.store(row, rows.sum[i] == 0 ? -infinity() : multiply_add(rows.maximum[i], params.scale, log_sum));
    }
  }
};

}  // namespace attune

ATTUNE_KERNEL_BLOCKS(flash_fwd_sm90, FlashFwdSm90Params, 128 * (1 + attune::kConsumers), attune::kBlocks) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  const Memory memory{dynamic_shared<Element>(0)};
  if (thread_index() == 0) {
    if (params.seqlen_kv > 0) prefetch_maps(params);
    memory.init_barriers();
    mbarrier_init_fence();
  }
  block_barrier();
  await_previous_launch();
  release_next_launch();
  if (warpgroup_index() == 0) {
    if constexpr (kClaimedRegisters > 0) release_registers<24>();
    if (thread_index() != 0) return;
    Producer producer{params, memory, {}, {}, {}};
    producer.load_tiles();
  } else {
    if constexpr (kClaimedRegisters > 0) claim_registers<kClaimedRegisters>();
    Consumer consumer(params, memory, uniform_warpgroup_index() - 1);
    consumer.compute_tiles();
  }
}
