// The candidates that the families make of a problem: which fit, in what order, and what the cost model says
// of them.
#include <algorithm>
#include <set>
#include <vector>

#include "kernels/problems.h"
#include "kernels/registry.h"
#include "support/catch.h"

using namespace attune;

namespace {

size_t fitting(const std::vector<Candidate>& candidates) {
  return static_cast<size_t>(
      std::ranges::count_if(candidates, [](const Candidate& c) { return c.verdict.fits; }));
}

std::vector<Candidate> of_family(std::vector<Candidate> candidates, std::string_view name) {
  std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.family->name() != name; });
  return candidates;
}

}  // namespace

TEST_CASE("20 to 60 candidates of a family fit for the common problems") {
  for (const char* arch : {"sm_80", "sm_86", "sm_90"}) {
    for (const int64_t dim : {32, 64, 80, 96, 128}) {
      INFO(arch << " D=" << dim);
      const std::vector<Candidate> all = enumerate_candidates(attention(DType::bf16, dim), device(arch), {});
      const size_t by_warpgroups = fitting(of_family(all, "flash_fwd_sm90"));
      CHECK(fitting(all) >= 20);
      CHECK(fitting(all) - by_warpgroups <= 60);
      CHECK(by_warpgroups <= 30);
    }
  }
}

TEST_CASE("4 to 30 candidates of warpgroup products fit for every pair of multiples of 8") {
  const DeviceSpec spec = device("sm_90");
  for (int64_t dim = 8; dim <= 256; dim += 8) {
    for (int64_t dim_v = 8; dim_v <= 256; dim_v += 8) {
      INFO("D=" << dim << "/" << dim_v);
      Problem problem = attention(DType::bf16, dim);
      problem.head_dim_v = dim_v;
      const size_t count = fitting(of_family(enumerate_candidates(problem, spec, {}), "flash_fwd_sm90"));
      CHECK(count >= 4);
      CHECK(count <= 30);
    }
  }
  Problem odd = attention(DType::bf16, 64);
  odd.head_dim_v = 68;
  CHECK(of_family(enumerate_candidates(odd, spec, {}), "flash_fwd_sm90").empty());
}

TEST_CASE("warpgroup products take steps that suit the registers, the rows and the keys there are") {
  const auto steps_of = [](int64_t dim, int64_t keys, int block_m, int persistent) {
    Problem problem = attention(DType::bf16, dim);
    problem.seqlen_kv = keys;
    std::set<int> steps;
    for (const Candidate& candidate :
         of_family(enumerate_candidates(problem, device("sm_90"), {}), "flash_fwd_sm90")) {
      const Config& config = candidate.config;
      if (candidate.verdict.fits && config.at("BLOCK_M") == block_m && config.at("PERSISTENT") == persistent)
        steps.insert(config.at("BLOCK_N"));
    }
    return steps;
  };
  // Three consumers: the longest.
  CHECK(steps_of(128, 4096, 192, 1) == std::set<int>{80});
  CHECK(steps_of(96, 4096, 192, 1) == std::set<int>{112});
  CHECK(steps_of(72, 4096, 192, 1) == std::set<int>{128});
  // Two: long ones.
  CHECK(steps_of(256, 4096, 128, 1) == std::set<int>{64, 80});
  // Of short rows: one step for all keys, where there is one.
  CHECK(steps_of(64, 197, 128, 1) == std::set<int>{128, 208});
  CHECK(steps_of(64, 209, 128, 1) == std::set<int>{128});
  CHECK(steps_of(32, 144, 128, 1) == std::set<int>{128, 144});
  CHECK(steps_of(32, 144, 192, 1).count(144) == 0);
  CHECK(steps_of(32, 144, 192, 1).count(128) == 1);
}

TEST_CASE("candidates come sorted: those that fit by predicted time, then the others") {
  for (const DeviceSpec& spec : known_devices()) {
    const std::vector<Candidate> candidates = enumerate_candidates(attention(DType::f32, 64), spec, {});
    REQUIRE_FALSE(candidates.empty());
    for (size_t i = 0; i < candidates.size(); ++i) {
      const Candidate& candidate = candidates[i];
      INFO(spec.arch << " " << to_string(candidate.config));
      CHECK(candidate.verdict.fits == (candidate.verdict.reason == "ok"));
      CHECK(candidate.use.shared_bytes == candidate.verdict.shared_need);
      if (candidate.verdict.fits)
        CHECK((candidate.predicted_seconds > 0 && candidate.predicted_seconds < 10));
      if (i == 0) continue;
      CHECK((candidates[i - 1].verdict.fits || !candidate.verdict.fits));
      if (candidate.verdict.fits) CHECK(candidates[i - 1].predicted_seconds <= candidate.predicted_seconds);
    }
  }
}

