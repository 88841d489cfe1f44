// Bucket: the class of problems on one device that share a tuning result.
#pragma once

#include <cstdint>
#include <string>

#include "problem/problem.h"

namespace attune {

// Half-octave class: 1, 16, 64, 128, 192, 256, 384, 512, 768, ...: the smallest of these that is >= length.
int64_t length_class(int64_t length);

// Waves of 128-row tiles over the multiprocessors: "<0.5", "<1", "<2", "<4" or ">=4".
std::string wave_class(const Problem& problem, int multiprocessors);

// static_key + length classes + wave class. The device's own key stands beside it in the database.
std::string bucket_key(const Problem& problem, int multiprocessors);

}  // namespace attune
