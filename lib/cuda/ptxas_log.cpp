#include "cuda/ptxas_log.h"

#include <algorithm>
#include <charconv>

namespace attune {
namespace {

// The number right before `word`: 10 for " registers" in "Used 10 registers"; 0 when the line does not have
// it.
int number_before(std::string_view line, std::string_view word) {
  const size_t end = line.find(word);
  if (end == std::string_view::npos || end == 0) return 0;
  const size_t last_other = line.find_last_not_of("0123456789", end - 1);
  const size_t begin = last_other == std::string_view::npos ? 0 : last_other + 1;
  int value = 0;
  std::from_chars(line.data() + begin, line.data() + end, value);
  return value;
}

}  // namespace

// NOTE: the lines' beginning differs between versions ("ptxas info    :", "ptxas         .", blanks); only
// what follows is relied on, since the words have been the same for a decade:
//   0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
//   Used 10 registers, used 1 barriers, 128 bytes smem, 384 bytes cmem[0]
PtxasReport parse_ptxas_log(std::string_view log) {
  PtxasReport report;
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    report.spill_bytes +=
        number_before(line, " bytes spill stores") + number_before(line, " bytes spill loads");
    if (line.find("Used ") == std::string_view::npos) continue;
    report.registers = std::max(report.registers, number_before(line, " registers"));
    report.static_shared_bytes = std::max(report.static_shared_bytes, number_before(line, " bytes smem"));
  }
  return report;
}

}  // namespace attune
