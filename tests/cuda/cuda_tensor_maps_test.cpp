// Tensor maps on a GPU: encoded whether or not a context is current, and known again.
#include <thread>

#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::test;

TEST_CASE("tensors are described to the copy engine in any thread", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  if (backend->device().compute_capability() < 90) {
    WARN("skipped: the GPU has no copy engine that kernels can use");
    return;
  }
  const TensorMapEncoder* maps = backend->tensor_maps();
  REQUIRE(maps);
  void* memory = backend->allocate(1 << 20);
  const PanelTensor tensor{.data = memory,
                           .dtype = DType::bf16,
                           .batch = 2,
                           .heads = 2,
                           .rows = 100,
                           .columns = 128,
                           .row_stride = 128,
                           .head_stride = 12800,
                           .batch_stride = 25600,
                           .box_rows = 64};
  const auto encoded = [&](const PanelTensor& wanted) {
    TensorMap map{};
    bool ok = false;
    std::thread([&] { ok = maps->encode(map, wanted); }).join();  // a thread without a context
    return std::pair(ok, map);
  };
  const auto [first_ok, first] = encoded(tensor);
  const auto [again_ok, again] = encoded(tensor);
  CHECK(first_ok);
  CHECK(again_ok);
  CHECK(std::ranges::equal(first.bits, again.bits));
  PanelTensor other = tensor;
  other.data = static_cast<std::byte*>(memory) + 512;
  const auto [other_ok, moved] = encoded(other);
  CHECK(other_ok);
  CHECK_FALSE(std::ranges::equal(first.bits, moved.bits));
  PanelTensor single = tensor;
  single.copies = PanelCopies::one;
  const auto [single_ok, by_panel] = encoded(single);
  CHECK(single_ok);
  CHECK_FALSE(std::ranges::equal(first.bits, by_panel.bits));
  other.row_stride = 132;  // not a multiple of 16 bytes
  CHECK_FALSE(encoded(other).first);
  PanelTensor partial = tensor;
  partial.columns = 72;
  partial.row_stride = 72;
  CHECK_FALSE(encoded(partial).first);
  partial.copies = PanelCopies::one;
  CHECK(encoded(partial).first);
  partial.columns = partial.row_stride = 8;  // fewer than a box has
  CHECK(encoded(partial).first);
  backend->free(memory);
}
