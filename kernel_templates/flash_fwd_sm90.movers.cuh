// The shared memory of flash_fwd_sm90, and the threads that move tiles into it and out of it: a part of
// flash_fwd_sm90.cuh, whose constants it uses.
#pragma once

namespace attune {

// Panels are whole in shared memory: columns beyond the head dimension are zeros.
constexpr int kColumns = 64 * FlashFwdSm90Layout::panels(HEAD_DIM);
constexpr int kColumnsV = 64 * FlashFwdSm90Layout::panels(HEAD_DIM_V);
using TileQ = PanelTile<Element, kColumns, kWarpgroupRows>;
using TileK = PanelTile<Element, kColumns, BLOCK_N>;
using TileV = PanelTile<Element, kColumnsV, BLOCK_N>;
using TileO = PanelTile<Element, kColumnsV, kWarpgroupRows>;
using Position = RingPosition<STAGES>;
using Barriers = RingBarriers<STAGES>;
using RowPosition = RingPosition<kLayout.row_slots()>;
using RowBarriers = RingBarriers<kLayout.row_slots()>;
using Walk = TileWalk<BLOCK_M, kCausal, PERSISTENT != 0>;

// What a consumer computes of a tile: 64 rows, from the first step in which any of them sees a key. Its row
// mover, who has the time, works it out and leaves it beside the Q.
struct Piece {
  int first_row;
  int head;
  int batch;
  int first_key;     // of the first step
  int hidden_steps;  // of the tile, before that one: for rows of other consumers
  int is_last;       // of the block

  ATTUNE_FN void write(Shared<int> place) const {
    place.store(0, first_row);
    place.store(1, head);
    place.store(2, batch);
    place.store(3, first_key);
    place.store(4, hidden_steps);
    place.store(5, is_last);
  }
  ATTUNE_FN static Piece read(Shared<int> place) {
    return {place.load(0), place.load(1), place.load(2), place.load(3), place.load(4), place.load(5)};
  }
};
static_assert(sizeof(Piece) == FlashFwdSm90Layout::piece_bytes());

struct Memory {
  Shared<Element> start;

  ATTUNE_FN TileQ q(int consumer, int slot) const { return {rows(consumer, slot)}; }
  ATTUNE_FN TileO o(int consumer, int slot) const { return {rows(consumer, slot)}; }
  ATTUNE_FN TileO shared_o() const { return {start + kLayout.o_offset() / ELEMENT_BYTES}; }
  ATTUNE_FN TileK k(int slot) const {
    return {start + (kLayout.k_offset(0) / ELEMENT_BYTES + slot * (kLayout.k_tile_bytes() / ELEMENT_BYTES))};
  }
  ATTUNE_FN TileV v(int slot) const {
    return {start + (kLayout.v_offset(0) / ELEMENT_BYTES + slot * (kLayout.v_tile_bytes() / ELEMENT_BYTES))};
  }
  // Of a consumer's row slots: full of Q; and empty, which only those of unstaged outputs are told to be.
  ATTUNE_FN RowBarriers row_barriers(int consumer) const {
    return {start.as<u64>() + (kLayout.row_barriers_offset(0) / 8 + 3 * kLayout.row_slots() * consumer)};
  }
  // The slot is full of O.
  ATTUNE_FN Shared<u64> o_full(int consumer, int slot) const {
    return row_barriers(consumer).start + (2 * kLayout.row_slots() + slot);
  }
  ATTUNE_FN Barriers k_barriers() const { return {start.as<u64>() + kLayout.k_barriers_offset() / 8}; }
  ATTUNE_FN Barriers v_barriers() const { return {start.as<u64>() + kLayout.v_barriers_offset() / 8}; }
  ATTUNE_FN Shared<u64> turns() const { return start.as<u64>() + kLayout.turns_offset() / 8; }
  ATTUNE_FN Shared<u64> output_turns() const { return start.as<u64>() + kLayout.output_turns_offset() / 8; }
  ATTUNE_FN Shared<u64> output_full() const { return start.as<u64>() + kLayout.output_full_offset() / 8; }
  ATTUNE_FN Shared<int> piece(int consumer, int slot) const {
    constexpr int kWords = kLayout.piece_bytes() / 4;
    return start.as<int>() +
           (kLayout.piece_offset(0, 0) / 4 + (consumer * kLayout.row_slots() + slot) * kWords);
  }

