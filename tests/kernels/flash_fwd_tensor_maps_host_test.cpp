// What the host twin of flash_fwd asks of the copy engine.
#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/noting_encoder.h"
#include "kernels/problems.h"
#include "kernels/registry.h"
#include "support/catch.h"
#include "support/caught.h"

using namespace attune;

TEST_CASE("flash_fwd describes K and V to the copy engine where it can") {
  const Config config{{"BLOCK_M", 64},       {"BLOCK_N", 48},    {"WARPS", 4},        {"STAGES", 1},
                      {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 1}};
  Problem problem = attention(DType::f16, 128);
  problem.head_dim_v = 64;
  const auto dense = [](uintptr_t at, int64_t columns) {
    return TensorView{address(at), {4 * 100 * columns, 100 * columns, columns, 1}};
  };
  Arguments arguments{.q = dense(0x10000, 128),
                      .k = dense(0x20000, 128),
                      .v = dense(0x30000, 64),
                      .o = dense(0x40000, 64),
                      .batch = 3,
                      .seqlen_q = 70,
                      .seqlen_kv = 100};
  NotingEncoder encoder;
  const auto takes = [&](const TensorMapEncoder* maps) {
    LaunchShape shape = flash_fwd().launch_shape(problem, config);
    shape.tensor_maps = maps;
    Launch launch;
    return flash_fwd().pack(problem, shape, arguments, launch);
  };
  CHECK(takes(&encoder));
  REQUIRE(encoder.asked.size() == 2);
  const PanelTensor& values = encoder.asked[1];
  CHECK(encoder.asked[0].data == address(0x20000));
  CHECK(encoder.asked[0].columns == 128);
  CHECK(values.data == address(0x30000));
  CHECK(values.columns == 64);
  CHECK(values.rows == 100);
  CHECK(values.heads == problem.heads_kv);
  CHECK(values.batch == 3);
  CHECK(values.row_stride == 64);
  CHECK(values.batch_stride == 4 * 100 * 64);
  CHECK(values.box_rows == 48);

  SECTION("not without an engine") {
    CHECK_FALSE(takes(nullptr));
    Launch launch;
    CHECK(caught([&] { flash_fwd().pack(problem, config, arguments, nullptr, launch); }) ==
          Caught{ATTUNE_ERROR_LAUNCH_FAILED,
                 "flash_fwd " + to_string(config) + " cannot take these tensors: there is no copy engine"});
  }
  SECTION("not when it refuses one of the two") {
    encoder = {};
    encoder.encodes = 1;
    CHECK_FALSE(takes(&encoder));
  }
  SECTION("not rows that start anywhere, though Q's may") {
    encoder = {};
    arguments.q.data = address(0x10002);
    CHECK(takes(&encoder));
    encoder = {};
    arguments.v.data = address(0x30002);
    CHECK_FALSE(takes(&encoder));
    CHECK(encoder.asked.empty());
  }
  SECTION("with nothing to describe when there are no keys") {
    encoder = {};
    arguments.seqlen_kv = 0;
    CHECK(takes(nullptr));
  }
  SECTION("or else its fallback takes over, which takes all") {
    const std::optional<FamilyConfig> fallback = flash_fwd().fallback(problem, config);
    REQUIRE(fallback);
    CHECK(fallback->family == &flash_fwd());
    CHECK(fallback->config.at("TENSOR_COPIES") == 0);
    CHECK(fallback->config.at("BLOCK_N") == 48);
    CHECK_FALSE(flash_fwd().fallback(problem, fallback->config));
    arguments.v.data = address(0x30002);
    Launch launch;
    CHECK(flash_fwd().pack(problem, flash_fwd().launch_shape(problem, fallback->config), arguments, launch));
  }
}

TEST_CASE("only devices with a copy engine have configs that use it, and only for whole panels") {
  const auto has = [](const char* arch, DType dtype, int64_t dim, int64_t dim_v) {
    Problem problem = attention(dtype, dim);
    problem.head_dim_v = dim_v;
    const std::vector<Config> configs = flash_fwd().space(problem, device(arch)).enumerate();
    return std::ranges::any_of(configs, [](const Config& c) { return c.at("TENSOR_COPIES") == 1; });
  };
  CHECK(has("sm_90", DType::bf16, 128, 64));
  CHECK(has("sm_120", DType::f16, 256, 256));
  CHECK_FALSE(has("sm_89", DType::bf16, 128, 128));
  CHECK_FALSE(has("sm_90", DType::bf16, 96, 96));
  CHECK_FALSE(has("sm_90", DType::bf16, 128, 72));
  CHECK_FALSE(has("sm_90", DType::f32, 128, 128));
}
