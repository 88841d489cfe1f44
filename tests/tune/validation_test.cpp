// Validation finds what a candidate does wrong, for every dtype, mask and family, and says what.
#include "tune/validation.h"

#include "support/catch.h"
#include "support/tuning_bench.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

Comparison verdict_on(TuningBench& bench, const Problem& problem, const char* family_name,
                      const Config& config, Fault fault) {
  bench.backend.script.otherwise.fault = fault;
  const Family& family = *find_family(family_name);
  const KernelSource source = specialize(bench.templates, family, problem, config);
  const CompiledImage image = bench.backend.compiler().compile(source).image.value();
  const auto shared_bytes = static_cast<uint32_t>(family.resources(problem, config).shared_bytes);
  const std::unique_ptr<Module> module = bench.backend.load(image, shared_bytes);
  return Validation(problem).check(bench.backend, family, config, *module);
}

constexpr Fault kWrongResults[] = {Fault::scale_off_by_1_percent, Fault::loses_a_key, Fault::swaps_two_rows,
                                   Fault::writes_one_nan, Fault::writes_nothing};

}  // namespace

TEST_CASE("a right candidate passes for every dtype, mask, layout and group") {
  TuningBench bench;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      for (const Layout layout : {Layout::bhsd, Layout::bshd, Layout::strided}) {
        Problem problem = kSmallAttention;
        problem.dtype = dtype, problem.mask = mask, problem.layout = layout, problem.heads_q = 16;
        problem.heads_kv = layout == Layout::bhsd ? 16 : 4;
        INFO(describe(problem) << " " << name_of(layout));
        const Comparison comparison =
            verdict_on(bench, problem, "flash_fwd", flash_config(64, 32, 4, 1, 0), Fault::none);
        CHECK(comparison.reason == "");
        CHECK(comparison.ok);
        // As near as a double computation rounded once: below the yardstick, but not without error.
        CHECK(comparison.worst_ratio > 0);
        CHECK(comparison.worst_ratio <= 0.75);
      }
    }
  }
}

TEST_CASE("each planted error is found in every dtype and mask") {
  TuningBench bench;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      Problem problem = kSmallAttention;
      problem.dtype = dtype, problem.mask = mask;
      for (const Fault fault : kWrongResults) {
        INFO(describe(problem) << ", fault " << static_cast<int>(fault));
        const Comparison comparison =
            verdict_on(bench, problem, "flash_fwd", flash_config(64, 32, 4, 1, 0), fault);
        CHECK_FALSE(comparison.ok);
        CHECK(comparison.worst_ratio > 1);
        CHECK(comparison.max_abs_error > 0);
        CHECK_THAT(comparison.reason, ContainsSubstring("batch"));
      }
    }
  }
}

TEST_CASE("each planted error is found in row_softmax") {
  TuningBench bench;
  CHECK(verdict_on(bench, kSmallRows, "row_softmax", rows_config(4, 2), Fault::none).ok);
  for (const Fault fault : kWrongResults) {
    INFO("fault " << static_cast<int>(fault));
    const Comparison comparison = verdict_on(bench, kSmallRows, "row_softmax", rows_config(4, 2), fault);
    CHECK_FALSE(comparison.ok);
    CHECK_THAT(comparison.reason, ContainsSubstring("y batch 0 head 0 row"));
  }
}

TEST_CASE("a write beside a tensor is told apart from a wrong result") {
  TuningBench bench;
  const Comparison beside_o =
      verdict_on(bench, kSmallAttention, "flash_fwd", flash_config(64, 32, 4, 1, 0), Fault::writes_beside_o);
  CHECK_FALSE(beside_o.ok);
  CHECK(beside_o.reason == "o: bytes outside the tensor were written");
  CHECK(std::isinf(beside_o.worst_ratio));
  CHECK(
      verdict_on(bench, kSmallAttention, "flash_fwd", flash_config(64, 32, 4, 1, 0), Fault::writes_beside_lse)
          .reason == "lse: bytes outside the tensor were written");
  CHECK(verdict_on(bench, kSmallRows, "row_softmax", rows_config(4, 2), Fault::writes_beside_o).reason ==
        "y: bytes outside the tensor were written");
}

TEST_CASE("validation takes nothing from the size of the problem") {
  TuningBench bench;
  Problem huge = kSmallAttention;
  huge.batch = 4096, huge.heads_q = 1 << 10, huge.heads_kv = 1 << 8, huge.seqlen_q = huge.seqlen_kv = 1 << 20;
  CHECK(verdict_on(bench, huge, "flash_fwd", flash_config(64, 32, 4, 1, 0), Fault::none).ok);
  REQUIRE(bench.backend.last_launch.has_value());
  CHECK(bench.backend.last_launch->grid <= 2 * 6 * 4);
}
