// The host twins of the kernel templates: resources, launches and the candidates that come of them. Runs no
// kernel.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "flash_fwd.layout.h"
#include "flash_fwd.params.h"
#include "kernels/problems.h"
#include "kernels/registry.h"
#include "row_softmax.layout.h"
#include "row_softmax.params.h"
#include "support/catch.h"
#include "support/caught.h"

using namespace attune;

namespace {

struct HeadDims {
  int64_t qk, v;
};
constexpr HeadDims kHeadDims[] = {{1, 1},     {8, 8},     {32, 32},  {59, 59},   {64, 64},
                                  {72, 72},   {96, 96},   {111, 40}, {128, 128}, {192, 128},
                                  {128, 192}, {224, 224}, {256, 256}};

const Family& row_softmax() {
  return *find_family("row_softmax");
}

template <typename Params>
Params params_of(const Launch& launch) {
  REQUIRE(launch.parameter_bytes == sizeof(Params));
  Params params;
  std::memcpy(&params, launch.parameters.data(), sizeof(params));
  return params;
}

// One past the last byte that any element of the tensor occupies, counted element by element.
const void* counted_end(const TensorView& view, int64_t batch, int64_t heads, int64_t rows, int64_t columns,
                        size_t element) {
  uintptr_t end = reinterpret_cast<uintptr_t>(view.data);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t last =
            b * view.stride[0] + h * view.stride[1] + r * view.stride[2] + (columns - 1) * view.stride[3];
        end = std::max(end,
                       reinterpret_cast<uintptr_t>(view.data) + static_cast<uintptr_t>(last + 1) * element);
      }
    }
  }
  return address(end);
}

const void* end_of(const MemoryRegion& region) {
  return static_cast<const std::byte*>(region.base) + region.bytes;
}

}  // namespace

TEST_CASE("families are found by their names") {
  std::set<std::string_view> names;
  for (const Family* family : families()) {
    CHECK(find_family(family->name()) == family);
    names.insert(family->name());
  }
  CHECK(names.size() == families().size());
  CHECK(find_family("flash_fwd")->template_path() == "flash_fwd.cuh");
  CHECK(find_family("row_softmax")->template_path() == "row_softmax.cuh");
  CHECK(find_family("") == nullptr);
  CHECK(find_family("flash_fwd ") == nullptr);
}

TEST_CASE("flash_fwd's budget is the layout's formula, for every config on every known device") {
  for (const DeviceSpec& spec : known_devices()) {
    for (const DType dtype : kTypes) {
      for (const auto& [dim, dim_v] : kHeadDims) {
        Problem problem = attention(dtype, dim);
        problem.head_dim_v = dim_v;
        for (const Config& config : flash_fwd().space(problem, spec).enumerate()) {
          INFO(spec.arch << " " << name_of(dtype) << " D=" << dim << "/" << dim_v << " "
                         << to_string(config));
          const int element = static_cast<int>(size_of(dtype)), m = config.at("BLOCK_M"),
                    n = config.at("BLOCK_N");
          const int stages = config.at("STAGES");
          const ResourceUse use = flash_fwd().resources(problem, config);
          // By hand: Q (or O in its place), and per stage K and V; each row rounded up to 16 columns, and 16
          // bytes of padding where it is not swizzled. f32 on tensor cores: to 32 columns, swizzled.
          const bool tensor_products = config.find("TENSOR_PRODUCTS").value_or(0) != 0;
          const auto row_bytes = [&](int64_t columns) {
            if (tensor_products) return (columns + 31) / 32 * 128;
            return (columns + 15) / 16 * 16 * element + (element > 2 ? 16 : 0);
          };
          const int64_t k_row = row_bytes(dim), v_row = row_bytes(dim_v), q_row = std::max(k_row, v_row);
          const bool tensor_copies = config.at("TENSOR_COPIES") != 0;  // two barriers per stage
          REQUIRE(use.shared_bytes == m * q_row + stages * (n * (k_row + v_row) + (tensor_copies ? 16 : 0)));
          REQUIRE(use.threads == 32 * config.at("WARPS"));
          const FlashFwdLayout layout{element, static_cast<int>(dim), static_cast<int>(dim_v), m, n,
                                      stages,  tensor_copies,         tensor_products};
          REQUIRE(layout.shared_bytes() == use.shared_bytes);
          // The tiles lie one behind the other and end where the memory ends; each begins where a swizzle
          // may.
          REQUIRE(layout.q_offset() == 0);
          REQUIRE(layout.k_offset(0) == m * q_row);
          REQUIRE(layout.v_offset(0) == layout.k_offset(stages - 1) + n * k_row);
          REQUIRE(layout.k_barrier_offset(0) == layout.v_offset(stages - 1) + n * v_row);
          REQUIRE(layout.v_barrier_offset(stages) == layout.k_barrier_offset(0) + 16 * stages);
          for (int slot = 0; slot < stages; ++slot) {
            REQUIRE(layout.k_offset(slot) % (tensor_copies ? 1024 : 128) == 0);
            REQUIRE(layout.v_offset(slot) % (tensor_copies ? 1024 : 128) == 0);
          }
        }
      }
    }
  }
}

