#include "problem/bucket.h"

#include <fmt/format.h>

namespace attune {
namespace {

constexpr int64_t kTileRows = 128;  // DESIGN.md decision 12 counts waves of 128-row tiles

}  // namespace

int64_t length_class(int64_t length) {
  if (length <= 1) return 1;
  if (length <= 16) return 16;
  if (length <= 64) return 64;
  for (int64_t octave = 128;; octave *= 2) {
    if (length <= octave) return octave;
    if (length <= octave + octave / 2) return octave + octave / 2;
  }
}

std::string wave_class(const Problem& problem, int multiprocessors) {
  const int64_t tiles = (problem.seqlen_q + kTileRows - 1) / kTileRows;
  const double waves = static_cast<double>(problem.batch * problem.heads_q * tiles) / multiprocessors;
  if (waves < 0.5) return "<0.5";
  if (waves < 1) return "<1";
  if (waves < 2) return "<2";
  if (waves < 4) return "<4";
  return ">=4";
}

std::string bucket_key(const Problem& problem, int multiprocessors) {
  return fmt::format("{} | Nq<={} Nk<={} waves{}", static_key(problem), length_class(problem.seqlen_q),
                     length_class(problem.seqlen_kv), wave_class(problem, multiprocessors));
}

}  // namespace attune
