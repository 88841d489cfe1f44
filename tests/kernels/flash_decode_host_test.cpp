// What the host twin of flash_decode takes, launches and asks of the workspace. Runs no kernel.
#include <cstring>
#include <vector>

#include "attention/partial_results.layout.h"
#include "flash_decode.layout.h"
#include "flash_decode.params.h"
#include "kernels/families.h"
#include "kernels/problems.h"
#include "kernels/registry.h"
#include "support/catch.h"

using namespace attune;

namespace {

Problem decoding(int64_t batch, int64_t heads_q, int64_t heads_kv, int64_t nq, int64_t nk) {
  Problem problem = attention(DType::bf16, 128);
  problem.batch = batch;
  problem.heads_q = heads_q;
  problem.heads_kv = heads_kv;
  problem.seqlen_q = nq;
  problem.seqlen_kv = nk;
  return problem;
}

struct Packing {
  Problem problem = decoding(2, 16, 2, 4, 8192);
  Config config{{"BLOCK_M", 16}, {"BLOCK_N", 16}, {"WARPS", 4},
                {"STAGES", 3},   {"BLOCKS", 2},   {"BEGINS_EARLY", 1}};
  int multiprocessors = 132;
  int64_t batch = 2, seqlen_q = 4, seqlen_kv = 8192;
  void* workspace = address(0x100000);
  Launch launch;

  LaunchShape shape() const {
    LaunchShape shape = flash_decode_family().launch_shape(problem, config);
    shape.multiprocessors = multiprocessors;
    return shape;
  }
  size_t workspace_bytes() const { return flash_decode_family().workspace_bytes(problem, shape()); }
  FlashDecodeParams pack() {
    const auto dense = [](uintptr_t place, int64_t heads, int64_t rows) {
      return TensorView{address(place), {heads * rows * 128, rows * 128, 128, 1}};
    };
    const Arguments arguments{.q = dense(0x10000, problem.heads_q, seqlen_q),
                              .k = dense(0x20000, problem.heads_kv, seqlen_kv),
                              .v = dense(0x30000, problem.heads_kv, seqlen_kv),
                              .o = dense(0x40000, problem.heads_q, seqlen_q),
                              .workspace = workspace,
                              .batch = batch,
                              .seqlen_q = seqlen_q,
                              .seqlen_kv = seqlen_kv,
                              .scale = 0.125};
    REQUIRE(flash_decode_family().pack(problem, shape(), arguments, launch));
    FlashDecodeParams params;
    REQUIRE(launch.parameter_bytes == sizeof(params));
    std::memcpy(&params, launch.parameters.data(), sizeof(params));
    return params;
  }
};

size_t configs_of(const Problem& problem, const char* arch) {
  size_t fitting = 0;
  for (const Candidate& candidate : enumerate_candidates(problem, device(arch), {}))
    fitting += candidate.family->name() == "flash_decode" && candidate.verdict.fits;
  return fitting;
}

}  // namespace

TEST_CASE("flash_decode takes few rows that share keys, and no others") {
  const auto reason = [](const Problem& problem, const char* arch = "sm_90") {
    return flash_decode_family().inapplicable_reason(problem, device(arch));
  };
  CHECK(reason(decoding(1, 32, 8, 1, 4096)) == "");
  CHECK(reason(decoding(1, 32, 8, 16, 4096)) == "");
  CHECK(reason(decoding(1, 32, 8, 17, 4096)) ==
        "is for at most 64 rows that share their keys, here 4 query heads x 17 queries");
  CHECK(reason(decoding(1, 8, 8, 64, 4096)) == "");
  CHECK_FALSE(reason(decoding(1, 8, 8, 65, 4096)).empty());
  Problem wide = decoding(1, 8, 8, 1, 4096);
  wide.dtype = DType::f32;
  CHECK(reason(wide) == "multiplies 16-bit elements, not f32");
  CHECK(reason(decoding(1, 8, 8, 1, 4096), "sm_75") ==
        "bf16 needs compute capability 8.0, the device has 7.5");
  CHECK(reason(kRows) == "computes the forward pass only");
}

TEST_CASE("a few configs of flash_decode fit for every pair of head dimensions on every device") {
  for (const char* arch : {"sm_80", "sm_86", "sm_89", "sm_90"}) {
    for (int64_t dim = 1; dim <= 256; dim += 15) {
      for (const int64_t dim_v : {int64_t{1}, dim, int64_t{256}}) {
        for (const int64_t nq : {1, 16}) {
          Problem problem = decoding(1, 8, 2, nq, 8192);
          problem.head_dim = dim;
          problem.head_dim_v = dim_v;
          INFO(arch << " D=" << dim << "/" << dim_v << " Nq=" << nq);
          const size_t configs = configs_of(problem, arch);
          CHECK(configs >= 1);
          CHECK(configs <= 30);
        }
      }
    }
  }
}

TEST_CASE("flash_decode is the first choice for decoding, and not for short caches") {
  for (const char* arch : {"sm_80", "sm_90"}) {
    for (const Problem& problem : {decoding(8, 32, 8, 1, 8192), decoding(64, 32, 8, 1, 4096),
                                   decoding(1, 32, 8, 1, 65536), decoding(4, 16, 16, 1, 16384)}) {
      INFO(arch << " " << describe(problem));
      CHECK(enumerate_candidates(problem, device(arch), {}).front().family->name() == "flash_decode");
    }
  }
}

