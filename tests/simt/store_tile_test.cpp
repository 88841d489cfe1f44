// tile/store_tensor.cuh: warpgroups store their rows through shared memory. Right for every width, and what
// orders it is needed: without any part of it the emulator reports.
#include "isa/float_formats.h"
#include "simt/kernel_fixture.h"
#include "simt/simt_tensor_maps.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kHeads = 3;
constexpr int kRows = 70;  // the second warpgroup has six
constexpr int kWarpgroups = 2;
constexpr uint16_t kUntouched = 0xffff;

// Small integers: exact in bf16, and times powers of two.
int value_of(int head, int row, int column) {
  return (head * 7 + row * 3 + column * 5) % 64 - 32;
}
float factor_of(int row) {
  return row % 2 == 0 ? 1.0f : 0.5f;
}

// Every head's rows, one head after the other through the same tiles.
constexpr const char* kBody = R"(
  constexpr int kDim = @;
  using Tile = PanelTile<bf16, (kDim + 63) / 64 * 64, 64>;
  const TensorMap& map = *static_cast<const TensorMap*>(params.second);
  const int group = warpgroup_index();
  const Tile tile{dynamic_shared<bf16>(0) + group * (64 * Tile::kRowElements * (kDim > 64 ? 2 : 1))};
  const int lane = lane_index();
  for (int head = 0; head < params.n; ++head) {
    WarpgroupSum<kDim> sum;
    float factor[2];
    for (int half = 0; half < 2; ++half) {
      const int row = 64 * group + 16 * (warp_index() % 4) + 8 * half + lane / 4;
      factor[half] = row % 2 == 0 ? 1.0f : 0.5f;
      for (int n = 0; n < kDim / 8; ++n) {
        for (int i = 0; i < 2; ++i) {
          const int column = 8 * n + 2 * (lane % 4) + i;
          sum.value[n][2 * half + i] = static_cast<float>((head * 7 + row * 3 + column * 5) % 64 - 32);
        }
      }
    }
    pack_rows(tile, sum, factor);
    warpgroup_barrier();
    if (thread_index() % 128 == 0) {
      start_store<kDim>(map, tile, 64 * group, head, 0);
      bulk_wait_read<0>();
    }
    warpgroup_barrier();
  }
)";

KernelSource source(int dim) {
  std::string body = kBody;
  body.replace(body.find('@'), 1, std::to_string(dim));
  KernelSource kernel = with_change(test_kernel(128 * kWarpgroups, body), "test.cuh",
                                    "#include \"isa/isa.cuh\"", "#include \"tile/store_tensor.cuh\"");
  for (const char* path : {"tile/store_tensor.cuh", "tile/products_warpgroup.cuh", "tile/shared_tile.cuh"})
    kernel.files.push_back({path, template_store().text(path)});
  return kernel;
}

struct Tensor {
  int dim, row_stride;
  std::vector<uint16_t> data;
  TensorMap map{};
  TestLaunch launch;

  explicit Tensor(int columns)
      : dim(columns),
        row_stride(columns + 8),
        data(static_cast<size_t>(kHeads * kRows * row_stride), kUntouched) {
    const bool encoded = simt::SimtTensorMaps().encode(map, {.data = data.data(),
                                                             .dtype = DType::bf16,
                                                             .batch = 1,
                                                             .heads = kHeads,
                                                             .rows = kRows,
                                                             .columns = dim,
                                                             .row_stride = row_stride,
                                                             .head_stride = kRows * row_stride,
                                                             .batch_stride = kHeads * kRows * row_stride,
                                                             .box_rows = 64,
                                                             .copies = PanelCopies::one});
    REQUIRE(encoded);
    launch.threads = 128 * kWarpgroups;
    launch.params = {.input = nullptr, .second = &map, .output = data.data(), .n = kHeads};
    launch.output_bytes = 2 * data.size();
    launch.shared_bytes = kWarpgroups * 64 * 128 * (dim > 64 ? 2 : 1);
  }
};

void check_reported(const KernelSource& kernel, const std::string& part) {
  const CompiledImage image = compile(kernel);
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    CHECK_THAT(report_of(image, Tensor(72).launch.pack(), seed), ContainsSubstring(part));
  }
}

}  // namespace

TEST_CASE("warpgroups store their rows, those that there are", "[simt]") {
  const int dim = GENERATE(8, 64, 72, 128);
  INFO("dim " << dim);
  const CompiledImage image = compile(source(dim));
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Tensor tensor(dim);
    REQUIRE(report_of(image, tensor.launch.pack(), seed) == "");
    for (int i = 0; i < static_cast<int>(tensor.data.size()); ++i) {
      const int column = i % tensor.row_stride;
      const int row = i / tensor.row_stride % kRows;
      const int head = i / tensor.row_stride / kRows;
      const auto value = static_cast<float>(value_of(head, row, column)) * factor_of(row);
      REQUIRE(tensor.data[static_cast<size_t>(i)] == (column < dim ? bf16_from_float(value) : kUntouched));
    }
  }
}

TEST_CASE("a warpgroup's store without a part of its order is reported", "[simt]") {
  const KernelSource good = source(72);
  const auto without = [&](const std::string& from, const std::string& to = "") {
    return with_change(good, "tile/store_tensor.cuh", from, to);
  };
  const auto without_in_caller = [&](const std::string& from, const std::string& to) {
    return with_change(good, "test.cuh", from, to);
  };
  SECTION("the fence") {
    check_reported(without("  async_proxy_fence();\n"), "did not call async_proxy_fence");
  }
  SECTION("the barrier before the store") {
    check_reported(without_in_caller("    warpgroup_barrier();\n    if (", "    if ("), "shared byte");
  }
  SECTION("the commit") {
    check_reported(without("  bulk_commit();\n"), "bulk_wait_read");
  }
  SECTION("the wait before the tile is written again") {
    check_reported(without_in_caller("      bulk_wait_read<0>();\n", ""),
                   "which an unfinished tensor store reads");
  }
  SECTION("the barrier behind the wait") {
    check_reported(without_in_caller("    }\n    warpgroup_barrier();\n", "    }\n"), "shared byte");
  }
  SECTION("the wait before the end") {
    check_reported(without_in_caller("      bulk_wait_read<0>();\n",
                                     "      if (head + 1 < params.n) bulk_wait_read<0>();\n"),
                   "the thread ended without a bulk_wait_read");
  }
  SECTION("a step of the matrices") {
    check_reported(without("step < kSteps", "step < kSteps - 1"), "which nobody in this block wrote");
  }
}
