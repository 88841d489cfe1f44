#include "simt/shared_memory.h"

#include <cstring>

#include "base/error.h"
#include "simt/waiting.h"

namespace attune::simt {
namespace {

constexpr int kLine = ShadowMemory::kLine;
constexpr size_t kAlignment = 1024;  // as templates declare it for a GPU
constexpr int kPoison = 0xff;

const char* name_of(bool write) {
  return write ? "store" : "load";
}

}  // namespace

void SharedMemory::reset(size_t bytes) {
  if (bytes > capacity_) {
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    memory_.reset(static_cast<unsigned char*>(std::aligned_alloc(kAlignment, rounded)));
    capacity_ = memory_ ? rounded : 0;
    if (!memory_) fail(ATTUNE_ERROR_OUT_OF_MEMORY, "no memory for {} bytes of shared memory", bytes);
  }
  bytes_ = static_cast<int64_t>(bytes);
  end_ = 0;
  shadow_.reset(bytes);
  sites_.clear();
}

void SharedMemory::begin_block(uint32_t first_epoch) {
  if (bytes_ > 0) std::memset(memory_.get(), kPoison, static_cast<size_t>(bytes_));
  shadow_.begin_block(first_epoch);
}

unsigned char* SharedMemory::misplaced(int64_t offset, int bytes, bool write) {
  if (offset < 0 || offset + bytes > bytes_) {
    fault_ = fmt::format("{} of {} bytes at shared byte {} is out of bounds: the block has {} bytes",
                         name_of(write), bytes, offset, bytes_);
  } else {
    fault_ = fmt::format("misaligned {} of {} bytes at shared byte {}: must be a multiple of {}",
                         name_of(write), bytes, offset, bytes);
  }
  return nullptr;
}

// "thread 3 wrote by an asynchronous copy (tile/load.cuh:25)".
std::string SharedMemory::describe(Stamp stamp, bool wrote) const {
  const attune_simt_site site = sites_.at(stamp.site());
  const char* how = stamp.kind() == AccessKind::async_copy     ? " by an asynchronous copy"
                    : stamp.kind() == AccessKind::tensor_copy  ? " by a tensor copy"
                    : stamp.kind() == AccessKind::matrix_load  ? " by load_matrices"
                    : stamp.kind() == AccessKind::product      ? " by multiply_warpgroup"
                    : stamp.kind() == AccessKind::matrix_store ? " by store_matrices"
                    : stamp.kind() == AccessKind::tensor_store ? " by a tensor store"
                                                               : "";
  return fmt::format("thread {} {}{}{}", stamp.thread(), wrote ? "wrote" : "read", how,
                     site.file ? fmt::format(" ({})", to_string(site)) : "");
}

unsigned char* SharedMemory::conflicting(int64_t offset, int bytes, bool write, Stamp me) {
  const Conflict& conflict = shadow_.conflict();
  const Stamp earlier = conflict.earlier;
  if (conflict.in_flight && earlier.kind() == AccessKind::tensor_copy) {
    fault_ = fmt::format(
        "{} of {} bytes at shared byte {}, where a tensor copy is in flight: {}, and thread {} has not "
        "waited for "
        "it on its mbarrier",
        name_of(write), bytes, offset, describe(earlier, true), me.thread());
  } else if (conflict.in_flight && earlier.kind() == AccessKind::product) {
    fault_ = fmt::format(
        "{} of {} bytes at shared byte {}, which an unfinished product reads: {}, and no warpgroup_wait of "
        "thread {} has covered it",
        name_of(write), bytes, offset, describe(earlier, false), me.thread());
  } else if (conflict.in_flight && earlier.kind() == AccessKind::tensor_store) {
    fault_ = fmt::format(
        "{} of {} bytes at shared byte {}, which an unfinished tensor store reads: {}, and no bulk_wait_read "
        "of that thread has covered it",
        name_of(write), bytes, offset, describe(earlier, false));
  } else if (conflict.in_flight) {
    fault_ = fmt::format(
        "{} of {} bytes at shared byte {}, where an asynchronous copy is in flight: {}, and no "
        "copy_async_wait of that thread has covered it",
        name_of(write), bytes, offset, describe(earlier, true));
  } else {
    fault_ = fmt::format("data race on shared byte {}: {}, then {}, with no {} between", conflict.offset,
                         describe(earlier, conflict.earlier_wrote), describe(me, write),
                         earlier.warp() == me.warp() ? "block_barrier or warp_barrier" : "block_barrier");
  }
  return nullptr;
}

const unsigned char* SharedMemory::read_by_product(int64_t offset, std::span<const Stamp> readers,
                                                   uint32_t product) {
  if (offset < 0 || offset + kLine > bytes_) return misplaced(offset, kLine, false);
  if (!shadow_.read_by_product(offset, readers, product))
    return conflicting(offset, kLine, false, readers.front());
  if (offset + kLine > end_) end_ = offset + kLine;
  return bytes_at(offset);
}

bool SharedMemory::begin_tensor_store(int64_t offset, int bytes, Stamp issuer) {
  if (offset < 0 || offset + kLine > bytes_) return misplaced(offset, kLine, false) != nullptr;
  switch (shadow_.begin_tensor_store(offset, bytes, issuer)) {
    case ShadowMemory::StoreStart::good:
      if (offset + bytes > end_) end_ = offset + bytes;
      return true;
    case ShadowMemory::StoreStart::conflict:
      return conflicting(offset, bytes, false, issuer) != nullptr;
    case ShadowMemory::StoreStart::never_written:
      fault_ = fmt::format("a tensor store of shared byte {}, which nobody in this block wrote",
                           shadow_.conflict().offset);
      return false;
    case ShadowMemory::StoreStart::not_fenced:
      fault_ = fmt::format(
          "a tensor store of shared byte {}: {}, and did not call async_proxy_fence between that and a "
          "barrier before the store",
          shadow_.conflict().offset, describe(shadow_.conflict().earlier, true));
      return false;
  }
  return false;
}

bool SharedMemory::begin_copy(int64_t offset, Stamp me) {
  return is_line(offset) && poison(offset, shadow_.begin_copy(offset, me), me);
}

bool SharedMemory::begin_tensor_copy(int64_t offset, Stamp issuer, ShadowMemory::Guard guard) {
  return is_line(offset) && poison(offset, shadow_.begin_tensor_copy(offset, issuer, guard), issuer);
}

bool SharedMemory::is_line(int64_t offset) {
  if (offset >= 0 && offset + kLine <= bytes_ && offset % kLine == 0) return true;
  misplaced(offset, kLine, true);
  return false;
}

bool SharedMemory::poison(int64_t offset, bool allowed, Stamp me) {
  if (!allowed) return conflicting(offset, kLine, true, me) != nullptr;
  if (offset + kLine > end_) end_ = offset + kLine;
  std::memset(bytes_at(offset), kPoison, kLine);
  return true;
}

}  // namespace attune::simt
