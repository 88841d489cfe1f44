// flash_fwd_sm90: what flash_fwd computes, by the warpgroup products and the copy engine of sm_90a.
//
//            keys ->  one step takes BLOCK_N keys, from the last visible block down to the first
//          +-------+-------+-------+
//  Q tile  |       |       | S, P  |   S = Q · K', masked at the boundary
//  BLOCK_M |       |  <--- |       |   P = exp(scale · (S - running maximum))
//  rows    +-------+-------+-------+   O = O · correction + P · V
//
// A block owns BLOCK_M query rows of one head at a time, each of its consumer warpgroups 64 of them. The
// first warpgroup moves tiles: one of its threads has K and V copied, others each consumer's Q and outputs,
// and tell the consumer what it computes (flash_fwd_sm90.movers.cuh). While a consumer computes the
// exponentials of a step, two products run: its own P · V of the step before, and those of other consumers.
// When a tile ends, the first product of the next one runs while its rows go to shared memory, from where the
// copy engine stores them: to the place of its Q, to one that consumers have in turn, or, where there is room
// for neither, straight to global memory. The launch begins before the one before it has ended, and waits.
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
#include "attention/positive_maximum.cuh"
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
constexpr FlashFwdSm90Layout kLayout{HEAD_DIM, HEAD_DIM_V, kConsumers, BLOCK_N, STAGES, PERSISTENT};
constexpr bool kStagesOutput = kLayout.stages_output();
constexpr bool kSharesOutput = kLayout.shares_output();
constexpr int kBlocks = FlashFwdSm90Layout::blocks(kConsumers, HEAD_DIM_V);  // of a multiprocessor
// Registers of a mover's thread, and of a consumer's once movers have given up theirs; 0: as many as it is
// launched with.
constexpr int kMoverRegisters = kConsumers == 3 ? 32 : 24;
constexpr int kClaimedRegisters = kConsumers == 3 ? 160 : kConsumers == 2 ? 240 : kBlocks == 2 ? 232 : 0;
static_assert(kMoverRegisters + kClaimedRegisters * kConsumers <=
                  65536 / (128 * (1 + kConsumers) * kBlocks) / 8 * 8 * (1 + kConsumers),
              "a claim of more registers than the block was launched with waits for ever");
constexpr int kN = BLOCK_N / 8;  // key tiles of a step
constexpr bool kCausal = CAUSAL_MASK != 0;
constexpr bool kSkipsHidden = kCausal && kConsumers > 1;  // steps of the tile that other rows see alone
static_assert(BLOCK_M % kWarpgroupRows == 0, "every consumer owns 64 rows");
static_assert(kConsumers > 1 || TAKE_TURNS == 0, "one consumer has no one to take turns with");
static_assert((BLOCK_M - kWarpgroupRows + BLOCK_N - 1) / BLOCK_N <= STAGES,
              "hidden keys are passed over while the values of one step are held");
static_assert(HEAD_DIM % 8 == 0 && HEAD_DIM_V % 8 == 0, "products take eight columns at a time");

using Output = WarpgroupSum<FlashFwdSm90Layout::output_columns(HEAD_DIM_V)>;
using Statistics = RowStatistics<float, 1>;
using Scores = float[1][kN][4];
constexpr float kLn2 = 0.6931471805599453f;

}  // namespace attune

#include "flash_fwd_sm90.movers.cuh"

namespace attune {

// A warpgroup that computes its 64 rows of each tile, by its 128 threads.
struct Consumer {
  const FlashFwdSm90Params& params;
  const Memory& memory;
  int self;  // which of the consumers
  Turns<kConsumers> turns, output_turns;
  RowPosition at_q;  // the tile's slot. Its products are started all the sooner for knowing it all the while.
  RowPosition at_o;
  Position at_k, at_v;
  // Of the tile: outputs not yet divided by their sums, and the step whose P · V is the next to be started.
  Output output;
  Statistics rows;
  PackedScores<kN> probability;

  ATTUNE_FN Consumer(const FlashFwdSm90Params& params, const Memory& memory, int self)
      : params(params),
        memory(memory),
        self(self),
        turns(memory.turns(), self),
        output_turns(memory.output_turns(), self) {}

  ATTUNE_FN void compute_tiles() {
    Piece piece = begin();
    ATTUNE_NO_UNROLL
    for (;;) {
      take_steps(piece);
      if (PERSISTENT == 0 || piece.is_last) break;
      piece = begin_beside_store(piece);
    }
    start_values();
    await_readers_of_q();
    warpgroup_wait<0>();
    pin(output.value);
    store(piece);
  }

