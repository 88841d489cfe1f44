// Faults planted in flash_decode: whatever orders its warps and blocks, or tells them their keys, must be
// missed when it is gone, by the emulator or by the tuner's validation.
#include <string>

#include "kernels/families.h"
#include "support/catch.h"
#include "support/caught.h"
#include "support/kernel_bench.h"
#include "tune/validation.h"

using namespace attune;

namespace {

struct Change {
  std::string path, from, to;
};

const std::string kKernel = "flash_decode.cuh";

// Why a kernel with `change` made to its text is refused; empty when it is not.
std::string refusal_of(KernelBench& bench, const Problem& problem, const Change& change) {
  const Family& family = flash_decode_family();
  const Config config{{"BLOCK_M", 16}, {"BLOCK_N", 16}, {"WARPS", 4},
                      {"STAGES", 3},   {"BLOCKS", 2},   {"BEGINS_EARLY", 1}};
  KernelSource source = specialize(TemplateStore(), family, problem, config);
  for (SourceFile& file : source.files) {
    if (change.from.empty() || file.path != change.path) continue;
    const size_t at = file.text.find(change.from);
    REQUIRE(at != std::string::npos);
    REQUIRE(file.text.find(change.from, at + 1) == std::string::npos);
    file.text.replace(at, change.from.size(), change.to);
  }
  source.hash = hash_of(source.files);
  const CompileResult compiled = bench.backend().compiler().compile(source);
  INFO(compiled.log);
  REQUIRE(compiled.image.has_value());
  const auto shared_bytes = static_cast<uint32_t>(family.resources(problem, config).shared_bytes);
  const std::unique_ptr<Module> module = bench.backend().load(*compiled.image, shared_bytes);
  Comparison comparison;
  const Caught fault =
      caught([&] { comparison = Validation(problem).check(bench.backend(), family, config, *module); });
  return comparison.ok ? fault.message : comparison.reason;
}

}  // namespace

TEST_CASE("whatever orders flash_decode's warps and blocks is missed when it is gone", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  const Problem problem{.mask = Mask::causal,
                        .heads_q = 6,
                        .heads_kv = 2,
                        .seqlen_q = 5,
                        .seqlen_kv = 4096,
                        .head_dim = 64,
                        .head_dim_v = 64};
  CHECK(refusal_of(bench, problem, {}) == "");
  for (const Change& change : std::initializer_list<Change>{
           {kKernel, "warp_barrier();  // the step", "// the step"},
           {kKernel, "copy_async_wait<STAGES - 2>();", "copy_async_wait<STAGES - 1>();"},
           {kKernel, "block_barrier();  // Q is there", "// Q is there"},
           {kKernel, "block_barrier();  // everybody is done with the rings", ""},
           {kKernel, "show_sums(memory.as<float>(), output, rows);\n  block_barrier();",
            "show_sums(memory.as<float>(), output, rows);"},
           {kKernel,
            "if (lane_index() == 0) store_lse(params, share.rows, row, total);\n  }\n  block_barrier();",
            "if (lane_index() == 0) store_lse(params, share.rows, row, total);\n  }"},
           {kKernel, "visible.apply(score, key);", ""},
           {kKernel, "end_key = first_key + params.split_keys;",
            "end_key = first_key + params.split_keys - 1;"},
           {kKernel, "const int first_key = share.first_key + BLOCK_N * warp_index();",
            "const int first_key = share.first_key + BLOCK_N * warp_index() + (share.split == 2);"},
           {kKernel, "arrive_last(counter, static_cast<u32>(params.splits))",
            "arrive_last(counter, static_cast<u32>(params.splits - 1))"},
           {"attention/partial_results.cuh", "total.sum = warp_sum(total.sum);", ""},
           {"attention/partial_results.cuh", "total.maximum = warp_maximum(total.maximum);", ""},
           {"attention/packed_rows.cuh", "return first_head + (first + row) % heads;",
            "return first_head;"}}) {
    INFO(change.from << " -> " << change.to);
    const std::string refusal = refusal_of(bench, problem, change);
    CHECK(refusal != "");
    UNSCOPED_INFO(refusal);
  }
}
