// tile/store_tensor.cuh for a GPU: two warpgroups store their rows, those that there are, one head after the
// other through the same tiles. The emulator's twin of it is tests/simt/store_tile_test.cpp.
#include "cuda/driver_calls.h"
#include "isa/tensor_map.h"
#include "kernels/tensor_map.h"
#include "specialize/kernel_source.h"

using namespace attune;
using namespace attune::test;

namespace {

constexpr int kHeads = 3;
constexpr int kRows = 70;  // the second warpgroup has six
constexpr int kThreads = 256;
constexpr uint16_t kUntouched = 0xffff;

struct StoreParams {
  TensorMap map;
  int heads;
};

// The values are small integers, times powers of two.
constexpr const char* kText = R"(
#include "attune_config.h"
#include "isa/isa.cuh"
#include "tile/store_tensor.cuh"
struct StoreParams {
  TensorMap map;
  int heads;
};
ATTUNE_KERNEL(store, StoreParams, 256) {
  using namespace attune;
  using Tile = PanelTile<bf16, (OUTPUT_COLUMNS + 63) / 64 * 64, 64>;
  const int group = uniform_warpgroup_index();
  const Tile tile{dynamic_shared<bf16>(0) + group * (64 * 64 * ((OUTPUT_COLUMNS + 63) / 64))};
  const int lane = lane_index();
  for (int head = 0; head < params.heads; ++head) {
    WarpgroupSum<OUTPUT_COLUMNS> sum;
    float factor[2];
    ATTUNE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = 64 * group + 16 * (warp_index() % 4) + 8 * half + lane / 4;
      factor[half] = row % 2 == 0 ? 1.0f : 0.5f;
      ATTUNE_UNROLL
      for (int n = 0; n < OUTPUT_COLUMNS / 8; ++n) {
        ATTUNE_UNROLL
        for (int i = 0; i < 2; ++i) {
          const int column = 8 * n + 2 * (lane % 4) + i;
          sum.value[n][2 * half + i] = static_cast<float>((head * 7 + row * 3 + column * 5) % 64 - 32);
        }
      }
    }
    pack_rows(tile, sum, factor);
    warpgroup_barrier();
    if (thread_index() % 128 == 0) {
      start_store<OUTPUT_COLUMNS>(params.map, tile, 64 * group, head, 0);
      bulk_wait_read<0>();
    }
    warpgroup_barrier();
  }
}
)";

KernelSource source(int columns) {
  const TemplateStore store;
  std::vector<SourceFile> files = {
      {"attune_config.h", "#define OUTPUT_COLUMNS " + std::to_string(columns) + "\n"}};
  for (const char* path :
       {"isa/isa.cuh", "isa/arrivals.cuh", "isa/arrival_count.h", "isa/portable.cuh", "isa/sm80.cuh",
        "isa/sm90.cuh", "isa/sm90_tensor_stores.cuh", "isa/sm90_warpgroup.cuh", "isa/sm90_wgmma.cuh",
        "isa/tensor_map.h", "isa/matrix_descriptor.h", "tile/shared_tile.cuh", "tile/products_warpgroup.cuh",
        "tile/store_tensor.cuh"})
    files.push_back({path, store.text(path)});
  KernelSource kernel = make_source("store", kText, std::move(files));
  kernel.hash = hash_of(kernel.files);
  return kernel;
}

uint16_t bits_of(int head, int row, int column) {
  const auto value = static_cast<float>((head * 7 + row * 3 + column * 5) % 64 - 32);
  const float product = value * (row % 2 == 0 ? 1.0f : 0.5f);
  uint32_t bits = 0;
  std::memcpy(&bits, &product, sizeof bits);
  return static_cast<uint16_t>(bits >> 16);
}

}  // namespace

TEST_CASE("warpgroups' stores compile for sm_90a without spilling") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  for (const int columns : {8, 64, 72, 128, 256}) {
    INFO(columns << " columns");
    const CompileResult result = make_compile_only("sm_90a", "")->compile(source(columns));
    INFO(result.log);
    REQUIRE(result.image);
    CHECK(result.image->spill_bytes == 0);
  }
}

TEST_CASE("warpgroups store their rows on a GPU", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  if (backend->device().compute_capability() != 90) ATTUNE_SKIP("no GPU of sm_90a");
  const int columns = GENERATE(8, 64, 72, 128);
  INFO(columns << " columns");
  const int row_stride = columns + 8;
  const uint32_t shared_bytes = static_cast<uint32_t>(2 * 64 * 128 * ((columns + 63) / 64));
  std::vector<uint16_t> tensor(static_cast<size_t>(kHeads * kRows * row_stride), kUntouched);
  void* memory = backend->allocate(2 * tensor.size());
  backend->copy(memory, tensor.data(), 2 * tensor.size());
  StoreParams params{};
  params.heads = kHeads;
  REQUIRE(backend->tensor_maps()->encode(params.map, {.data = memory,
                                                      .dtype = DType::bf16,
                                                      .batch = 1,
                                                      .heads = kHeads,
                                                      .rows = kRows,
                                                      .columns = columns,
                                                      .row_stride = row_stride,
                                                      .head_stride = kRows * row_stride,
                                                      .batch_stride = kHeads * kRows * row_stride,
                                                      .box_rows = 64,
                                                      .copies = PanelCopies::one}));
  const auto module = backend->load(compile(*backend, source(columns)), shared_bytes);
  backend->launch(*module, make_launch(1, kThreads, params, shared_bytes), nullptr);
  backend->synchronize(nullptr);
  backend->copy(tensor.data(), memory, 2 * tensor.size());
  backend->free(memory);
  size_t wrong = 0;
  for (int i = 0; i < static_cast<int>(tensor.size()); ++i) {
    const int column = i % row_stride;
    const uint16_t expected =
        column < columns ? bits_of(i / row_stride / kRows, i / row_stride % kRows, column) : kUntouched;
    wrong += tensor[static_cast<size_t>(i)] != expected ? 1 : 0;
  }
  CHECK(wrong == 0);
}
