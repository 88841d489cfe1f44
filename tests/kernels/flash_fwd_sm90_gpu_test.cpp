// The forward pass by warpgroup products on a GPU: every head dimension, where products and copies end within
// a panel.
#include <optional>
#include <vector>

#include "kernels/row_tiles.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"

using namespace attune;

namespace {

void add_cases(KernelBench& bench, int64_t head_dim, int64_t head_dim_v, std::vector<FlashFwdCase>& cases) {
  const DeviceSpec& device = bench.backend().device();
  for (const int block_m : {64, 128, 192}) {
    Problem problem{.dtype = block_m == 128 ? DType::f16 : DType::bf16,
                    .mask = block_m == 64 ? Mask::none : Mask::causal,
                    .batch = 8,
                    .heads_q = 4,
                    .heads_kv = 2,
                    .seqlen_q = 1024,
                    .seqlen_kv = 1024,
                    .head_dim = head_dim,
                    .head_dim_v = head_dim_v};
    if (const std::optional<ForwardKernel> kernel = first_of(problem, device, block_m)) {
      problem.batch = 1;
      cases.push_back({problem, *kernel, {{203, 799}, {1023, 129}, {64, 300}, {1, 33}}});
    }
  }
}

}  // namespace

TEST_CASE("flash_fwd_sm90 on a GPU is right for every multiple of 8 and all tiles", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  if (bench.backend().device().arch != "sm_90a") {
    WARN("skipped: the GPU has no warpgroup products");
    return;
  }
  std::vector<FlashFwdCase> cases;
  for (int64_t dim = 8; dim <= 256; dim += 8)
    add_cases(bench, dim, dim, cases);
  for (const auto& [dim, dim_v] : {std::pair{192, 128}, {96, 64}, {72, 200}, {64, 104}, {248, 8}})
    add_cases(bench, dim, dim_v, cases);
  CHECK(cases.size() > 64);
  check_flash_fwd(bench, cases);
}
