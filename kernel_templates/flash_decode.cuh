// flash_decode: the forward pass of attention where few query rows meet many keys, as in decoding.
//
//                keys ->  a split of them for each block, of which its warps take BLOCK_N in turn
//              +--------+--------+----+--------+--------+----+------
//  packed rows | warp 0 | warp 1 | .. | warp 0 | warp 1 | .. |  ..      a warp:  S = Q * K^T
//  (BLOCK_M)   |         split 0      |         split 1      |                   P = exp(S - max)
//              +--------+--------+----+--------+--------+----+------             O = O * correction + P * V
//
// Time goes into bringing K and V, so that all is done for that. The query heads that share a kv head are
// rows of one tile: K and V are read once for all of them. Each warp has a ring of STAGES slots of its own,
// fills it itself and multiplies what has arrived: no warp ever waits for another before the keys are at
// their end. The keys of a tile are shared by as many blocks as fill the GPU; each leaves its part in the
// workspace, and the last one to arrive puts them together, in the order of the splits, so that the bits do
// not depend on who it is.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef BLOCK_M
#define BLOCK_M 16  // packed query rows of a block (16, 32)
#endif
#ifndef BLOCK_N
#define BLOCK_N 16  // keys of a warp's step: a multiple of 16
#endif
#ifndef WARPS
#define WARPS 4  // warps of a block
#endif
#ifndef STAGES
#define STAGES 3  // steps of a warp in flight or in use, 2 or more
#endif
#ifndef BLOCKS
#define BLOCKS 2  // blocks of a multiprocessor
#endif
#ifndef BEGINS_EARLY
#define BEGINS_EARLY 0  // 1: launched while the launch before it ends (sm_90 and later)
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
#define HEAD_DIM_V HEAD_DIM  // of v and o
#endif
#ifndef CAUSAL_MASK
#define CAUSAL_MASK 0  // 1: query i sees keys 0 to i + params.diagonal
#endif

#include "attention/packed_rows.cuh"
#include "attention/partial_results.cuh"
#include "attention/softmax.cuh"
#include "attention/tensor_rows.cuh"
#include "flash_decode.layout.h"
#include "flash_decode.params.h"
#include "isa/isa.cuh"
#include "tile/fragment.cuh"
#include "tile/products_mma.cuh"
#include "tile/warp_load.cuh"

namespace attune {

using Element = ELEMENT;
static_assert(ELEMENT_BYTES == 2, "products are those of 16-bit elements");

constexpr FlashDecodeLayout kLayout{HEAD_DIM, HEAD_DIM_V, BLOCK_M, BLOCK_N, WARPS, STAGES};
constexpr int kThreads = 32 * WARPS;
constexpr int kDim = kLayout.padded_dim();
constexpr int kDimV = kLayout.padded_dim_v();
constexpr int kM = BLOCK_M / 16;        // row fragments, the same for all warps
constexpr int kN = BLOCK_N / 8;         // key tiles of a step
constexpr int kTurn = WARPS * BLOCK_N;  // keys from a warp's step to its next
constexpr int kQuads = kDimV / 4;       // of columns of a row: what a thread puts together at once
constexpr bool kQInRegisters = kLayout.q_in_registers();
constexpr PartialResultsLayout kPartial{BLOCK_M, kDimV};
static_assert(BLOCK_M % 16 == 0 && BLOCK_N % 16 == 0, "whole fragments of rows, whole k-steps of keys");
static_assert(STAGES >= 2, "a slot is filled while another is used");

using QueryTile = SharedTile<Element, kLayout.k_row_chunks()>;
using KeyTile = SharedTile<Element, kLayout.k_row_chunks()>;
using ValueTile = SharedTile<Element, kLayout.v_row_chunks()>;
using Query = QueryFragment<Element, kM, kDim, kLayout.k_row_chunks(), kQInRegisters>;
using Output = OutputFragment<Element, kM, kDimV>;
using Statistics = RowStatistics<float, kM>;

// A block's share of the work.
struct Share {
  PackedRows rows;
  int kv_head;
  int first_key;
  int end_key;
  u32 tile;  // of the launch: its counter
  int split;
};

ATTUNE_FN Share share_of_block(u32 block, const FlashDecodeParams& params) {
  // Tiles that read the same keys are neighbours in launch order.
  const u32 tiles = static_cast<u32>(params.tiles), splits = static_cast<u32>(params.splits);
  const u32 tile = block % tiles, split = block / tiles % splits, sequence_head = block / tiles / splits;
  const int batch = static_cast<int>(sequence_head / static_cast<u32>(params.heads_kv));
  const int kv_head = static_cast<int>(sequence_head % static_cast<u32>(params.heads_kv));
  const int first_row = static_cast<int>(tile) * BLOCK_M;
  const int left = params.heads_per_kv * params.seqlen_q - first_row;
  const PackedRows rows{first_row, left < BLOCK_M ? left : BLOCK_M, params.heads_per_kv,
                        kv_head * params.heads_per_kv, batch};
  int end_key = params.keys;
  if constexpr (CAUSAL_MASK != 0) {
    const int seen_by_last_row = rows.query(rows.count - 1) + 1 + params.diagonal;
    if (seen_by_last_row < end_key) end_key = seen_by_last_row;
  }
  const int first_key = static_cast<int>(split) * params.split_keys;
  if (first_key + params.split_keys < end_key) end_key = first_key + params.split_keys;
  return {rows, kv_head, first_key, end_key, sequence_head * tiles + tile, static_cast<int>(split)};
}

// A warp's ring of steps, on their way from global memory or in use.
struct KeyRing {
  Shared<Element> slots;
  WarpLoader<BLOCK_N, HEAD_DIM, kDim, Element, kLayout.k_row_chunks()> keys;
  WarpLoader<BLOCK_N, HEAD_DIM_V, kDimV, Element, kLayout.v_row_chunks()> values;
  int next_key;  // the first of the next step to be brought
  int end_key;
  int slot = 0;  // of that step