TEST_CASE("flash_decode packs the heads of a group into rows, and divides keys to fill the device") {
  Packing packing;
  const FlashDecodeParams params = packing.pack();
  CHECK(params.heads_kv == 2);
  CHECK(params.heads_per_kv == 8);
  CHECK(params.tiles == 2);    // 32 rows
  CHECK(params.splits == 32);  // 8 tiles on 264 places
  CHECK(params.split_keys == 256);
  CHECK(params.keys == 8192);
  CHECK(params.aligned == 15);
  CHECK(packing.launch.grid == 2 * 2 * 2 * 32);
  CHECK(packing.launch.block == 128);
  CHECK(packing.launch.begins_early);
  CHECK(params.counters == packing.workspace);
  CHECK(params.partials == address(0x100000 + 4352));  // behind the counters of half as many tiles as blocks
  REQUIRE(packing.launch.region_count == 6);           // without lse
  CHECK(packing.launch.regions[4].bytes == 8 * 8);
  CHECK(packing.launch.regions[5].bytes == 256 * 4 * (16 * 128 + 32));
}

TEST_CASE("flash_decode takes all keys at once without a workspace, or where there are few") {
  Packing packing;
  packing.workspace = nullptr;
  const FlashDecodeParams alone = packing.pack();
  CHECK(alone.splits == 1);
  CHECK(alone.counters == nullptr);
  CHECK(packing.launch.grid == 8);
  CHECK(packing.launch.region_count == 4);

  Packing few;
  few.seqlen_kv = 200;
  CHECK(few.pack().splits == 1);
  few.seqlen_kv = 0;
  CHECK(few.pack().splits == 1);
  few.problem.seqlen_kv = 200;
  CHECK(few.workspace_bytes() == 0);

  Packing masked;
  masked.problem.mask = Mask::causal_top_left;
  CHECK(masked.pack().keys == 4);
}

TEST_CASE("no launch within the capacity needs more workspace than the plan says") {
  for (const int block_m : {16, 32}) {
    for (const int blocks : {1, 2, 4}) {
      Packing packing;
      packing.config.set("BLOCK_M", block_m);
      packing.config.set("BLOCKS", blocks);
      packing.problem = decoding(40, 16, 2, 8, 20000);
      const size_t bytes = packing.workspace_bytes();
      for (packing.batch = 1; packing.batch <= 40; ++packing.batch) {
        for (packing.seqlen_q = 1; packing.seqlen_q <= 8; ++packing.seqlen_q) {
          for (packing.seqlen_kv = 1; packing.seqlen_kv <= 20000;
               packing.seqlen_kv = packing.seqlen_kv * 3 / 2 + 1) {
            const FlashDecodeParams params = packing.pack();
            if (params.splits == 1) continue;
            REQUIRE(params.splits <= PartialResultsLayout::kMostSplits);
            const auto end_of = [&](size_t region) {
              return reinterpret_cast<uintptr_t>(packing.launch.regions[region].base) +
                     packing.launch.regions[region].bytes;
            };
            REQUIRE(end_of(4) <= reinterpret_cast<uintptr_t>(params.partials));
            REQUIRE(end_of(5) <= reinterpret_cast<uintptr_t>(packing.workspace) + bytes);
          }
        }
      }
    }
  }
}

TEST_CASE("with one config for all lengths the split depends on the plan and the keys alone") {
  Packing packing;
  packing.problem = decoding(16, 16, 2, 4, 8192);
  packing.problem.single_config = true;
  packing.batch = 16;
  const int splits = packing.pack().splits;
  packing.batch = 1;
  packing.seqlen_q = 1;
  CHECK(packing.pack().splits == splits);
  packing.problem.single_config = false;
  CHECK(packing.pack().splits > splits);
}

TEST_CASE("flash_decode begins early where launches can") {
  const Problem problem = decoding(1, 8, 2, 1, 4096);
  for (const auto& [arch, expected] :
       std::initializer_list<std::pair<const char*, int>>{{"sm_80", 0}, {"sm_89", 0}, {"sm_90", 1}}) {
    for (const Config& config : flash_decode_family().space(problem, device(arch)).enumerate()) {
      CHECK(config.at("BEGINS_EARLY") == expected);
      CHECK(flash_decode_family().launch_shape(problem, config).begins_early == (expected == 1));
    }
  }
}

TEST_CASE("flash_decode's budget is the layout's formula") {
  const FlashDecodeLayout layout{128, 72, 16, 32, 4, 3};
  // Q, and for each of four warps three steps of K and V, whose rows end at whole sixteens.
  CHECK(layout.shared_bytes() == 16 * 256 + 4 * 3 * 32 * (256 + 160));
  CHECK(layout.ring_offset(1) - layout.ring_offset(0) == 3 * 32 * (256 + 160));
  CHECK(layout.weights_end() <= layout.shared_bytes());
  Problem problem = decoding(1, 8, 2, 1, 4096);
  problem.head_dim_v = 72;
  const Config config{{"BLOCK_M", 16}, {"BLOCK_N", 32}, {"WARPS", 4},
                      {"STAGES", 3},   {"BLOCKS", 1},   {"BEGINS_EARLY", 1}};
  CHECK(flash_decode_family().resources(problem, config).shared_bytes == layout.shared_bytes());
}
