#include "simt/shadow_memory.h"

#include <algorithm>

namespace attune::simt {
namespace {

constexpr int kGranules = ShadowMemory::kLine / ShadowMemory::kGranule;

// The granules of its line that an access touches: [first, end).
int first_granule(int64_t offset) {
  return static_cast<int>(offset % ShadowMemory::kLine) / ShadowMemory::kGranule;
}
int end_granule(int64_t offset, int bytes) {
  return (static_cast<int>(offset % ShadowMemory::kLine) + bytes + ShadowMemory::kGranule - 1) /
         ShadowMemory::kGranule;
}

}  // namespace

void ShadowMemory::reset(size_t bytes) {
  const size_t lines = (bytes + kLine - 1) / kLine;
  lines_.assign(lines, Record{});
  states_.assign(lines, kWhole);
  granules_.resize(lines * kGranules);
  tensor_writes_.resize(lines);
  products_.reset(lines);
  store_reads_.reset(lines);
}

void ShadowMemory::begin_block(uint32_t first_epoch) {
  std::replace_if(
      states_.begin(), states_.end(), [](LineState state) { return state == kCopying || state == kGuarded; },
      kWhole);
  products_.begin_block();
  store_reads_.begin_block();
  fences_.begin_block();
  first_epoch_ = first_epoch;
  seen_.warp = -1;
}

bool ShadowMemory::in_conflict(const Record& record, Stamp me, int64_t offset, bool write) {
  conflict_ = {.earlier = record.writer, .earlier_wrote = true, .in_flight = false, .offset = offset};
  if (!is_over(record.writer, me) || !write) return false;
  conflict_.earlier_wrote = false;
  for (const Stamp reader : {record.reader_of_same_warp, record.reader_of_other_warp, record.reader}) {
    if (!is_over(reader, me)) conflict_.earlier = reader;
  }
  return false;
}

bool ShadowMemory::in_conflict_with_copy(Stamp issuer, int64_t offset) {
  conflict_ = {.earlier = issuer, .earlier_wrote = true, .in_flight = true, .offset = offset};
  return false;
}

ShadowMemory::Record* ShadowMemory::split(size_t line) {
  Record* first = &granules_[line * kGranules];
  if (states_[line] == kWhole) {
    std::fill_n(first, kGranules, lines_[line]);
    states_[line] = kSplit;
  }
  return first;
}

bool ShadowMemory::has_seen_guard(size_t line, int thread) const {
  const Guard guard = tensor_writes_[line].guard;
  return knowledge_.has_seen_phase(thread, guard.barrier, guard.phase);
}

bool ShadowMemory::in_conflict_with_product(size_t line, Stamp me, int64_t offset) {
  const int warp = products_.unseen_warp(line, me.thread(), knowledge_);
  const Stamp issue = products_.issue(line, warp);
  conflict_ = {.earlier = Stamp(32 * warp, issue.kind(), issue.site(), issue.block_epoch(), 0),
               .earlier_wrote = false,
               .in_flight = warp == me.warp(),
               .offset = offset};
  return false;
}

bool ShadowMemory::in_conflict_with_store(size_t line, int64_t offset) {
  conflict_ = {
      .earlier = store_reads_.issue(line), .earlier_wrote = false, .in_flight = true, .offset = offset};
  return false;
}

// Every lane of the warps: the product waits for nobody.
bool ShadowMemory::warps_have_seen_guard(size_t line, std::span<const Stamp> readers) {
  const Guard guard = tensor_writes_[line].guard;
  for (const Stamp reader : readers) {
    for (int lane = 0; lane < 32; ++lane) {
      if (!knowledge_.has_seen_phase(32 * reader.warp() + lane, guard.barrier, guard.phase)) return false;
    }
  }
  return true;
}

bool ShadowMemory::read_by_product(int64_t offset, std::span<const Stamp> readers, uint32_t product) {
  const auto line = static_cast<size_t>(offset / kLine);
  const int warp = readers.front().warp();
  const int warps = readers.back().warp() - warp + 1;
  if (states_[line] == kCopying) return in_conflict_with_copy(lines_[line].writer, offset);
  if (states_[line] == kGuarded) {
    const Guard guard = tensor_writes_[line].guard;
    const bool known = seen_.warp == warp && seen_.warps == warps && seen_.product == product &&
                       seen_.guard.barrier == guard.barrier && seen_.guard.phase == guard.phase;
    if (!known && !warps_have_seen_guard(line, readers))
      return in_conflict_with_copy(tensor_writes_[line].issuer, offset);
    seen_ = {guard, product, warp, warps};
  } else {
    const Record* records = states_[line] == kSplit ? &granules_[line * kGranules] : &lines_[line];
    const int count = states_[line] == kSplit ? kGranules : 1;
    for (int i = 0; i < count; ++i) {
      for (const Stamp reader : readers) {
        if (!is_over(records[i].writer, reader))
          return in_conflict(records[i], reader, offset + i * kGranule, false);
      }
    }
  }
  products_.add(line, warp, warps, product);
  return true;
}

bool ShadowMemory::read_part(size_t line, int64_t offset, int bytes, Stamp me) {
  if (states_[line] == kCopying) return in_conflict_with_copy(lines_[line].writer, offset);
  if (states_[line] == kGuarded) {
    if (!has_seen_guard(line, me.thread())) return in_conflict_with_copy(tensor_writes_[line].issuer, offset);
    return read_record(lines_[line], me) || in_conflict(lines_[line], me, offset, false);
  }
  Record* records = split(line);
  for (int i = first_granule(offset); i < end_granule(offset, bytes); ++i) {
    if (!read_record(records[i], me)) {
      return in_conflict(records[i], me, static_cast<int64_t>(line) * kLine + i * kGranule, false);
    }
  }
  return true;
}

bool ShadowMemory::write_part(size_t line, int64_t offset, int bytes, Stamp me) {
  if (states_[line] == kCopying) return in_conflict_with_copy(lines_[line].writer, offset);
  if (states_[line] == kGuarded) {
    if (!has_seen_guard(line, me.thread())) return in_conflict_with_copy(tensor_writes_[line].issuer, offset);
    states_[line] = kWhole;
    if (bytes == kLine) return write_record(lines_[line], me) || in_conflict(lines_[line], me, offset, true);
  }
  Record* records = split(line);
  for (int i = first_granule(offset); i < end_granule(offset, bytes); ++i) {
    if (!write_record(records[i], me)) {
      return in_conflict(records[i], me, static_cast<int64_t>(line) * kLine + i * kGranule, true);
    }
  }
  if (bytes == kLine) {  // all granules are alike again
    lines_[line] = records[0];
    states_[line] = kWhole;
  }
  return true;
}

bool ShadowMemory::begin_copy(int64_t offset, Stamp me) {
  if (!write(offset, kLine, me)) return false;
  states_[static_cast<size_t>(offset / kLine)] = kCopying;
  return true;
}

bool ShadowMemory::begin_tensor_copy(int64_t offset, Stamp issuer, Guard guard) {
  if (!begin_copy(offset, issuer)) return false;
  tensor_writes_[static_cast<size_t>(offset / kLine)] = {issuer, guard};
  return true;
}

void ShadowMemory::end_tensor_copy(int64_t offset) {
  const auto line = static_cast<size_t>(offset / kLine);
  states_[line] = kGuarded;
  lines_[line] = Record{by_copy_engine(), Stamp(), Stamp(), Stamp()};
}

void ShadowMemory::end_copy(int64_t offset, Stamp me) {
  const auto line = static_cast<size_t>(offset / kLine);
  states_[line] = kWhole;
  lines_[line] = Record{me, Stamp(), Stamp(), Stamp()};
}

ShadowMemory::StoreStart ShadowMemory::may_be_stored(const Record& record, Stamp issuer, int64_t offset) {
  const Stamp writer = record.writer;
  conflict_ = {.earlier = writer, .earlier_wrote = true, .in_flight = false, .offset = offset};
  if (writer == by_copy_engine()) return StoreStart::good;
  if (writer.block_epoch() < first_epoch_ || writer == Stamp()) return StoreStart::never_written;
  if (!is_over(writer, issuer)) return StoreStart::conflict;
  const Stamp* fence = fences_.first_after(writer);
  return fence && is_over(*fence, issuer) ? StoreStart::good : StoreStart::not_fenced;
}

ShadowMemory::StoreStart ShadowMemory::begin_tensor_store(int64_t offset, int bytes, Stamp issuer) {
  const auto line = static_cast<size_t>(offset / kLine);
  if (states_[line] == kCopying) {
    in_conflict_with_copy(lines_[line].writer, offset);
    return StoreStart::conflict;
  }
  if (states_[line] == kGuarded) {  // the copy engine's own write
    if (!has_seen_guard(line, issuer.thread())) {
      in_conflict_with_copy(tensor_writes_[line].issuer, offset);
      return StoreStart::conflict;
    }
  } else {
    const bool split = states_[line] == kSplit;
    const Record* records = split ? &granules_[line * kGranules] : &lines_[line];
    for (int i = 0; i < (split ? end_granule(0, bytes) : 1); ++i) {
      const StoreStart start = may_be_stored(records[i], issuer, offset + i * kGranule);
      if (start != StoreStart::good) return start;
    }
  }
  store_reads_.begin(line, issuer);
  return StoreStart::good;
}

void ShadowMemory::end_tensor_store(int64_t offset, int bytes, Stamp me) {
  const auto line = static_cast<size_t>(offset / kLine);
  store_reads_.end(line);
  if (states_[line] != kSplit) {
    read_record(lines_[line], me);
    return;
  }
  for (int i = 0; i < end_granule(0, bytes); ++i)
    read_record(granules_[line * kGranules + static_cast<size_t>(i)], me);
}

}  // namespace attune::simt