TEST_CASE("enumeration is deterministic, and complete whatever the margin") {
  const Problem problem = attention(DType::bf16, 128);
  const DeviceSpec spec = device("sm_86");
  const auto texts = [&](const Margin& margin) {
    std::vector<std::string> result;
    for (const Candidate& candidate : enumerate_candidates(problem, spec, margin)) {
      result.push_back(std::string(candidate.family->name()) + " " + to_string(candidate.config));
    }
    return result;
  };
  const std::vector<std::string> first = texts({});
  CHECK(first == texts({}));
  const std::vector<std::string> strict = texts({.fraction = 0.3, .bytes = 5000});
  CHECK(std::set<std::string>(strict.begin(), strict.end()) ==
        std::set<std::string>(first.begin(), first.end()));
  CHECK(std::set<std::string>(first.begin(), first.end()).size() == first.size());
  CHECK(fitting(enumerate_candidates(problem, spec, {.fraction = 0.3})) <
        fitting(enumerate_candidates(problem, spec, {})));
}

TEST_CASE("Turing refuses bf16 with the numbers, and takes the other dtypes") {
  const DeviceSpec turing = device("sm_75");
  std::string why_not;
  CHECK(enumerate_candidates(attention(DType::bf16, 64), turing, {}, &why_not).empty());
  CHECK(why_not ==
        "flash_fwd bf16 needs compute capability 8.0, the device has 7.5; flash_fwd_sm90 needs sm_90a, "
        "16-bit elements and head dimensions that are multiples of 8: there are sm_75, bf16, 64 and 64; "
        "flash_decode is for at most 64 rows that share their keys, here 1 query heads x 4096 queries; "
        "flash_bwd_delta computes "
        "backward_delta only; flash_bwd_dkv computes backward_dkv only; flash_bwd_dq computes backward_dq "
        "only; flash_bwd_dkv_sm90 computes backward_dkv only; flash_bwd_dq_sm90 computes backward_dq "
        "only; row_softmax computes row_softmax "
        "only");
  for (const DType dtype : {DType::f16, DType::f32, DType::f64})
    CHECK(fitting(enumerate_candidates(attention(dtype, 64), turing, {})) > 0);
  CHECK(flash_fwd().inapplicable_reason(kRows, turing) == "computes the forward pass only");
}

TEST_CASE("some config fits for every pair of head dimensions on every device") {
  for (const DeviceSpec& spec : known_devices()) {
    for (const DType dtype : kTypes) {
      if (!flash_fwd().inapplicable_reason(attention(dtype, 64), spec).empty()) continue;
      for (int64_t dim = 1; dim <= 256; dim += 5) {
        for (const int64_t dim_v : {int64_t{1}, dim, int64_t{256}}) {
          // NOTE: Turing's 64 KiB hold no tiles of f64 rows that are this long; it is refused with the
          // numbers.
          const bool long_rows = std::max(dim, dim_v) > 160;
          if (dtype == DType::f64 && spec.compute_capability() == 75 && long_rows) continue;
          INFO(spec.arch << " " << name_of(dtype) << " D=" << dim << "/" << dim_v);
          Problem problem = attention(dtype, dim);
          problem.head_dim_v = dim_v;
          CHECK(fitting(enumerate_candidates(problem, spec, {})) > 0);
        }
      }
    }
  }
}

TEST_CASE("the cost model knows that a causal mask halves the work and that longer takes longer") {
  for (const char* arch : {"sm_80", "sm_86", "sm_90"}) {
    const DeviceSpec spec = device(arch);
    for (const Candidate& candidate : enumerate_candidates(attention(DType::bf16, 128), spec, {})) {
      if (!candidate.verdict.fits) continue;
      INFO(arch << " " << to_string(candidate.config));
      const auto seconds = [&](int64_t length, Mask mask) {
        Problem problem = attention(DType::bf16, 128);
        problem.seqlen_q = problem.seqlen_kv = length;
        problem.mask = mask;
        return candidate.family->predicted_seconds(problem, candidate.config, spec, candidate.verdict);
      };
      CHECK(seconds(8192, Mask::causal) < 0.7 * seconds(8192, Mask::none));
      CHECK(seconds(8192, Mask::causal) > 0.4 * seconds(8192, Mask::none));
      CHECK(seconds(8192, Mask::none) > 3 * seconds(4096, Mask::none));
    }
  }
}
