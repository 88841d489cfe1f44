// HostCost: something attune does on the host, what it took, and the bound it must hold.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "measure/statistics.h"

namespace attune {

enum class Verdict {
  holds,
  missed,
  not_judged,  // measured where the bound is not meant to hold, or there is none
  skipped,     // could not be measured here; the note says why
};

enum class CostUnit { seconds, count };

struct HostCost {
  std::string what;
  CostUnit unit = CostUnit::seconds;
  double value = 0;                // a median, or a count
  double ci_low = 0, ci_high = 0;  // 95 % interval of a median; both 0 without one
  double bound = -1;               // the value may be this much; negative: there is none
  Verdict verdict = Verdict::not_judged;
  std::string note;
};

// The median of the samples against a bound of seconds (negative: none); `judged` false where it says
// nothing.
HostCost timed_cost(std::string what, const Measurement& samples, double bound, bool judged);
// A count, such as of wrong results, that may be `bound`; always judged.
HostCost counted_cost(std::string what, double count, double bound);
HostCost skipped_cost(std::string what, std::string reason);

std::string_view name_of(Verdict verdict);
bool any_missed(const std::vector<HostCost>& costs);
std::string host_cost_text(const std::vector<HostCost>& costs);
nlohmann::json host_cost_json(const std::vector<HostCost>& costs);

}  // namespace attune
