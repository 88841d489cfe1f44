#include "cuda/tensor_map_cache.h"

#include <thread>
#include <vector>

#include "support/catch.h"

using namespace attune;

namespace {

PanelTensor tensor_of(int64_t rows) {
  return {.data = nullptr,
          .dtype = DType::bf16,
          .batch = 2,
          .heads = 3,
          .rows = rows,
          .columns = 128,
          .row_stride = 128,
          .head_stride = 128 * rows,
          .batch_stride = 384 * rows,
          .box_rows = 64};
}

TensorMap map_of(uint64_t value) {
  TensorMap map;
  for (auto& bits : map.bits)
    bits = value;
  return map;
}

}  // namespace

TEST_CASE("a tensor map is found again") {
  TensorMapCache cache;
  TensorMap map{};
  CHECK_FALSE(cache.find(map, tensor_of(1)));
  cache.keep(map_of(7), tensor_of(1));
  REQUIRE(cache.find(map, tensor_of(1)));
  CHECK(map.bits[0] == 7);
  CHECK(map.bits[15] == 7);
  cache.keep(map_of(8), tensor_of(1));
  REQUIRE(cache.find(map, tensor_of(1)));
  CHECK(map.bits[3] == 8);
}

TEST_CASE("a tensor map is not taken for a tensor that differs in anything") {
  TensorMapCache cache;
  cache.keep(map_of(7), tensor_of(5));
  const auto known = [&](auto&& change) {
    PanelTensor other = tensor_of(5);
    change(other);
    TensorMap map{};
    return cache.find(map, other);
  };
  CHECK(known([](PanelTensor&) {}));
  CHECK_FALSE(known([&](PanelTensor& t) { t.data = &cache; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.dtype = DType::f16; }));
  CHECK_FALSE(known([](PanelTensor& t) { ++t.batch; }));
  CHECK_FALSE(known([](PanelTensor& t) { ++t.heads; }));
  CHECK_FALSE(known([](PanelTensor& t) { ++t.rows; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.columns = 64; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.row_stride = 136; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.head_stride = 0; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.batch_stride = 0; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.box_rows = 48; }));
  CHECK_FALSE(known([](PanelTensor& t) { t.copies = PanelCopies::one; }));
}

TEST_CASE("threads that keep and find tensor maps at once see whole ones only") {
  TensorMapCache cache;
  constexpr int64_t kTensors = 2000;  // more than there are slots
  std::atomic<int> torn = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20000; ++i) {
        const int64_t rows = 1 + (i * 7 + t * 13) % kTensors;
        TensorMap map{};
        if (!cache.find(map, tensor_of(rows))) {
          cache.keep(map_of(static_cast<uint64_t>(rows)), tensor_of(rows));
          continue;
        }
        for (const auto bits : map.bits)
          torn += bits != static_cast<uint64_t>(rows);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(torn == 0);
}
