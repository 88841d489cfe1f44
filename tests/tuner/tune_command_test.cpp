// What attune-tune does, in this process.
#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "support/catch.h"
#include "support/tuning_bench.h"
#include "tuner/tune_command.h"

using namespace attune;

namespace {

// The configs that were tried of the small family on the emulator.
std::vector<std::string> configs_tried(const std::filesystem::path& cache, int most) {
  const std::filesystem::path report = cache / "report.json";
  CLI::App app;
  TuneCommand command;
  command.add_to(app);
  app.parse(
      fmt::format("--device simt --op row_softmax --batch 1 --seqlen 40 --seqlen-kv 100 --force "
                  "--max-candidates {} --cache-dir {} --json {}",
                  most, cache.string(), report.string()));
  REQUIRE(command.run() == 0);
  const nlohmann::json reports = nlohmann::json::parse(read_file(report).value());
  std::vector<std::string> configs;
  for (const nlohmann::json& trial : reports[0]["trials"]) {
    const nlohmann::json& config = trial["config"];
    configs.push_back(to_string(rows_config(config["WARPS"], config["ROWS_PER_BLOCK"])));
  }
  return configs;
}

}  // namespace

TEST_CASE("attune-tune tries first what the database knows to be good", "[simt]") {
  const ScratchDirectory first, second;
  const std::vector<std::string> configs = configs_tried(first.path(), 3);
  REQUIRE(configs.size() == 3);
  REQUIRE(configs_tried(second.path(), 1) == std::vector<std::string>{configs[0]});  // of the cost model

  // What is known of another: a second database that has only that one.
  const ScratchDirectory third;
  const std::unique_ptr<TuningDb> known = TuningDb::open(first.path() / "tuning.db", Log());
  const std::vector<Record> records = known->records();
  const auto other =
      std::ranges::find_if(records, [&](const Record& record) { return record.config == configs[2]; });
  REQUIRE(other != records.end());
  REQUIRE(TuningDb::open(third.path() / "tuning.db", Log())->add(*other));
  CHECK(configs_tried(third.path(), 1) == std::vector<std::string>{configs[2]});
}