  ATTUNE_FN void init_barriers() const {
    constexpr u32 kWarps = 4;  // of a warpgroup
    ATTUNE_UNROLL
    for (int consumer = 0; consumer < kConsumers; ++consumer) {
      row_barriers(consumer).init(kWarps);
      ATTUNE_UNROLL
      for (int slot = 0; slot < kLayout.row_slots(); ++slot)
        mbarrier_init(o_full(consumer, slot), kWarps);
    }
    k_barriers().init(kWarps * kConsumers);
    v_barriers().init(kWarps * kConsumers);
    Turns<kConsumers>::init(turns());
    if constexpr (kSharesOutput) {
      Turns<kConsumers>::init(output_turns(), 1);
      mbarrier_init(output_full(), kWarps);
    }
  }

 private:
  ATTUNE_FN Shared<Element> rows(int consumer, int slot) const {
    constexpr int kSlotElements = kLayout.row_slot_bytes() / ELEMENT_BYTES;
    return start + (consumer * kLayout.row_slots() + slot) * kSlotElements;
  }
};

// The first key of the first step of ROWS rows from `first_row` on: of a tile, or of a consumer's part. They
// take one step at least, in which all keys may be masked.
template <int ROWS>
ATTUNE_FN int first_key_of(int first_row, const FlashFwdSm90Params& params) {
  const int blocks = visible_key_blocks<ROWS, BLOCK_N, kCausal>(first_row, params.seqlen_q, params.seqlen_kv,
                                                                params.diagonal);
  return blocks > 1 ? (blocks - 1) * BLOCK_N : 0;
}

ATTUNE_FN void prefetch_maps(const FlashFwdSm90Params& params) {
  prefetch_map(params.q_map);
  prefetch_map(params.k_map);
  prefetch_map(params.v_map);
  if constexpr (kStagesOutput || kSharesOutput) prefetch_map(params.o_map);
}

// Starts copying a tile's rows from `row` on, panel by panel.
template <int ROW_CHUNKS, int ROWS>
ATTUNE_FN void copy_tile(const SharedTile<Element, ROW_CHUNKS, ROWS>& tile, const TensorMap& map,
                         Shared<u64> barrier, int row, int head, int batch) {
  ATTUNE_UNROLL
  for (int panel = 0; panel < ROW_CHUNKS / 8; ++panel)
    copy_panel(tile.data + panel * tile.kPanelElements, map, barrier, panel, row, head, batch);
}

// Has K and V copied, in the order of their use by the consumers. One thread does it.
struct Producer {
  const FlashFwdSm90Params& params;
  const Memory& memory;
  Walk walk;
  Position at_k, at_v;

  ATTUNE_FN void load_tiles() {
    TileCoordinates tile;
    bool is_first = true;
    ATTUNE_NO_UNROLL
    while (walk.next(tile)) {
      const int kv_head = static_cast<int>(quotient(static_cast<u32>(tile.head), params.heads_per_kv));
      int first_key = first_key_of<BLOCK_M>(tile.first_row, params);
      load_keys(first_key, kv_head, tile.batch);
      if (is_first) await_first_operands();
      is_first = false;
      ATTUNE_NO_UNROLL
      for (; first_key > 0; first_key -= BLOCK_N) {  // V comes a step behind K, as its use does
        load_keys(first_key - BLOCK_N, kv_head, tile.batch);
        load_values(first_key, kv_head, tile.batch);
      }
      load_values(0, kv_head, tile.batch);
    }
  }

