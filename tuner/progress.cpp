#include "tuner/progress.h"

#include <fmt/format.h>

#include "cli/text_table.h"
#include "cli/units.h"

namespace attune {
namespace {

constexpr double kSecondsBetweenLines = 5;
constexpr size_t kTerminalColumns = 100;
constexpr const char* kEraseLine = "\r\x1b[K";

}  // namespace

std::string progress_line(const TuneProgress& progress) {
  std::string line = fmt::format("{} {}/{}, {}", progress.stage, progress.done, progress.total,
                                 duration(progress.elapsed_seconds));
  if (progress.eta_seconds > 0) line += fmt::format(", {} left", duration(progress.eta_seconds));
  if (!progress.candidate.empty()) line += ": " + progress.candidate;
  return line;
}

void Progress::update(const TuneProgress& progress) {
  const std::string line = progress_line(progress);
  if (rewrite_) {
    fmt::print(stream_, "{}{}", kEraseLine, shorten(line, kTerminalColumns));
    std::fflush(stream_);
    line_open_ = true;
    return;
  }
  const bool stage_ended = progress.done == progress.total;
  if (!stage_ended && progress.elapsed_seconds - last_line_seconds_ < kSecondsBetweenLines) return;
  fmt::print(stream_, "{}\n", line);
  last_line_seconds_ = progress.elapsed_seconds;
}

void Progress::clear() {
  if (line_open_) fmt::print(stream_, "{}", kEraseLine);
  std::fflush(stream_);
  line_open_ = false;
}

}  // namespace attune
