// Bucket: the class of problems on one device that share a tuning result.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "problem/problem.h"

namespace attune {

// Half-octave class: 1, 16, 64, 128, 192, 256, 384, 512, 768, ...: the smallest of these that is >= length.
int64_t length_class(int64_t length);

constexpr int64_t kWaveTileRows = 128;  // DESIGN.md decision 12 counts waves of 128-row tiles

constexpr std::array<std::string_view, 5> kWaveClasses = {"<0.5", "<1", "<2", "<4", ">=4"};  // ascending

// Waves of such tiles over the multiprocessors: one of the classes above.
std::string_view wave_class(const Problem& problem, int multiprocessors);

// static_key + length classes + wave class. The device's own key stands beside it in the database.
std::string bucket_key(const Problem& problem, int multiprocessors);

}  // namespace attune