 private:
  // Of the tile whose Q is awaited here.
  ATTUNE_FN Piece await_piece() const {
    memory.row_barriers(self).await_full(at_q);
    const Piece piece = Piece::read(memory.piece(self, at_q.slot));
    return {uniform(piece.first_row), uniform(piece.head),         uniform(piece.batch),
            uniform(piece.first_key), uniform(piece.hidden_steps), uniform(piece.is_last)};
  }
  // Scores of the next keys.
  ATTUNE_FN void start_step(Scores& score) const {
    memory.k_barriers().await_full(at_k);
    warpgroup_arrive();
    start_scores<HEAD_DIM>(score, memory.q(self, at_q.slot), memory.k(at_k.slot));
    warpgroup_commit();
  }
  // P · V of the step whose scores are exponentiated.
  ATTUNE_FN void start_values() {
    memory.v_barriers().await_full(at_v);
    warpgroup_arrive();
    start_sum(output, probability, memory.v(at_v.slot));
    warpgroup_commit();
  }
  // Then scores of the next keys are there, and P · V of the step before is running.
  ATTUNE_FN void start_both(Scores& score) {
    if constexpr (TAKE_TURNS != 0) turns.await();
    start_step(score);
    start_values();
    if constexpr (TAKE_TURNS != 0) turns.pass();
    warpgroup_wait<1>();
    pin(score[0]);
  }
  // NOTE: waiting in a branch. In straight code ptxas waits first and then exponentiates. All warps of the
  // warpgroup take the same branch, since it must wait together; PLACE keeps the two from being merged.
  ATTUNE_FN void await_values(bool is_last_step) {
    if (is_last_step) {
      warpgroup_wait<0, 1>();
      pin(output.value);
    } else {
      warpgroup_wait<0, 2>();
      pin(output.value);
    }
    release_values();
  }

  // The first step of the first tile, beside which nothing runs.
  ATTUNE_FN Piece begin() {
    Scores score;
    const Piece piece = await_piece();
    pass_over_keys(piece.hidden_steps);
    start_step(score);
    warpgroup_wait<0>();
    take_first_scores(score, piece);
    return piece;
  }
  // The other steps of a tile. S of a step is started before P · V of the step before, and exponentiated
  // while that runs.
  ATTUNE_FN void take_steps(const Piece& piece) {
    pass_over_values(piece.hidden_steps);
    int first_key = piece.first_key;
    if (piece.first_row >= params.seqlen_q) {
      pass_over_steps(first_key);
      first_key = 0;
    }
    ATTUNE_NO_UNROLL
    while (first_key > 0) {
      first_key -= BLOCK_N;
      Scores score;
      float correction[2];
      start_both(score);
      release_keys(first_key == 0);
      const bool moved = exponentiate_scores(score, correction, piece, first_key);
      await_values(first_key == 0);
      if (moved) scale_rows(output, correction);
      pack<Element>(probability, score);
    }
  }
  // From the last step of a tile to the first of the next, whose first product runs while rows are stored.
  // NOTE: that one is awaited here. Were it in flight from one turn of the loop to the next, ptxas would
  // await every product where it is started.
  ATTUNE_FN Piece begin_beside_store(const Piece& piece) {
    Scores score;
    start_values();
    at_q.advance();
    const Piece next = await_piece();
    pass_over_keys(next.hidden_steps);
    start_step(score);
    await_readers_of_q();
    warpgroup_wait<1>();
    pin(output.value);
    release_values();
    store(piece);
    warpgroup_wait<0>();
    take_first_scores(score, next);
    return next;
  }
  // Finished scores of a tile's first step.
  ATTUNE_FN void take_first_scores(Scores& score, const Piece& piece) {
    float correction[2];
    pin(score[0]);
    release_keys(piece.first_key == 0);
    clear(output);
    clear(rows);
    exponentiate_scores(score, correction, piece, piece.first_key);
    pack<Element>(probability, score);
  }
  // Hidden steps: the consumer only gives their slots back, keys before its first scores, values after them.
  ATTUNE_FN void pass_over_keys(int steps) {
    if constexpr (kSkipsHidden) {
      ATTUNE_NO_UNROLL
      for (; steps > 0; --steps) {
        memory.k_barriers().await_full(at_k);
        release_keys(false);
      }
    }
  }
  ATTUNE_FN void pass_over_values(int steps) {
    if constexpr (kSkipsHidden) {
      ATTUNE_NO_UNROLL
      for (; steps > 0; --steps) {
        if constexpr (TAKE_TURNS != 0) turns.await();
        memory.v_barriers().await_full(at_v);
        release_values();
        if constexpr (TAKE_TURNS != 0) turns.pass();
      }
    }
  }
  // The steps after the first, which begins at `first_key`, of rows beyond the last one, where nothing is
  // stored.
  ATTUNE_FN void pass_over_steps(int first_key) {
    ATTUNE_NO_UNROLL
    for (; first_key > 0; first_key -= BLOCK_N) {
      if constexpr (TAKE_TURNS != 0) turns.await();
      memory.k_barriers().await_full(at_k);
      release_keys(first_key == BLOCK_N);
      memory.v_barriers().await_full(at_v);
      release_values();
      if constexpr (TAKE_TURNS != 0) turns.pass();
    }
  }