 private:
  // What the first scores are made of has come: at a launch's beginning all blocks ask at once, and what is
  // asked for together comes together.
  // NOTE: not Q whose place is filled again before values are asked for. A phase behind, its barrier would be
  // as it was before the first, and the block would wait for ever.
  ATTUNE_FN void await_first_operands() const {
    memory.k_barriers().await_full({});
    if constexpr (kStagesOutput || PERSISTENT == 0) {
      ATTUNE_UNROLL
      for (int consumer = 0; consumer < kConsumers; ++consumer)
        memory.row_barriers(consumer).await_full({});
    }
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

// Has the Q of a consumer's tiles copied and, where it is staged, the O that the consumer leaves in its place
// stored. One thread does it: the producer is busy with keys, and a consumer waits for no copy of its rows.
struct RowMover {
  const FlashFwdSm90Params& params;
  const Memory& memory;
  int consumer;
  RowPosition at_q, at_o;
  // Tiles whose Q is asked for, and the next one. Every block has one at least (lib/kernels/tile_walk.h).
  Walk ahead;
  TileCoordinates next;
  bool has_next;
  int group;  // which 64 rows of that one are the consumer's

  ATTUNE_FN RowMover(const FlashFwdSm90Params& params, const Memory& memory, const Walk& walk, int consumer)
      : params(params),
        memory(memory),
        consumer(consumer),
        ahead(walk),
        next{},
        has_next(ahead.next(next)),
        group(consumer) {}

  ATTUNE_FN void move_tiles() {
    load_next();
    if constexpr (kStagesOutput) {
      // The Q of a tile goes where the O of another one has left. The first Q is there before others are
      // asked for, which would only be in the way of the first keys.
      memory.row_barriers(consumer).await_full({});
      ATTUNE_NO_UNROLL
      for (int slot = 1; slot < kLayout.row_slots() && has_next; ++slot)
        load_next();
      ATTUNE_NO_UNROLL
      while (!store_outputs())
        if (has_next) load_next();
    } else {
      ATTUNE_NO_UNROLL
      while (has_next) {
        const Piece piece = take_next();  // while the slot is still in use
        memory.row_barriers(consumer).await_empty(at_q);
        load(piece);
      }
    }
  }

 private:
  ATTUNE_FN Piece piece_of(const TileCoordinates& tile) const {
    Piece piece = {tile.first_row + kWarpgroupRows * group, tile.head, tile.batch, 0, 0, 0};
    const int first_key = first_key_of<BLOCK_M>(tile.first_row, params);
    // Rows beyond the last one are as if they saw all that the tile sees.
    piece.first_key = piece.first_row >= params.seqlen_q
                          ? first_key
                          : first_key_of<kWarpgroupRows>(piece.first_row, params);
    piece.hidden_steps = (first_key - piece.first_key) / BLOCK_N;
    return piece;
  }
  ATTUNE_FN Piece take_next() {
    Piece piece = piece_of(next);
    has_next = ahead.next(next);
    piece.is_last = !has_next;
    // Next time it has other rows: the last of a tile see more keys under a causal mask, or none are there.
    group = next_in_turn<kConsumers>(group);
    return piece;
  }
  ATTUNE_FN void load_next() { load(take_next()); }
  ATTUNE_FN void load(const Piece& piece) {
    piece.write(memory.piece(consumer, at_q.slot));
    const Shared<u64> full = memory.row_barriers(consumer).full(at_q);
    mbarrier_expect(full, kLayout.q_tile_bytes());
    copy_tile(memory.q(consumer, at_q.slot), params.q_map, full, piece.first_row, piece.head, piece.batch);
    at_q.advance();
  }
  // True when it was the last.
  ATTUNE_FN bool store_outputs() {
    mbarrier_wait(memory.o_full(consumer, at_o.slot), at_o.phase);
    const Piece piece = Piece::read(memory.piece(consumer, at_o.slot));
    start_store<HEAD_DIM_V>(params.o_map, memory.o(consumer, at_o.slot), piece.first_row, piece.head,
                            piece.batch);
    bulk_wait_read<0>();
    at_o.advance();
    return piece.is_last != 0;
  }
};

// Has the O stored that consumers leave in one place in turn, and passes the turns on when it is read. One
// thread does it.
struct OutputMover {
  const FlashFwdSm90Params& params;
  const Memory& memory;
  Walk walk;

  ATTUNE_FN void move_tiles() {
    TileCoordinates tile;
    int group = 0;  // which 64 rows of the tile are the next to be stored: consumer 0's
    u32 phase = 0;
    ATTUNE_NO_UNROLL
    while (walk.next(tile)) {
      ATTUNE_NO_UNROLL
      for (int consumer = 0; consumer < kConsumers; ++consumer) {
        mbarrier_wait(memory.output_full(), phase);
        phase ^= 1;
        start_store<HEAD_DIM_V>(params.o_map, memory.shared_o(), tile.first_row + kWarpgroupRows * group,
                                tile.head, tile.batch);
        bulk_wait_read<0>();
        mbarrier_arrive(memory.output_turns() + next_in_turn<kConsumers>(consumer));
        group = next_in_turn<kConsumers>(group);
      }
      group = next_in_turn<kConsumers>(group);  // as row movers do: consumers have other rows now
    }
  }
};

}  // namespace attune
