// SharedMemory: the dynamic shared memory of the block that an OS thread is running, with every access
// checked.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "simt/shadow_memory.h"
#include "simt/site_table.h"

namespace attune::simt {

class SharedMemory {
 public:
  // `knowledge` is of the same block.
  explicit SharedMemory(const Knowledge& knowledge) : shadow_(knowledge) {}

  // For the blocks of one launch.
  void reset(size_t bytes);
  // Between blocks, for epochs to start again from the beginning.
  void forget_accesses() { shadow_.reset(static_cast<size_t>(bytes_)); }
  // Fills it with 0xff bytes: NaN in every float format. What the last block left there must not help.
  // `first_epoch`: of the block.
  void begin_block(uint32_t first_epoch);

  // Where an access lies; nullptr when it may not be, and then fault() says why. `bytes` is a power of two up
  // to 16 and the alignment.
  unsigned char* access(int64_t offset, int bytes, bool write, Stamp me) {
    if (offset < 0 || offset + bytes > bytes_ || (offset & (bytes - 1)) != 0)
      return misplaced(offset, bytes, write);
    const bool allowed = write ? shadow_.write(offset, bytes, me) : shadow_.read(offset, bytes, me);
    if (!allowed) return conflicting(offset, bytes, write, me);
    if (offset + bytes > end_) end_ = offset + bytes;
    return memory_.get() + offset;
  }

  // Between the two, the 16 bytes belong to an asynchronous copy of one thread and nobody may touch them.
  // `begin_copy` poisons them, and fails as access() does.
  bool begin_copy(int64_t offset, Stamp me);
  void end_copy(int64_t offset, Stamp me) { shadow_.end_copy(offset, me); }
  // The same for the copy engine, whose copies belong to no thread.
  bool begin_tensor_copy(int64_t offset, Stamp issuer, ShadowMemory::Guard guard);
  void end_tensor_copy(int64_t offset) { shadow_.end_tensor_copy(offset); }

  // Reads of 16 bytes by a product, as ShadowMemory has them. nullptr as for access().
  uint32_t begin_product(Stamp issue) { return shadow_.begin_product(issue); }
  const unsigned char* read_by_product(int64_t offset, std::span<const Stamp> readers, uint32_t product);

  // Reads of up to 16 bytes by the copy engine's stores, and the fence they need, as ShadowMemory has them.
  void fence_proxy(Stamp me) { shadow_.fence_proxy(me); }
  bool begin_tensor_store(int64_t offset, int bytes, Stamp issuer);
  void end_tensor_store(int64_t offset, int bytes, Stamp me) { shadow_.end_tensor_store(offset, bytes, me); }

  // The number of a place in the template, for stamps.
  int site_number(attune_simt_site site) { return sites_.number_of(site); }

  unsigned char* bytes_at(int64_t offset) { return memory_.get() + offset; }
  const std::string& fault() const { return fault_; }
  int64_t highest_byte() const { return end_ - 1; }  // touched by any block of the launch; -1: none

 private:
  unsigned char* misplaced(int64_t offset, int bytes, bool write);
  std::string describe(Stamp stamp, bool wrote) const;
  bool is_line(int64_t offset);
  bool poison(int64_t offset, bool allowed, Stamp me);
  unsigned char* conflicting(int64_t offset, int bytes, bool write, Stamp me);

  struct Free {
    void operator()(unsigned char* memory) const { std::free(memory); }
  };

  std::unique_ptr<unsigned char[], Free> memory_;
  size_t capacity_ = 0;
  int64_t bytes_ = 0;
  int64_t end_ = 0;  // of what was touched
  ShadowMemory shadow_;
  SiteTable sites_;
  std::string fault_;
};

}  // namespace attune::simt
