// ShadowMemory: for each two bytes of shared memory, who wrote it last and who read it since, and when. Two
// accesses race when one of them writes and neither a barrier of both threads nor an arrival at an mbarrier
// and a wait there lies between them.
//
// NOTE: single bytes within those two are not told apart; elements of 8 bits would need a finer granule.
// Whether a race is found depends on the barriers alone, not on the order in which the threads happened to
// run; only where arrivals at mbarriers order some readers and not others, the reader that a write races with
// may be one that is no longer remembered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simt/knowledge.h"
#include "simt/product_reads.h"
#include "simt/proxy_fences.h"
#include "simt/stamp.h"
#include "simt/store_reads.h"

namespace attune::simt {

// The access that another one may not meet.
struct Conflict {
  Stamp earlier;
  bool earlier_wrote = false;
  bool in_flight = false;  // earlier is an asynchronous copy, store or product that has not been waited for
  int64_t offset = 0;      // of the first byte concerned
};

class ShadowMemory {
 public:
  static constexpr int kGranule = 2;
  static constexpr int kLine = 16;

  // The phase of an mbarrier that shows a tensor copy to those who have waited for it.
  struct Guard {
    int barrier;
    uint32_t phase;
  };

  explicit ShadowMemory(const Knowledge& knowledge) : knowledge_(knowledge) {}

  // For `bytes` of shared memory; forgets everything.
  void reset(size_t bytes);
  // Copies in flight end with their block. What was written before its first epoch is none of its own.
  void begin_block(uint32_t first_epoch = 0);

  // `bytes` is a power of two, at most 16, and `offset` a multiple of it, within bounds. False: conflict()
  // says why not.
  bool read(int64_t offset, int bytes, Stamp me) {
    const auto line = static_cast<size_t>(offset / kLine);
    if (bytes == kLine && states_[line] == kWhole) {
      return read_record(lines_[line], me) || in_conflict(lines_[line], me, offset, false);
    }
    return read_part(line, offset, bytes, me);
  }
  bool write(int64_t offset, int bytes, Stamp me) {
    const auto line = static_cast<size_t>(offset / kLine);
    if (!products_are_over(line, me)) return in_conflict_with_product(line, me, offset);
    if (store_reads_.any(line)) return in_conflict_with_store(line, offset);
    if (bytes == kLine && states_[line] == kWhole) {
      return write_record(lines_[line], me) || in_conflict(lines_[line], me, offset, true);
    }
    return write_part(line, offset, bytes, me);
  }
  // Between the two, whoever touches the line is in conflict with the copy. The copy counts as made when it
  // ends: visible to its own thread then, to others after a barrier.
  bool begin_copy(int64_t offset, Stamp me);
  void end_copy(int64_t offset, Stamp me);
  // The same for a tensor copy: it is nobody's write, and visible to each thread that knows the guard's
  // phase.
  bool begin_tensor_copy(int64_t offset, Stamp issuer, Guard guard);
  void end_tensor_copy(int64_t offset);

  // A product that a warpgroup starts: from its first warp's stamp to its number.
  uint32_t begin_product(Stamp issue) { return products_.begin(issue.warp() / 4, issue); }
  // It reads the line for some warps, in each of which `readers` speak for the lanes: until they have waited
  // for it, nobody may write there.
  bool read_by_product(int64_t offset, std::span<const Stamp> readers, uint32_t product);

  // The thread has shown the copy engine what it wrote so far.
  void fence_proxy(Stamp me) { fences_.add(me); }
  // A store of the copy engine reads the line's first bytes, for the thread that starts it: at some moment
  // between the two, while nobody may write to the line. `end_tensor_store` is when its thread knows that it
  // is over. What is wrong with the start is in conflict(), too.
  enum class StoreStart { good, conflict, never_written, not_fenced };
  StoreStart begin_tensor_store(int64_t offset, int bytes, Stamp issuer);
  void end_tensor_store(int64_t offset, int bytes, Stamp me);

  const Conflict& conflict() const { return conflict_; }

 private:
  // Three readers are enough to find one that any later writer races with: the last one, one of another warp
  // than it, and one of the same warp as it.
  struct Record {
    Stamp writer;
    Stamp reader;
    Stamp reader_of_other_warp;
    Stamp reader_of_same_warp;
  };
  // Nearly all accesses are of whole lines, and then one record speaks for the line's eight granules.
  enum LineState : uint8_t { kWhole, kSplit, kCopying, kGuarded };
  struct TensorWrite {
    Stamp issuer;
    Guard guard;
  };

  bool is_over(Stamp earlier, Stamp me) const {
    return earlier.before(me) || knowledge_.has_seen(me.thread(), earlier);
  }
  bool read_record(Record& record, Stamp me) const {
    if (!is_over(record.writer, me)) return false;
    const Stamp last = record.reader;
    if (last == me) return true;
    if (last.block_epoch() < me.block_epoch()) {  // readers before a block barrier no longer matter
      record.reader_of_other_warp = record.reader_of_same_warp = Stamp();
    } else if (last.warp() != me.warp()) {
      record.reader_of_other_warp = last;
      record.reader_of_same_warp = Stamp();
    } else if (last.thread() != me.thread()) {
      record.reader_of_same_warp = last;
    }
    record.reader = me;
    return true;
  }
  bool write_record(Record& record, Stamp me) const {
    const bool ordered = is_over(record.writer, me) && is_over(record.reader, me) &&
                         is_over(record.reader_of_other_warp, me) && is_over(record.reader_of_same_warp, me);
    if (ordered) record = Record{me, Stamp(), Stamp(), Stamp()};
    return ordered;
  }

  bool read_part(size_t line, int64_t offset, int bytes, Stamp me);
  bool write_part(size_t line, int64_t offset, int bytes, Stamp me);
  Record* split(size_t line);
  bool in_conflict(const Record& record, Stamp me, int64_t offset, bool write);
  bool in_conflict_with_copy(Stamp issuer, int64_t offset);
  bool has_seen_guard(size_t line, int thread) const;
  bool products_are_over(size_t line, Stamp me) const {
    return products_.unseen_warp(line, me.thread(), knowledge_) == ProductReads::kNone;
  }
  bool in_conflict_with_product(size_t line, Stamp me, int64_t offset);
  // The writer of what a tensor copy brought in this block: over before the block began, as far as stamps
  // say.
  Stamp by_copy_engine() const {
    return Stamp(0, AccessKind::tensor_copy, 0, first_epoch_ > 0 ? first_epoch_ - 1 : 0, 0);
  }
  bool in_conflict_with_store(size_t line, int64_t offset);
  StoreStart may_be_stored(const Record& record, Stamp issuer, int64_t offset);
  bool warps_have_seen_guard(size_t line, std::span<const Stamp> readers);

  const Knowledge& knowledge_;
  std::vector<LineState> states_;
  std::vector<Record> lines_;
  std::vector<Record> granules_;            // of split lines
  std::vector<TensorWrite> tensor_writes_;  // of guarded lines, and of those that become such
  ProductReads products_;
  StoreReads store_reads_;
  ProxyFences fences_;
  uint32_t first_epoch_ = 0;  // of the block
  // The guard, and the readers of it, that the last product was found to have seen: its lines have few.
  struct {
    Guard guard{-1, 0};
    uint32_t product = 0;
    int warp = -1;  // the first of
    int warps = 0;
  } seen_;
  Conflict conflict_;
};

}  // namespace attune::simt
