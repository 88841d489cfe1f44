#include "simt/matrix_operand.h"

#include <fmt/format.h>

#include <algorithm>

namespace attune::simt {
namespace {

constexpr int kSwizzle128Bytes = 1;
constexpr int64_t kRowBytes = 128;
constexpr int64_t kSwizzleBytes = 1024;

int64_t bytes_at(uint64_t descriptor, int bit) {
  return static_cast<int64_t>(descriptor >> bit & 0x3fff) * 16;
}

}  // namespace

MatrixOperand::MatrixOperand(uint64_t descriptor)
    : start(bytes_at(descriptor, 0)),
      leading(bytes_at(descriptor, 16)),
      stride(bytes_at(descriptor, 32)),
      base_offset(static_cast<int>(descriptor >> 49 & 7)),
      swizzle(static_cast<int>(descriptor >> 62)) {}

std::string MatrixOperand::fault(int columns) const {
  if (swizzle != kSwizzle128Bytes || base_offset != 0) {
    return fmt::format("a matrix descriptor with swizzle {} and base offset {}: must be {} (128 bytes) and 0",
                       swizzle, base_offset, kSwizzle128Bytes);
  }
  const int64_t column_bytes = start % kRowBytes;
  if (start / kRowBytes * kRowBytes % kSwizzleBytes != 0) {
    return fmt::format(
        "a matrix descriptor for shared byte {}: its row at byte {} must be on a multiple of {}", start,
        start - column_bytes, kSwizzleBytes);
  }
  if (column_bytes + 2 * std::min(columns, kPanelColumns) > kRowBytes) {
    return fmt::format("a matrix descriptor for {} columns from byte {} of a row of {} bytes", columns,
                       column_bytes, kRowBytes);
  }
  return {};
}

}  // namespace attune::simt