TEST_CASE("row_softmax's budget is two partial results per warp and row") {
  for (const Config& config : row_softmax().space(kRows, device("sm_90")).enumerate()) {
    const int warps = config.at("WARPS"), rows = config.at("ROWS_PER_BLOCK");
    const ResourceUse use = row_softmax().resources(kRows, config);
    CHECK(use.shared_bytes == 2 * 4 * warps * rows);
    CHECK(use.threads == 32 * warps);
    const RowSoftmaxLayout layout{warps, rows};
    CHECK(layout.sum_offset() - layout.maximum_offset() == 4 * warps * rows);
    CHECK(layout.shared_bytes() == use.shared_bytes);
  }
}

TEST_CASE("flash_fwd packs its parameters from problem, config and arguments") {
  const Problem problem{.dtype = DType::bf16,
                        .batch = 4,
                        .heads_q = 12,
                        .heads_kv = 4,
                        .seqlen_q = 1000,
                        .seqlen_kv = 2000,
                        .head_dim = 72,
                        .head_dim_v = 72};
  const Config config{{"BLOCK_M", 64},       {"BLOCK_N", 32},    {"WARPS", 4},        {"STAGES", 2},
                      {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
  Arguments arguments{.q = {address(0x1000), {100000, 8000, 72, 1}},
                      .k = {address(0x2000), {200000, 16000, 80, 1}},
                      .v = {address(0x3000), {300000, 24000, 88, 1}},
                      .o = {address(0x4000), {400000, 72, 864, 1}},
                      .lse = static_cast<float*>(address(0x5000)),
                      .batch = 3,
                      .seqlen_q = 129,
                      .seqlen_kv = 77,
                      .scale = 0.25f};
  Launch launch;
  flash_fwd().pack(problem, config, arguments, nullptr, launch);
  CHECK(launch.grid == 3 * 12 * 3);  // tiles of 64 in 129 rows, heads, sequences: the actual ones
  CHECK(launch.block == 128);
  CHECK(launch.shared_bytes == flash_fwd().resources(problem, config).shared_bytes);
  const auto params = params_of<FlashFwdParams>(launch);
  const auto check_tensor = [](const FlashTensor& tensor, const TensorView& view) {
    CHECK(tensor.data == view.data);
    CHECK(tensor.batch_stride == view.stride[0]);
    CHECK(tensor.head_stride == view.stride[1]);
    CHECK(tensor.row_stride == view.stride[2]);
  };
  check_tensor(params.q, arguments.q);
  check_tensor(params.k, arguments.k);
  check_tensor(params.v, arguments.v);
  check_tensor(params.o, arguments.o);
  CHECK(params.lse == arguments.lse);
  CHECK(params.heads_q == 12);
  CHECK(params.heads_per_kv == 3);
  CHECK(params.seqlen_q == 129);
  CHECK(params.seqlen_kv == 77);
  CHECK(params.q_tiles == 3);
  CHECK(params.scale == 0.25f);
  CHECK(params.scale_log2 == static_cast<float>(0.25 * std::log2(std::exp(1.0))));
}

TEST_CASE("flash_fwd's regions cover each tensor to the byte") {
  const Config config{{"BLOCK_M", 64},       {"BLOCK_N", 32},    {"WARPS", 4},        {"STAGES", 1},
                      {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
  // Dense [b, h, s, d] and [b, s, h, d]; gaps everywhere; broadcasts over batch and heads.
  const std::array<int64_t, 4> strides[] = {
      {2 * 7 * 8, 7 * 8, 8, 1}, {7 * 2 * 8, 8, 2 * 8, 1}, {1000, 400, 24, 1}, {0, 0, 16, 1}};
  for (const auto& stride : strides) {
    for (const DType dtype : kTypes) {
      const Problem problem{.dtype = dtype, .heads_q = 2, .heads_kv = 2, .head_dim = 8, .head_dim_v = 8};
      const Arguments arguments{.q = {address(0x10000), stride},
                                .k = {address(0x20000), stride},
                                .v = {address(0x30000), stride},
                                .o = {address(0x40000), stride},
                                .lse = static_cast<float*>(address(0x50000)),
                                .batch = 3,
                                .seqlen_q = 7,
                                .seqlen_kv = 5};
      Launch launch;
      flash_fwd().pack(problem, config, arguments, nullptr, launch);
      REQUIRE(launch.region_count == 5);
      const TensorView* views[] = {&arguments.q, &arguments.k, &arguments.v, &arguments.o};
      for (size_t i = 0; i < 4; ++i) {
        CHECK(launch.regions[i].base == views[i]->data);
        CHECK(end_of(launch.regions[i]) ==
              counted_end(*views[i], 3, 2, i == 0 || i == 3 ? 7 : 5, 8, size_of(dtype)));
      }
      CHECK(launch.regions[4].base == arguments.lse);
      CHECK(launch.regions[4].bytes == 3 * 2 * 7 * size_of(statistics_dtype(dtype)));
    }
  }
}

TEST_CASE("flash_fwd without lse or keys names no memory for them") {
  const Config config{{"BLOCK_M", 64},       {"BLOCK_N", 32},    {"WARPS", 4},        {"STAGES", 1},
                      {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
  const Problem problem{.dtype = DType::f16, .heads_q = 2, .heads_kv = 1, .head_dim = 64, .head_dim_v = 64};
  const Arguments arguments{.q = {address(0x10000), {128 * 64, 64 * 64, 64, 1}},
                            .o = {address(0x40000), {128 * 64, 64 * 64, 64, 1}},
                            .batch = 1,
                            .seqlen_q = 64,
                            .seqlen_kv = 0};
  Launch launch;
  flash_fwd().pack(problem, config, arguments, nullptr, launch);
  REQUIRE(launch.region_count == 4);
  CHECK(launch.regions[0].bytes == 2 * 64 * 64 * 2);
  CHECK(launch.regions[1].bytes == 0);
  CHECK(launch.regions[2].bytes == 0);
  CHECK(params_of<FlashFwdParams>(launch).lse == nullptr);
  CHECK(launch.grid == 2);
}

TEST_CASE("packing again leaves nothing of the launch before") {
  const Config config{{"BLOCK_M", 64},       {"BLOCK_N", 32},    {"WARPS", 4},        {"STAGES", 1},
                      {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
  const Problem problem = attention(DType::f16, 64);
  Arguments arguments{
      .lse = static_cast<float*>(address(0x50000)), .batch = 1, .seqlen_q = 64, .seqlen_kv = 64};
  Launch launch, fresh;
  flash_fwd().pack(problem, config, arguments, nullptr, launch);
  arguments.lse = nullptr;
  flash_fwd().pack(problem, config, arguments, nullptr, launch);
  flash_fwd().pack(problem, config, arguments, nullptr, fresh);
  CHECK(launch.region_count == fresh.region_count);
  REQUIRE(launch.parameter_bytes == fresh.parameter_bytes);
  // Beside the tensor maps, which nobody reads here.
  constexpr size_t kBegin = offsetof(FlashFwdParams, q);
  constexpr size_t kEnd = offsetof(FlashFwdParams, aligned) + sizeof(unsigned);
  CHECK(std::equal(launch.parameters.begin() + kBegin, launch.parameters.begin() + kEnd,
                   fresh.parameters.begin() + kBegin));
}

TEST_CASE("more blocks than a launch can have are refused with the numbers") {
  const Config config{{"BLOCK_M", 64},       {"BLOCK_N", 32},    {"WARPS", 4},        {"STAGES", 1},
                      {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
  Problem problem = attention(DType::f16, 64);
  problem.heads_q = problem.heads_kv = 256;
  const Arguments arguments{.batch = 1, .seqlen_q = 1 << 30, .seqlen_kv = 1};
  Launch launch;
  CHECK(caught([&] { flash_fwd().pack(problem, config, arguments, nullptr, launch); }) ==
        Caught{ATTUNE_ERROR_UNSUPPORTED,
               "16777216 tiles x 256 heads x 1 sequences are more than 2147483647 blocks"});
}

TEST_CASE("row_softmax packs one row per batch, head and query") {
  const Config config{{"WARPS", 2}, {"ROWS_PER_BLOCK", 4}};
  Arguments arguments{.q = {address(0x1000), {0, 0, 208, 1}},
                      .o = {address(0x9000), {0, 0, 208, 1}},
                      .batch = 2,
                      .seqlen_q = 5,
                      .seqlen_kv = 203};
  Launch launch;
  row_softmax().pack(kRows, config, arguments, nullptr, launch);
  const auto params = params_of<RowSoftmaxParams>(launch);
  CHECK(params.input == address(0x1000));
  CHECK(params.output == address(0x9000));
  CHECK(params.rows == 2 * 3 * 5);
  CHECK(params.row_stride == 208);
  CHECK(params.columns == 203);
  CHECK(launch.grid == 8);  // 30 rows in fours
  CHECK(launch.block == 64);
  CHECK(launch.shared_bytes == 2 * 4 * 2 * 4);
  REQUIRE(launch.region_count == 2);
  CHECK(launch.regions[0].base == address(0x1000));
  CHECK(launch.regions[1].base == address(0x9000));
  for (size_t i = 0; i < 2; ++i)
    CHECK(launch.regions[i].bytes == (29 * 208 + 203) * sizeof(float));
  arguments.batch = 0;
  row_softmax().pack(kRows, config, arguments, nullptr, launch);
  CHECK(launch.grid == 0);
  CHECK(launch.regions[0].bytes == 0);
}

TEST_CASE("a launch refuses more regions than it can hold") {
  Launch launch;
  for (size_t i = 0; i < Launch::kMaxRegions; ++i)
    launch.add_region(&launch, i);
  CHECK(launch.region_count == 8);
  CHECK(caught([&] { launch.add_region(&launch, 9); }) ==
        Caught{ATTUNE_ERROR_INTERNAL, "a launch has more than 8 memory regions"});
}
