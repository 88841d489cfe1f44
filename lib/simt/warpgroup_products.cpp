#include "simt/warpgroup_products.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace attune::simt {
namespace {

constexpr int kStep = WarpgroupMultiplier::kStep;
constexpr uint32_t kPoison = 0xffffffffu;

// Calls with the elements of a thread's part: index there, row and column of the sum.
template <typename Visit>
void for_part(int thread_of_warpgroup, int tiles, const Visit& visit) {
  const int row = thread_of_warpgroup / 32 * 16 + thread_of_warpgroup % 32 / 4;
  const int column = 2 * (thread_of_warpgroup % 4);
  for (int tile = 0; tile < tiles; ++tile) {
    for (int e = 0; e < 4; ++e)
      visit(4 * tile + e, row + e / 2 * 8, 8 * tile + column + e % 2);
  }
}

}  // namespace

void WarpgroupProducts::begin_block(int threads) {
  warpgroups_.clear();
  warpgroups_.resize(static_cast<size_t>(threads / kWarpgroupThreads));
  threads_.assign(static_cast<size_t>(threads), Thread{});
}

std::string WarpgroupProducts::read_operands(const WarpgroupProduct& product, const Operands& operands,
                                             std::span<const Stamp> readers, SharedMemory& shared) {
  const uint32_t number = shared.begin_product(readers.front());
  const int columns = 8 * product.tiles;
  if (product.a_in_registers) {
    for (int i = 0; i < kWarpgroupThreads; ++i) {
      const int row = i / 32 * 16 + i % 32 / 4;
      for (int word = 0; word < 4; ++word) {
        std::memcpy(&a_[static_cast<size_t>((row + word % 2 * 8) * kStep + word / 2 * 8 + 2 * (i % 4))],
                    &operands[i].fragment[word], sizeof(uint32_t));
      }
    }
  } else {
    const MatrixOperand matrix(product.a);
    if (std::string fault = matrix.fault(kStep); !fault.empty()) return fault;
    for (int i = 0; i < WarpgroupMultiplier::kRows * 2; ++i) {
      const auto of_warp = readers.subspan(static_cast<size_t>(i / 32 * kReadersPerWarp), kReadersPerWarp);
      const unsigned char* line = shared.read_by_product(matrix.line(i / 2, i % 2 * 8), of_warp, number);
      if (!line) return shared.fault();
      std::memcpy(&a_[static_cast<size_t>(i) * 8], line, 16);
    }
  }
  const MatrixOperand matrix(product.b);
  if (std::string fault = matrix.fault(product.transpose_b ? columns : kStep); !fault.empty()) return fault;
  const int row_columns = product.transpose_b ? columns : kStep;
  for (int i = 0; i < columns * kStep / 8; ++i) {
    const int64_t place = matrix.line(8 * i / row_columns, 8 * i % row_columns);
    const unsigned char* line = shared.read_by_product(place, readers, number);
    if (!line) return shared.fault();
    std::memcpy(&b_[static_cast<size_t>(i) * 8], line, 16);
  }
  Warpgroup& warpgroup = warpgroups_[readers.front().warp() / 4];
  const uint32_t before = warpgroup.last_product.empty() ? 0 : warpgroup.last_product.back();
  warpgroup.last_product.resize(product.group + 1, before);
  warpgroup.last_product.back() = number;
  return {};
}

std::string WarpgroupProducts::find_sum(Warpgroup& warpgroup, int first_thread,
                                        const WarpgroupProduct& product, const Operands& operands,
                                        Sum*& sum) {
  for (const std::unique_ptr<Sum>& other : warpgroup.in_flight) {
    for (int i = 0; i < kWarpgroupThreads; ++i) {
      const float* part = other->parts[i];
      const bool apart =
          operands[i].sum + 4 * product.tiles <= part || part + 4 * other->tiles <= operands[i].sum;
      if (apart || other->taken[i]) continue;
      if (part != operands[i].sum || other->tiles != product.tiles || (sum && sum != other.get()))
        return fmt::format("thread {}'s sum overlaps another one in flight", first_thread + i);
      sum = other.get();
    }
  }
  if (sum && sum->left != kWarpgroupThreads)
    return "a product on a sum in flight, for which some threads of the warpgroup have waited";
  if (sum && !product.a_in_registers) return {};
  for (int i = 0; i < kWarpgroupThreads; ++i) {
    if (!threads_[first_thread + i].arrived) {
      return fmt::format("a product without warpgroup_arrive: thread {} has not called it since its last sum",
                         first_thread + i);
    }
  }
  return {};
}

