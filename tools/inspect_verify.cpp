#include "tools/inspect_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.h"
#include "cli/program.h"
#include "cli/text_table.h"
#include "cuda/nvrtc_compiler.h"
#include "db/recorded_problem.h"
#include "db/shipped_db.h"
#include "device/keyed_device.h"
#include "tools/rebuilt_winner.h"

namespace attune {
namespace {

std::string table_of(const std::vector<RebuiltWinner>& winners, const Compiler& compiler) {
  TextTable table({{"problem"},
                   {"winner"},
                   {"code hash recorded"},
                   {"here"},
                   {"registers", true},
                   {"spills B", true},
                   {"verdict"}});
  const auto both = [](int recorded, int here) {
    return recorded == here ? fmt::format("{}", here) : fmt::format("{} -> {}", recorded, here);
  };
  for (const RebuiltWinner& winner : winners) {
    const Record& recorded = winner.recorded;
    const bool built = !winner.hash.empty();
    table.add_row({recorded.shape, recorded.family + " " + recorded.config, recorded.image_hash.substr(0, 12),
                   winner.hash.substr(0, 12), built ? both(recorded.registers, winner.registers) : "",
                   built ? both(recorded.spill_bytes, winner.spill_bytes) : "",
                   verdict_of(winner, compiler)});
  }
  return table.text("  ");
}

// True when nothing is wrong with the winners of this device.
bool verify(const std::string& device_key, const std::vector<RecordedProblem>& problems,
            const std::string& nvrtc) {
  const std::unique_ptr<Compiler> compiler = make_compile_only(device_of_key(device_key)->spec.arch, nvrtc);
  std::vector<Record> records;
  for (const RecordedProblem& problem : problems)
    records.insert(records.end(), problem.records.begin(), problem.records.end());
  const std::vector<RebuiltWinner> winners = rebuild_winners(problems, TemplateStore(), *compiler);
  const auto count = [&](auto&& holds) { return std::ranges::count_if(winners, holds); };
  const auto faults = count([](const RebuiltWinner& winner) { return winner.is_fault(); });
  fmt::print("recorded: {}\n{}{} of {} winners are equal, {} differ by another compiler, {} are wrong\n",
             provenance_of(records), table_of(winners, *compiler),
             count([](const RebuiltWinner& winner) { return winner.is_equal(); }), winners.size(),
             count([](const RebuiltWinner& winner) { return !winner.is_equal() && !winner.is_fault(); }),
             faults);
  return faults == 0;
}

}  // namespace

void InspectVerify::add_to(CLI::App& command) {
  machine_.add_nvrtc(command);
}

int InspectVerify::run() const {
  const std::vector<Record> records = open_shipped_db(Log(ATTUNE_LOG_WARNING, nullptr, nullptr))->records();
  size_t unknown = 0;
  std::map<std::string, std::vector<RecordedProblem>> by_device;
  for (RecordedProblem& problem : recorded_problems(records, &unknown))
    by_device[problem.device_key].push_back(std::move(problem));
  if (by_device.empty()) {
    fmt::print("no recordings: this library ships {} trials, none with a time\n", records.size());
  }
  int code = kExitOk;
  for (const auto& [device_key, problems] : by_device) {
    if (!verify(device_key, problems, machine_.nvrtc())) code = kExitFailed;
  }
  if (unknown > 0) fmt::print("{} trials are of problems this version does not know\n", unknown);
  return code;
}

}  // namespace attune