  // After the last scores of a tile its Q is done with, too; the mover knows by the O in its place, if there
  // is.
  ATTUNE_FN void release_keys(bool is_last_step) {
    memory.k_barriers().release(at_k);
    at_k.advance();
    if (!kStagesOutput && is_last_step) memory.row_barriers(self).release(at_q);
  }
  ATTUNE_FN void release_values() {
    memory.v_barriers().release(at_v);
    at_v.advance();
  }
  // Scores become unnormalised probabilities. True when older outputs are to be multiplied with `correction`.
  ATTUNE_FN bool exponentiate_scores(Scores& score, float (&correction)[2], const Piece& piece,
                                     int first_key) {
    const int first_row = piece.first_row;
    if (block_needs_mask<BLOCK_N, kCausal>(first_row, first_key, params.seqlen_kv, params.diagonal)) {
      const int warp_row = first_row + 16 * (warp_index() % 4);
      apply_mask<kCausal>(score, warp_row, first_key, params.seqlen_kv, params.diagonal);
    }
    const bool moved = raise_positive_maximum(score, rows, correction, params.scale_log2);
    const float offset[2] = {offset_of(rows.maximum[0], params.scale_log2),
                             offset_of(rows.maximum[1], params.scale_log2)};
    exponentiate<kN>(score, 0, rows, offset, params.scale_log2);
    return moved;
  }

  // Outputs go where the tile's Q is, whose last scores every warp has by then: this waits for the slowest.
  ATTUNE_FN void await_readers_of_q() const {
    if constexpr (kStagesOutput) warpgroup_barrier();
  }
  ATTUNE_FN void store(const Piece& piece) {
    const int warp_row = piece.first_row + 16 * (warp_index() % 4);
    quad_sum(rows.sum);
    float factor[2];
    ATTUNE_UNROLL
    for (int i = 0; i < 2; ++i)
      factor[i] = rows.sum[i] == 0 ? 0.0f : reciprocal_approximate(rows.sum[i]);
    if constexpr (kStagesOutput) {
      pack_rows(memory.o(self, at_o.slot), output, factor);
      warp_barrier();
      if (lane_index() == 0) mbarrier_arrive(memory.o_full(self, at_o.slot));
      at_o.advance();
    } else if constexpr (kSharesOutput) {
      output_turns.await();
      pack_rows(memory.shared_o(), output, factor);
      warp_barrier();
      if (lane_index() == 0) mbarrier_arrive(memory.output_full());
    } else {
      store_rows<HEAD_DIM_V>(output, factor,
                             output_row_of<Element>(params.o, piece.batch, piece.head, warp_row),
                             params.o.row_stride, params.seqlen_q - warp_row);
    }
    // NOTE: last. In straight code ptxas would await the product that runs meanwhile before it stores rows.
    store_statistics(piece, warp_row);
  }
  // Log-sum-exp of a thread's two rows.
  ATTUNE_FN void store_statistics(const Piece& piece, int warp_row) const {
    if (params.lse == nullptr || lane_index() % 4 != 0) return;
    const Global<float> lse =
        Global<float>(static_cast<float*>(params.lse)) +
        (static_cast<i64>(piece.batch) * params.walk.heads_q.value + piece.head) * params.seqlen_q;
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
  Walk walk(params.walk, static_cast<u32>(block_index()));
  walk.make_uniform();
  if (thread_index() == 128) {  // of the first consumer: no mover is held up by it
    prefetch_maps(params);
    memory.init_barriers();
    mbarrier_init_fence();
  }
  block_barrier();
  await_previous_launch();
  release_next_launch();
  if (warpgroup_index() == 0) {
    if constexpr (kClaimedRegisters > 0) release_registers<kMoverRegisters>();
    const int warp = uniform(warp_index());
    if (lane_index() != 0) return;
    if (warp == 0) {
      Producer producer{params, memory, walk, {}, {}};
      producer.load_tiles();
    } else if (warp <= kConsumers) {
      RowMover mover(params, memory, walk, warp - 1);
      mover.move_tiles();
    } else if (kSharesOutput && warp == kConsumers + 1) {
      OutputMover mover{params, memory, walk};
      mover.move_tiles();
    }
  } else {
    if constexpr (kClaimedRegisters > 0) claim_registers<kClaimedRegisters>();
    Consumer consumer(params, memory, uniform_warpgroup_index() - 1);
    consumer.compute_tiles();
  }
}
