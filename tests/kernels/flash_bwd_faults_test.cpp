// Faults planted in the kernels of the backward pass: the tuner's validation must refuse them, whatever rows
// a block has.
#include <string>

#include "support/catch.h"
#include "support/flash_bwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

Problem problem_of(Operation stage, DType dtype) {
  return {.operation = stage,
          .dtype = dtype,
          .mask = Mask::causal,
          .batch = 1,
          .heads_q = 1,
          .heads_kv = 1,
          .seqlen_q = 1024,
          .seqlen_kv = 1024,
          .head_dim = 32,
          .head_dim_v = 32};
}

struct Change {
  std::string path, from, to;
};

// The verdict on a kernel with `change` made to its text; without `from` on the kernel as it is.
Comparison verdict_on(KernelBench& bench, const Problem& problem, const Config& config,
                      const Change& change) {
  const Family& family = family_of(problem);
  KernelSource source = specialize(TemplateStore(), family, problem, config);
  for (SourceFile& file : source.files) {
    if (change.from.empty() || file.path != change.path) continue;
    const size_t at = file.text.find(change.from);
    REQUIRE(at != std::string::npos);
    file.text.replace(at, change.from.size(), change.to);
  }
  source.hash = hash_of(source.files);
  const CompileResult compiled = bench.backend().compiler().compile(source);
  INFO(compiled.log);
  REQUIRE(compiled.image.has_value());
  const auto shared_bytes = static_cast<uint32_t>(family.resources(problem, config).shared_bytes);
  const std::unique_ptr<Module> module = bench.backend().load(*compiled.image, shared_bytes);
  return Validation(problem).check(bench.backend(), family, config, *module);
}

}  // namespace

TEST_CASE("validation refuses a dkv whose first block of queries begins late", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const Problem problem = problem_of(Operation::backward_dkv, dtype);
    for (const int rows : {16, 32, 64, 128}) {
      const Config config{{"BLOCK_M", rows}, {"BLOCK_N", 64},          {"WARPS", 4},
                          {"STAGES", 1},     {"KEYS_IN_REGISTERS", 0}, {"SEPARATE", 0}};
      INFO(name_of(dtype) << " with " << to_string(config));
      CHECK(verdict_on(bench, problem, config, {}).ok);
      for (const char* late : {"(first_row + 8)", "(first_row + 1)"}) {
        const Comparison comparison = verdict_on(bench, problem, config,
                                                 {"attention/column_mask.cuh", "? first_row / BLOCK_ROWS",
                                                  std::string("? ") + late + " / BLOCK_ROWS"});
        INFO(late << ": " << comparison.reason);
        CHECK_FALSE(comparison.ok);
      }
    }
  }
}

TEST_CASE("validation refuses a dq whose last block of keys ends early", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const Problem problem = problem_of(Operation::backward_dq, dtype);
    for (const int keys : {16, 32, 64}) {
      const Config config{
          {"BLOCK_M", 64}, {"BLOCK_N", keys}, {"WARPS", 4}, {"STAGES", 1}, {"QUERIES_IN_REGISTERS", 0}};
      INFO(name_of(dtype) << " with " << to_string(config));
      CHECK(verdict_on(bench, problem, config, {}).ok);
      for (const char* early : {"end_row + diagonal - 8", "end_row + diagonal - 1"}) {
        const Comparison comparison =
            verdict_on(bench, problem, config, {"attention/tile_order.cuh", "end_row + diagonal", early});
        INFO(early << ": " << comparison.reason);
        CHECK_FALSE(comparison.ok);
      }
    }
  }
}
