// The host twins of the backward pass: what fits where, and what a launch is packed with. Runs no kernel.
#include <algorithm>
#include <cstring>
#include <vector>

#include "attention/row_terms.layout.h"
#include "flash_bwd_delta.params.h"
#include "flash_bwd_dkv.params.h"
#include "flash_bwd_dq.params.h"
#include "kernels/families.h"
#include "kernels/problems.h"
#include "support/catch.h"

using namespace attune;

namespace {

constexpr Operation kStages[] = {Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq};

Problem stage(Operation operation, DType dtype, int64_t head_dim, int64_t head_dim_v) {
  Problem problem = attention(dtype, head_dim);
  problem.operation = operation;
  problem.head_dim_v = head_dim_v;
  return problem;
}

size_t fitting(const Problem& problem, const DeviceSpec& spec) {
  return static_cast<size_t>(std::ranges::count_if(enumerate_candidates(problem, spec, {}),
                                                   [](const Candidate& c) { return c.verdict.fits; }));
}

// Two sequences of three heads for one, 70 queries and 45 keys, each tensor in a place of its own.
struct Packed {
  Problem problem{.dtype = DType::bf16,
                  .mask = Mask::causal,
                  .batch = 2,
                  .heads_q = 3,
                  .heads_kv = 1,
                  .seqlen_q = 70,
                  .seqlen_kv = 45,
                  .head_dim = 64,
                  .head_dim_v = 32};
  GradientArguments gradients;
  Arguments arguments;
  Launch launch;

  static void* at(uintptr_t place) { return reinterpret_cast<void*>(place << 20); }
  static TensorView dense(uintptr_t place, int64_t heads, int64_t rows, int64_t columns) {
    return {at(place), {heads * rows * columns, rows * columns, columns, 1}};
  }

  Packed() {
    arguments = {.q = dense(1, 3, 70, 64),
                 .k = dense(2, 1, 45, 64),
                 .v = dense(3, 1, 45, 32),
                 .o = dense(4, 3, 70, 32),
                 .lse = at(5),
                 .gradients = &gradients,
                 .batch = 2,
                 .seqlen_q = 70,
                 .seqlen_kv = 45,
                 .scale = 0.125};
    gradients = {.dout = dense(6, 3, 70, 32),
                 .dq = dense(7, 3, 70, 64),
                 .dk = dense(8, 1, 45, 64),
                 .dv = dense(9, 1, 45, 32),
                 .dlse = at(10),
                 .row_terms = at(11)};
  }
  Packed(const Packed&) = delete;

  template <typename Params>
  Params pack(const Family& family, Operation operation, const Config& config) {
    problem.operation = operation;
    family.pack(problem, config, arguments, nullptr, launch);
    REQUIRE(launch.parameter_bytes == sizeof(Params));
    Params params;
    std::memcpy(&params, launch.parameters.data(), sizeof(params));
    return params;
  }
  // Bytes that the launch may touch from this address on; 0 when it may not.
  size_t region(const void* base) const {
    for (size_t i = 0; i < launch.region_count; ++i) {
      if (launch.regions[i].base == base) return launch.regions[i].bytes;
    }
    return 0;
  }
};

const Config kTogether{{"BLOCK_M", 32}, {"BLOCK_N", 32},          {"WARPS", 2},
                       {"STAGES", 1},   {"KEYS_IN_REGISTERS", 0}, {"SEPARATE", 0}};
const Config kOfRows{
    {"BLOCK_M", 64}, {"BLOCK_N", 32}, {"WARPS", 4}, {"STAGES", 1}, {"QUERIES_IN_REGISTERS", 0}};

Config separate() {
  Config config = kTogether;
  config.set("SEPARATE", 1);
  return config;
}

}  // namespace

TEST_CASE("some config of each stage of backward fits for every pair of head dimensions on every device") {
  for (const DeviceSpec& spec : known_devices()) {
    for (const DType dtype : kTypes) {
      if (dtype == DType::bf16 && spec.compute_capability() < 80) continue;
      for (int64_t dim = 1; dim <= 256; dim += 5) {
        for (const int64_t dim_v : {int64_t{1}, dim, int64_t{256}}) {
          // NOTE: four tiles of 16 such rows are more than 64 KiB (Turing), or than the 99 KiB of devices
          // that are not a data centre's; they are refused with the numbers.
          const int64_t tiles = 32 * (dim + dim_v + 32) * static_cast<int64_t>(size_of(dtype));
          if (size_of(dtype) > 2 && tiles > spec.shared_per_block) continue;
          for (const Operation operation : kStages) {
            INFO(spec.arch << " " << name_of(operation) << " " << name_of(dtype) << " D=" << dim << "/"
                           << dim_v);
            CHECK(fitting(stage(operation, dtype, dim, dim_v), spec) > 0);
          }
        }
      }
    }
  }
  CHECK(fitting(stage(Operation::backward_dkv, DType::f64, 256, 256), device("sm_86")) == 0);
  CHECK(fitting(stage(Operation::backward_dkv, DType::f64, 192, 192), device("sm_86")) > 0);
}

TEST_CASE("there are enough configs of backward to choose from, and not too many to try") {
  for (const char* arch : {"sm_80", "sm_86", "sm_90a"}) {
    for (const int64_t dim : {64, 128, 256}) {
      for (const Operation operation : {Operation::backward_dkv, Operation::backward_dq}) {
        const size_t count = fitting(stage(operation, DType::bf16, dim, dim), device(arch));
        INFO(arch << " " << name_of(operation) << " D=" << dim << ": " << count);
        CHECK(count >= 5);
        CHECK(count <= 50);
      }
    }
  }
}

