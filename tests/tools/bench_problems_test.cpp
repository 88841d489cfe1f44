#include "tools/bench_problems.h"

#include <nlohmann/json.hpp>

#include "cli/problem_json.h"
#include "support/catch.h"
#include "tools/bench_report.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

Problem small(DType dtype, int64_t rows) {
  return {
      .dtype = dtype, .mask = Mask::causal, .heads_q = 2, .heads_kv = 1, .seqlen_q = rows, .seqlen_kv = rows};
}

ContextOptions emulator() {
  attune_context_options asked = ATTUNE_CONTEXT_OPTIONS_INIT;
  asked.device = "simt:sm_75";
  asked.cache_dir = "";
  asked.tuning = ATTUNE_TUNING_OFF;
  return resolve_options(&asked);
}

// Ten samples around 2 ms, two rounds.
BenchRow timed_row() {
  BenchRow row{.problem = {.batch = 2,
                           .heads_q = 16,
                           .heads_kv = 16,
                           .seqlen_q = 4096,
                           .seqlen_kv = 4096,
                           .head_dim = 128,
                           .head_dim_v = 128},
               .config = "flash_fwd BLOCK_M=128",
               .match = Match::exact,
               .error = 0.25};
  row.time = measurement_of({1.9e-3, 2.1e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3, 1.95e-3, 2.05e-3, 2e-3});
  row.round_seconds = {2e-3, 2e-3};
  return row;
}

BenchContext on_a_gpu() {
  return {.device = "a GPU (cuda, sm_90a)", .timings_mean_speed = true, .ceiling_tflops = 500};
}

}  // namespace

TEST_CASE("problems are grouped in order, and one that is too large stands alone") {
  using Groups = std::vector<std::vector<size_t>>;
  const auto groups = [](std::vector<int64_t> bytes, int64_t limit) { return groups_within(bytes, limit); };
  CHECK(groups({}, 10).empty());
  CHECK(groups({4, 4, 2, 1}, 10) == Groups{{0, 1, 2}, {3}});
  CHECK(groups({99, 1, 9, 99}, 10) == Groups{{0}, {1, 2}, {3}});
  CHECK(groups({0, 0, 0}, 0) == Groups{{0, 1, 2}});
  CHECK(groups({INT64_MAX, INT64_MAX}, INT64_MAX) == Groups{{0}, {1}});
}

TEST_CASE("TFLOP/s, GB/s and the fraction of the ceiling follow from the median") {
  const BenchRow row = timed_row();
  // 4 · 2 · 16 · 4096² · 128 operations in 2 ms; 4 tensors of 32 MiB and the f32 LSE of 131072 rows.
  const std::string text = bench_text({row}, on_a_gpu());
  CHECK_THAT(text, ContainsSubstring("137.4"));
  CHECK_THAT(text, ContainsSubstring("0.275"));
  CHECK_THAT(text, ContainsSubstring(" 67 "));
  CHECK_THAT(text, ContainsSubstring("2000 ["));
  CHECK_THAT(text, ContainsSubstring("exact"));
  const nlohmann::json document = bench_json({row}, on_a_gpu());
  CHECK(document["rows"][0]["tflops"]["attune"] == nlohmann::json{137.44, 137.44});
  CHECK(document["rows"][0]["time"]["median"] == 2e-3);
  CHECK(document["rows"][0]["time"]["samples"].size() == 10);
  CHECK(document["rows"][0]["refused"].empty());
}

TEST_CASE("where times mean nothing none is shown or stored") {
  BenchContext context = on_a_gpu();
  context.timings_mean_speed = false;
  const std::string text = bench_text({timed_row()}, context);
  CHECK_THAT(text, ContainsSubstring("nothing of speed"));
  CHECK_THAT(text, !ContainsSubstring("TFLOP/s"));
  CHECK_THAT(text, !ContainsSubstring("2000"));
  const nlohmann::json row = bench_json({timed_row()}, context)["rows"][0];
  CHECK(row["tflops"]["attune"].is_null());
  CHECK(row["time"].is_null());
  CHECK(row["error"] == 0.25);
}

TEST_CASE("a result file of attune-bench names problems for --problem") {
  const std::string text = bench_json({timed_row()}, on_a_gpu()).dump();
  const std::vector<Problem> problems = problems_from_json(text, "file");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] == timed_row().problem);
}

TEST_CASE("problems are planned, checked and launched on the emulator", "[simt]") {
  attune_context context(emulator());
  // The second has no family on this architecture; it must not keep the third from its turn.
  const std::vector problems = {small(DType::f32, 65), small(DType::bf16, 65), small(DType::f32, 3)};
  const std::vector<BenchRow> rows = bench_problems(context, problems, {});
  REQUIRE(rows.size() == 3);
  for (const size_t i : {size_t{0}, size_t{2}}) {
    INFO(rows[i].refused);
    CHECK(rows[i].refused.empty());
    CHECK(rows[i].config.starts_with("flash_fwd "));
    CHECK(rows[i].match == Match::by_default);
    CHECK(rows[i].error > 0);
    CHECK(rows[i].error <= 1);
    CHECK(rows[i].time.samples.size() == 1);
  }
  CHECK_THAT(rows[1].refused, ContainsSubstring("bf16 needs compute capability 8.0"));
  CHECK(rows[1].time.samples.empty());
  const std::string text = bench_text(rows, describe_bench(*context.backend, BenchOptions{}, 0));
  CHECK_THAT(text, ContainsSubstring("refused: forward bf16 B=1"));
}

TEST_CASE("problems are timed in rounds on the GPU", "[gpu]") {
  attune_context_options asked = ATTUNE_CONTEXT_OPTIONS_INIT;
  asked.device = "cuda";
  asked.cache_dir = "";
  asked.tuning = ATTUNE_TUNING_OFF;
  std::optional<attune_context> context;
  try {
    context.emplace(resolve_options(&asked));
  } catch (const Error& error) {
    if (error.status() == ATTUNE_ERROR_NO_DEVICE) ATTUNE_SKIP(error.what());
    throw;
  }
  const BenchOptions options{.rounds = 3, .calls = 4};
  for (const BenchRow& row :
       bench_problems(*context, std::vector{small(DType::bf16, 1024), small(DType::bf16, 2048)}, options)) {
    INFO(row.refused);
    CHECK(row.refused.empty());
    CHECK(row.round_seconds.size() == 3);
    CHECK(row.time.samples.size() == 12);
    CHECK(row.time.median > 0);
  }
}
