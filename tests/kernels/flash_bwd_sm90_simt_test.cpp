// The gradients by warpgroup products on the emulator: every tunable, both masks, grouped heads, lengths that
// are no whole tiles.
#include "kernels/families.h"
#include "support/catch.h"
#include "support/flash_bwd_checks.h"

using namespace attune;

namespace {

Problem problem_of(Operation operation, DType dtype, int64_t head_dim, int64_t head_dim_v, Mask mask) {
  return {.operation = operation,
          .dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = 2,
          .heads_kv = 1,
          .head_dim = head_dim,
          .head_dim_v = head_dim_v};
}

FlashBwdCase dkv_case(const Problem& problem, int block_m, int block_n, int stages) {
  const int separate = problem.head_dim + problem.head_dim_v > 256 ? 1 : 0;
  FlashBwdCase one{problem,
                   {{"BLOCK_M", block_m}, {"BLOCK_N", block_n}, {"STAGES", stages}, {"SEPARATE", separate}},
                   {{97, 131}, {130, 70}}};
  one.family = &flash_bwd_dkv_sm90_family();
  return one;
}

FlashBwdCase dq_case(const Problem& problem, int block_n, int stages) {
  FlashBwdCase one{
      problem, {{"BLOCK_M", 128}, {"BLOCK_N", block_n}, {"STAGES", stages}}, {{97, 131}, {130, 70}}};
  one.family = &flash_bwd_dq_sm90_family();
  return one;
}

}  // namespace

TEST_CASE("flash_bwd_dkv_sm90 on simt is right for its tunables and head dimensions", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  const auto problem = [](DType dtype, int64_t d, int64_t dv, Mask mask) {
    return problem_of(Operation::backward_dkv, dtype, d, dv, mask);
  };
  check_flash_bwd(bench, {dkv_case(problem(DType::bf16, 64, 64, Mask::causal), 64, 128, 2),
                          dkv_case(problem(DType::f16, 64, 64, Mask::none), 32, 192, 3),
                          dkv_case(problem(DType::bf16, 128, 64, Mask::causal_top_left), 32, 128, 1),
                          dkv_case(problem(DType::bf16, 192, 128, Mask::causal), 32, 128, 2)});
}

TEST_CASE("flash_bwd_dq_sm90 on simt is right for its tunables and head dimensions", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  const auto problem = [](DType dtype, int64_t d, int64_t dv, Mask mask) {
    return problem_of(Operation::backward_dq, dtype, d, dv, mask);
  };
  check_flash_bwd(bench, {dq_case(problem(DType::bf16, 64, 64, Mask::causal), 64, 2),
                          dq_case(problem(DType::f16, 64, 64, Mask::none), 128, 3),
                          dq_case(problem(DType::bf16, 128, 64, Mask::causal_top_left), 96, 1),
                          dq_case(problem(DType::bf16, 192, 128, Mask::causal), 32, 2)});
}