WarpgroupProducts::Sum* WarpgroupProducts::begin_sum(Warpgroup& warpgroup, const WarpgroupProduct& product,
                                                     const Operands& operands) {
  if (free_.empty()) free_.push_back(std::make_unique<Sum>());
  warpgroup.in_flight.push_back(std::move(free_.back()));
  free_.pop_back();
  Sum* sum = warpgroup.in_flight.back().get();
  sum->tiles = product.tiles;
  sum->left = kWarpgroupThreads;
  sum->taken.fill(false);
  for (int i = 0; i < kWarpgroupThreads; ++i) {
    float* part = operands[i].sum;
    sum->parts[i] = part;
    for_part(i, product.tiles, [&](int index, int row, int column) {
      sum->values[static_cast<size_t>(row * 8 * product.tiles + column)] = part[index];
      part[index] = std::bit_cast<float>(kPoison);
    });
  }
  return sum;
}

std::string WarpgroupProducts::multiply(const WarpgroupProduct& product, const Operands& operands,
                                        std::span<const Stamp> readers, attune_simt_site site,
                                        SharedMemory& shared) {
  const int first_thread = readers.front().thread();
  Warpgroup& warpgroup = warpgroups_[first_thread / kWarpgroupThreads];
  Sum* sum = nullptr;
  if (std::string fault = find_sum(warpgroup, first_thread, product, operands, sum); !fault.empty())
    return fault;
  if (std::string fault = read_operands(product, operands, readers, shared); !fault.empty()) return fault;
  if (!sum) sum = begin_sum(warpgroup, product, operands);
  if (!product.accumulate)
    std::fill_n(sum->values.begin(), WarpgroupMultiplier::kRows * 8 * product.tiles, 0.0f);
  sum->last_group = product.group;
  sum->site = site;
  multiplier_.multiply(a_.data(), b_.data(), product.transpose_b, product.tiles, product.format,
                       sum->values.data());
  return {};
}

std::string WarpgroupProducts::wait(int thread, int pending) {
  Warpgroup& warpgroup = warpgroups_[thread / kWarpgroupThreads];
  Thread& self = threads_[thread];
  const auto finished =
      static_cast<size_t>(std::max(static_cast<int64_t>(self.groups) - pending, int64_t{0}));
  const int i = thread % kWarpgroupThreads;
  bool written = false;
  for (const std::unique_ptr<Sum>& sum : warpgroup.in_flight) {
    if (sum->taken[i] || sum->last_group >= finished) continue;
    for_part(i, sum->tiles, [&](int index, int row, int column) {
      float& element = sum->parts[i][index];
      written = written || std::bit_cast<uint32_t>(element) != kPoison;
      element = sum->values[static_cast<size_t>(row * 8 * sum->tiles + column)];
    });
    sum->taken[i] = true;
    --sum->left;
    self.arrived = false;
  }
  if (written) return "a sum was written to while a product on it was in flight";
  std::erase_if(warpgroup.in_flight, [&](std::unique_ptr<Sum>& sum) {
    if (sum->left > 0) return false;
    free_.push_back(std::move(sum));
    return true;
  });
  const size_t groups = std::min(finished, warpgroup.last_product.size());
  if (groups > 0) knowledge_.observe_products(thread, thread / 32, warpgroup.last_product[groups - 1]);
  return {};
}

const attune_simt_site* WarpgroupProducts::unfinished(int thread) const {
  const auto group = static_cast<size_t>(thread / kWarpgroupThreads);
  if (group >= warpgroups_.size()) return nullptr;
  for (const std::unique_ptr<Sum>& sum : warpgroups_[group].in_flight) {
    if (!sum->taken[thread % kWarpgroupThreads]) return &sum->site;
  }
  return nullptr;
}

}  // namespace attune::simt