TEST_CASE("what takes over from warpgroup products is a config that fits, and takes everything") {
  const DeviceSpec h200 = device("sm_90a");
  for (const auto& [operation, family] : {std::pair{Operation::backward_dkv, &flash_bwd_dkv_sm90_family()},
                                          std::pair{Operation::backward_dq, &flash_bwd_dq_sm90_family()}}) {
    for (const int64_t dim : {64, 128, 192, 256}) {
      for (const int64_t dim_v : {64, 128, 192, 256}) {
        const Problem problem = stage(operation, DType::bf16, dim, dim_v);
        const std::optional<FamilyConfig> other = family->fallback(problem, {});
        INFO(describe(problem));
        REQUIRE(other);
        INFO(other->family->name() << " " << to_string(other->config));
        CHECK(other->family->inapplicable_reason(problem, h200) == "");
        CHECK(other->family->space(problem, h200).reject_reason(other->config) == "");
        CHECK(check_budget(other->family->resources(problem, other->config), h200, {}).reason == "ok");
        CHECK_FALSE(other->family->fallback(problem, other->config));
      }
    }
    CHECK(
        family->inapplicable_reason(stage(operation, DType::bf16, 72, 64), h200) ==
        "needs sm_90a, 16-bit elements and head dimensions that are multiples of 64: there are sm_90a, bf16, "
        "72 and 64");
  }
}

TEST_CASE("backward_dkv sums separately where both sums take more than half of the registers") {
  for (const int64_t dim : {64, 128, 192, 256}) {
    for (const Candidate& candidate :
         enumerate_candidates(stage(Operation::backward_dkv, DType::bf16, dim, dim), device("sm_90a"), {}))
      CHECK(candidate.config.at("SEPARATE") == (dim > 128 ? 1 : 0));
  }
}

TEST_CASE("a launch of flash_bwd_delta covers padded rows and names what it touches") {
  Packed packed;
  const auto params =
      packed.pack<FlashBwdDeltaParams>(flash_bwd_delta_family(), Operation::backward_delta, {{"WARPS", 4}});
  CHECK(params.padded_rows == 128);
  CHECK(packed.launch.grid == 2 * 3 * 128 / 32);
  CHECK(packed.launch.block == 128);
  CHECK(packed.launch.shared_bytes == 0);
  CHECK(params.aligned == 3);
  CHECK(packed.region(Packed::at(4)) == 2 * 3 * 70 * 32 * 2);
  CHECK(packed.region(Packed::at(6)) == 2 * 3 * 70 * 32 * 2);
  CHECK(packed.region(Packed::at(5)) == 2 * 3 * 70 * 4);
  CHECK(packed.region(Packed::at(10)) == 2 * 3 * 70 * 4);
  CHECK(packed.region(Packed::at(11)) == 2 * 3 * 128 * 8);
  packed.gradients.dlse = nullptr;
  packed.pack<FlashBwdDeltaParams>(flash_bwd_delta_family(), Operation::backward_delta, {{"WARPS", 4}});
  CHECK(packed.launch.region_count == 4);
}

TEST_CASE("a launch of flash_bwd_dkv has blocks of keys for the gradients that are wanted") {
  Packed packed;
  const Family& family = flash_bwd_dkv_family();
  const auto params = packed.pack<FlashBwdDkvParams>(family, Operation::backward_dkv, kTogether);
  CHECK(packed.launch.grid == 2 * 1 * 2);
  CHECK(params.heads_per_kv == 3);
  CHECK(params.diagonal == 45 - 70);
  CHECK(params.scale_log2 == static_cast<float>(0.125 * 1.4426950408889634));
  CHECK(params.aligned == 63);
  CHECK(packed.region(Packed::at(8)) == 2 * 45 * 64 * 2);
  CHECK(packed.region(Packed::at(9)) == 2 * 45 * 32 * 2);
  CHECK(packed.region(Packed::at(11)) == 2 * 3 * 128 * 8);

  packed.pack<FlashBwdDkvParams>(family, Operation::backward_dkv, separate());
  CHECK(packed.launch.grid == 2 * (2 * 1 * 2));
  packed.gradients.dk.data = nullptr;
  const auto only_dv = packed.pack<FlashBwdDkvParams>(family, Operation::backward_dkv, separate());
  CHECK(packed.launch.grid == 2 * 1 * 2);
  CHECK(only_dv.dk.data == nullptr);
  CHECK(packed.region(nullptr) == 0);
  packed.gradients.dv.data = nullptr;
  packed.pack<FlashBwdDkvParams>(family, Operation::backward_dkv, kTogether);
  CHECK(packed.launch.grid == 0);
}

TEST_CASE("a launch of flash_bwd_dq has blocks of queries, if dq is wanted") {
  Packed packed;
  const Family& family = flash_bwd_dq_family();
  packed.arguments.q.stride[2] = 65;  // rows that start anywhere
  const auto params = packed.pack<FlashBwdDqParams>(family, Operation::backward_dq, kOfRows);
  CHECK(packed.launch.grid == 2 * 3 * 2);
  CHECK(params.aligned == 30);
  CHECK(packed.region(Packed::at(7)) == 2 * 3 * 70 * 64 * 2);
  packed.gradients.dq.data = nullptr;
  packed.pack<FlashBwdDqParams>(family, Operation::backward_dq, kOfRows);
  CHECK(packed.launch.grid == 0);
}