  ATTUNE_FN KeyRing(Shared<Element> slots, const FlashDecodeParams& params, const Share& share, int first_key)
      : slots(slots),
        keys(row_of<Element>(params.k, share.rows.batch, share.kv_head, first_key), params.k.row_stride,
             is_aligned(params, 1)),
        values(row_of<Element>(params.v, share.rows.batch, share.kv_head, first_key), params.v.row_stride,
               is_aligned(params, 2)),
        next_key(first_key),
        end_key(share.end_key) {}

  ATTUNE_FN static int after(int slot) { return slot + 1 == STAGES ? 0 : slot + 1; }
  ATTUNE_FN KeyTile keys_at(int slot) const {
    return {slots + slot * (kLayout.slot_bytes() / ELEMENT_BYTES)};
  }
  ATTUNE_FN ValueTile values_at(int slot) const {
    return {slots + (slot * kLayout.slot_bytes() + kLayout.k_tile_bytes()) / ELEMENT_BYTES};
  }

  // Starts bringing the next step, if there is one. The group is committed in any case, so that the number of
  // groups in flight does not depend on the step.
  ATTUNE_FN void load() {
    if (next_key < end_key) {
      keys.load(keys_at(slot), end_key - next_key);
      values.load(values_at(slot), end_key - next_key);
      keys.move(kTurn);
      values.move(kTurn);
      next_key += kTurn;
    }
    copy_async_commit();
    slot = after(slot);
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

// P = exp(S), O = O + P · V, sixteen keys at a time.
ATTUNE_FN void add_values(Output& output, float (&score)[kM][kN][4], Statistics& rows,
                          const ValueTile& values, float scale_log2) {
  float offset[2 * kM];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i)
    offset[i] = offset_of(rows.maximum[i], scale_log2);
  ATTUNE_UNROLL
  for (int first = 0; first < kN; first += kProductTiles) {
    exponentiate<kProductTiles>(score, first, rows, offset, scale_log2);
    multiply_probabilities_values(output, score, first, values);
  }
}

// Multiplies the warp's keys from `first_key` on. STAGES - 1 steps have been asked for, each a group of
// copies; in the end all that were not empty have been awaited.
ATTUNE_FN void attend(Output& output, Statistics& rows, Query& query, KeyRing& ring,
                      const VisibleKeys<kM>& visible, int first_key, float scale_log2) {
  int slot = 0;
  ATTUNE_NO_UNROLL
  for (int key = first_key; key < ring.end_key; key += kTurn) {
    copy_async_wait<STAGES - 2>();
    warp_barrier();  // the step has arrived for all lanes; all are done with the one before, whose slot is
                     // next
    ring.load();
    float score[kM][kN][4];
    multiply_queries_keys(score, query, ring.keys_at(slot));
    visible.apply(score, key);
    float correction[2 * kM];
    if (raise_maximum(score, rows, correction, scale_log2)) rescale(output, correction);
    add_values(output, score, rows, ring.values_at(slot), scale_log2);
    slot = KeyRing::after(slot);
  }
}

// The warp's sums and statistics, for the block to add up.
ATTUNE_FN void show_sums(const Shared<float>& memory, const Output& output, const Statistics& rows) {
  const int lane = lane_index(), first_row = BLOCK_M * warp_index();
  const Shared<float> sums = memory + kLayout.sums_offset() / 4;
  const Shared<float> statistics = memory + kLayout.statistics_offset() / 4;
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * kM; ++i) {
    const int row = first_row + 8 * i + lane / 4;
    const Shared<float> place = sums + (row * kLayout.sums_pitch() + 2 * (lane % 4));
    ATTUNE_UNROLL
    for (int n = 0; n < kDimV / 8; ++n) {
      const float(&tile)[4] = output.value[n / Output::kPanelTiles][i / 2][n % Output::kPanelTiles];
      place.store(8 * n, tile[2 * (i % 2)]);
      place.store(8 * n + 1, tile[2 * (i % 2) + 1]);
    }
    if (lane % 4 == 0) {
      statistics.store(2 * row, rows.maximum[i]);
      statistics.store(2 * row + 1, rows.sum[i]);
    }
  }
}

ATTUNE_FN void store_quad(const FlashDecodeParams& params, const PackedRows& rows, int row, int quad,
                          const Quad& sum, float factor) {
  const int column = 4 * quad;
  const Global<Element> o =
      Global<Element>(static_cast<Element*>(params.o.data)) + (rows.offset(params.o, row) + column);
  const u32 low = pack_pair<Element>(sum.value[0] * factor, sum.value[1] * factor);
  const u32 high = pack_pair<Element>(sum.value[2] * factor, sum.value[3] * factor);
  if (is_aligned(params, 3) && column + 4 <= HEAD_DIM_V) {
    const Global<u64> pairs(reinterpret_cast<u64*>(o.pointer));
    pairs.store(0, low | static_cast<u64>(high) << 32);
    return;
  }
  const u16 bits[4] = {static_cast<u16>(low), static_cast<u16>(low >> 16), static_cast<u16>(high),
                       static_cast<u16>(high >> 16)};
  ATTUNE_UNROLL
  for (int e = 0; e < 4; ++e) {
    if (column + e < HEAD_DIM_V) o.store(e, Element{bits[e]});
  }
}

ATTUNE_FN void store_lse(const FlashDecodeParams& params, const PackedRows& rows, int row,
                         const RowTotal& total) {
  if (params.lse == nullptr) return;
  const i64 head = static_cast<i64>(rows.batch) * params.heads_kv * params.heads_per_kv + rows.head(row);
  Global<float>(static_cast<float*>(params.lse))
      .store(head * params.seqlen_q + rows.query(row), log_sum_exp(total.maximum, total.sum, params.scale));
}

// Where the block `split` of a tile has its partial result.
template <typename Real>
ATTUNE_FN Global<Real> partial_of(const FlashDecodeParams& params, const Share& share, int split) {
  return Global<Real>(static_cast<Real*>(params.partials)) +
         (static_cast<i64>(share.tile) * params.splits + split) * kPartial.floats();
}

// Adds up what the warps have shown: O and LSE where the block has all keys, else a partial result.
ATTUNE_FN void merge_warps(const Shared<float>& memory, const FlashDecodeParams& params, const Share& share) {
  const Shared<float> sums = memory + kLayout.sums_offset() / 4;
  const Shared<float> statistics = memory + kLayout.statistics_offset() / 4;
  ATTUNE_NO_UNROLL
  for (int i = thread_index(); i < share.rows.count * kQuads; i += kThreads) {
    const int row = i / kQuads, quad = i % kQuads;
    RowTotal total{-infinity(), 0};
    ATTUNE_UNROLL
    for (int warp = 0; warp < WARPS; ++warp)
      total.maximum = maximum(total.maximum, statistics.load(2 * (warp * BLOCK_M + row)));
    Quad sum{};
    ATTUNE_UNROLL
    for (int warp = 0; warp < WARPS; ++warp) {
      const int place = warp * BLOCK_M + row;
      const float weight = weight_of(statistics.load(2 * place), total.maximum, params.scale_log2);
      total.sum = multiply_add(weight, statistics.load(2 * place + 1), total.sum);
      sum.add(sums.load16(place * kLayout.sums_pitch() + 4 * quad), weight);
    }
    if (params.splits == 1) {
      store_quad(params, share.rows, row, quad, sum, normalising(total.sum));
      if (quad == 0) store_lse(params, share.rows, row, total);
      continue;
    }
    const Global<float> partial = partial_of<float>(params, share, share.split);
    partial.store16(kPartial.sums_offset(row) + 4 * quad, sum.bytes());
    if (quad == 0) {
      partial.store(kPartial.statistics_offset(row), total.maximum);
      partial.store(kPartial.statistics_offset(row) + 1, total.sum);
    }
  }
}

// True in the block that arrives last, which sees the partial results of all.
ATTUNE_FN bool is_last(const Shared<float>& memory, const FlashDecodeParams& params, const Share& share) {
  const Shared<u32> word = memory.as<u32>() + kLayout.word_offset() / 4;
  block_barrier();
  if (thread_index() == 0) {
    const Global<u64> counter = Global<u64>(static_cast<u64*>(params.counters)) + share.tile;
    word.store(0, arrive_last(counter, static_cast<u32>(params.splits)) ? 1 : 0);
  }
  block_barrier();
  return word.load(0) != 0;
}

// Puts the partial results of a tile's splits together.
ATTUNE_FN void merge_splits(const Shared<float>& memory, const FlashDecodeParams& params,
                            const Share& share) {
  const Global<const float> first = partial_of<const float>(params, share, 0);
  const auto weights_of = [&](int row) {
    return memory + (kLayout.weights_offset() / 4 + row * PartialResultsLayout::kMostSplits);
  };
  ATTUNE_NO_UNROLL
  for (int row = warp_index(); row < share.rows.count; row += WARPS) {
    const RowTotal total = weigh_splits(weights_of(row), first + kPartial.statistics_offset(row),
                                        kPartial.floats(), params.splits, params.scale_log2);
    if (lane_index() == 0) store_lse(params, share.rows, row, total);
  }
  block_barrier();
  ATTUNE_NO_UNROLL
  for (int i = thread_index(); i < share.rows.count * kQuads; i += kThreads) {
    const int row = i / kQuads, quad = i % kQuads;
    const Quad sum = sum_of_splits(first + (kPartial.sums_offset(row) + 4 * quad), kPartial.floats(),
                                   params.splits, weights_of(row));
    store_quad(params, share.rows, row, quad, sum, 1);
  }
}

}  // namespace attune

