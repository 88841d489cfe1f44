#include "tools/candidate_table.h"

#include <fmt/format.h>

#include "cli/text_table.h"
#include "cli/units.h"

namespace attune {

std::string name_of(const Candidate& candidate) {
  return fmt::format("{} {}", candidate.family->name(), to_string(candidate.config));
}

std::string candidate_table(const std::vector<Candidate>& candidates) {
  TextTable table({{"candidate"},
                   {"shared B", true},
                   {"threads", true},
                   {"registers", true},
                   {"blocks/SM", true},
                   {"predicted µs", true},
                   {"verdict"}});
  for (const Candidate& candidate : candidates) {
    const BudgetVerdict& verdict = candidate.verdict;
    table.add_row({name_of(candidate), fmt::format("{}/{}", verdict.shared_need, verdict.shared_limit),
                   fmt::format("{}/{}", verdict.threads_need, verdict.threads_limit),
                   fmt::format("~{}/{}", verdict.registers_need, verdict.registers_limit),
                   verdict.fits ? fmt::format("{}", verdict.blocks_per_multiprocessor) : "",
                   verdict.fits ? microseconds(candidate.predicted_seconds) : "", verdict.reason});
  }
  return table.text("  ");
}

}  // namespace attune
