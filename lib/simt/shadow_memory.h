// ShadowMemory: for each two bytes of shared memory, who wrote it last and who read it since, and when. Two
// accesses race when one of them writes and neither a block barrier nor, within a warp, a warp barrier lies
// between them.
//
// NOTE: single bytes within those two are not told apart; elements of 8 bits would need a finer granule.
// Whether a race is found depends on the barriers alone, not on the order in which the threads happened to
// run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/phase_log.h"
#include "simt/stamp.h"

namespace attune::simt {

// The access that another one may not meet.
struct Conflict {
  Stamp earlier;
  bool earlier_wrote = false;
  bool in_flight = false;  // earlier is an asynchronous copy that has not been waited for
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

  explicit ShadowMemory(const PhaseLog& phases) : phases_(phases) {}

  // For `bytes` of shared memory; forgets everything.
  void reset(size_t bytes);
  // Copies in flight end with their block.
  void begin_block();

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

  static bool read_record(Record& record, Stamp me) {
    if (!record.writer.before(me)) return false;
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
  static bool write_record(Record& record, Stamp me) {
    const bool ordered = record.writer.before(me) && record.reader.before(me) &&
                         record.reader_of_other_warp.before(me) && record.reader_of_same_warp.before(me);
    if (ordered) record = Record{me, Stamp(), Stamp(), Stamp()};
    return ordered;
  }

  bool read_part(size_t line, int64_t offset, int bytes, Stamp me);
  bool write_part(size_t line, int64_t offset, int bytes, Stamp me);
  Record* split(size_t line);
  bool in_conflict(const Record& record, Stamp me, int64_t offset, bool write);
  bool in_conflict_with_copy(Stamp issuer, int64_t offset);
  bool has_seen(size_t line, Stamp me) const;

  const PhaseLog& phases_;
  std::vector<LineState> states_;
  std::vector<Record> lines_;
  std::vector<Record> granules_;            // of split lines
  std::vector<TensorWrite> tensor_writes_;  // of guarded lines, and of those that become such
  Conflict conflict_;
};

}  // namespace attune::simt