ATTUNE_KERNEL_BLOCKS(flash_decode, FlashDecodeParams, 32 * WARPS, BLOCKS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  if constexpr (BEGINS_EARLY != 0) {
    await_previous_launch();
    release_next_launch();
  }
  const Share share = share_of_block(static_cast<u32>(block_index()), params);
  const Shared<Element> memory = dynamic_shared<Element>(0);
  const QueryTile q_tile{memory};
  load_packed_rows<BLOCK_M, HEAD_DIM, kDim, kThreads>(q_tile, params.q, share.rows, is_aligned(params, 0),
                                                      Element{});
  copy_async_commit();
  const int first_key = share.first_key + BLOCK_N * warp_index();
  KeyRing ring(memory + kLayout.ring_offset(warp_index()) / ELEMENT_BYTES, params, share, first_key);
  ATTUNE_UNROLL
  for (int step = 0; step < STAGES - 1; ++step)
    ring.load();

  Output output;
  Statistics rows;
  for (auto& panel : output.value)
    clear(panel);
  clear(rows);
  const auto visible = VisibleKeys<kM>::of<CAUSAL_MASK != 0>(share.rows, params.keys, params.diagonal);
  Query query(q_tile);
  copy_async_wait<STAGES - 1>();
  block_barrier();  // Q is there for everybody
  query.fetch();
  attend(output, rows, query, ring, visible, first_key, params.scale_log2);

  quad_sum(rows.sum);
  block_barrier();  // everybody is done with the rings
  show_sums(memory.as<float>(), output, rows);
  block_barrier();
  merge_warps(memory.as<float>(), params, share);
  if (params.splits > 1 && is_last(memory.as<float>(), params, share))
    merge_splits(memory.as<float>(), params, share);
}
