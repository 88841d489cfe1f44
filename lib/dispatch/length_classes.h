// Length classes: which kernels a plan holds beside its capacity's, and for which lengths.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/lookup.h"
#include "problem/problem.h"

namespace attune {

// The part of a bucket that lengths and batch decide.
struct LengthClass {
  int64_t seqlen_q = 0;  // see length_class
  int64_t seqlen_kv = 0;
  std::string_view waves;  // one of kWaveClasses

  bool operator==(const LengthClass&) const = default;
};

LengthClass length_class_of(const Problem& problem, int multiprocessors);

std::string to_string(const LengthClass& length_class);  // "Nq<=1 Nk<=4096 waves<0.5"

// A candidate other than the capacity's, and where it was measured to be faster.
struct LengthChoice {
  Candidate candidate;
  std::vector<LengthClass> classes;  // in the order in which they were found, nearest first
  double gain = 0;                   // sum over the classes of log(time of the capacity's / time of this)
};

// Of the neighbours that executions of the plan can fall into, the winners that beat the capacity's candidate
// beyond a tie; the most to gain first. Empty under ATTUNE_PLAN_SINGLE_CONFIG.
std::vector<LengthChoice> length_choices(const Problem& capacity, const Candidate& chosen,
                                         std::span<const Neighbour> neighbours, int multiprocessors);

}  // namespace attune
