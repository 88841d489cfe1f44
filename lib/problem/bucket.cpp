#include "problem/bucket.h"

#include <fmt/format.h>

#include <algorithm>

namespace attune {

int64_t length_class(int64_t length) {
  if (length <= 1) return 1;
  if (length <= 16) return 16;
  if (length <= 64) return 64;
  for (int64_t octave = 128;; octave *= 2) {
    if (length <= octave) return octave;
    if (length <= octave + octave / 2) return octave + octave / 2;
  }
}

std::string_view wave_class(const Problem& problem, int multiprocessors) {
  const int64_t tiles = (problem.seqlen_q + kWaveTileRows - 1) / kWaveTileRows;
  const double waves = static_cast<double>(problem.batch * problem.heads_q * tiles) / multiprocessors;
  constexpr std::array kEnds = {0.5, 1.0, 2.0, 4.0};
  return kWaveClasses[static_cast<size_t>(std::ranges::upper_bound(kEnds, waves) - kEnds.begin())];
}

std::string bucket_key(const Problem& problem, int multiprocessors) {
  return fmt::format("{} | Nq<={} Nk<={} waves{}", static_key(problem), length_class(problem.seqlen_q),
                     length_class(problem.seqlen_kv), wave_class(problem, multiprocessors));
}

}  // namespace attune
