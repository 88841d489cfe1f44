#include "dispatch/plan_cache.h"

#include <algorithm>
#include <string>
#include <utility>

#include "problem/stages.h"

namespace attune {

size_t PlanCache::ProblemHash::operator()(const Problem& problem) const {
  size_t hash = static_cast<size_t>(problem.dtype);
  for (const int64_t value : {problem.batch, problem.heads_q, problem.heads_kv, problem.seqlen_q,
                              problem.seqlen_kv, problem.head_dim, problem.head_dim_v}) {
    hash = hash * 0x9e3779b97f4a7c15u + static_cast<size_t>(value);
  }
  return hash ^ (hash >> 32);
}

std::shared_ptr<const Plan> PlanCache::get_or_make(const Problem& problem,
                                                   const std::function<Made()>& make) {
  const auto flight = [&]() -> Flights::Made {
    Made made = make();
    const auto keep = [this, wanted = made.keep, generation = made.generation] {
      return wanted && generation == generation_;
    };
    return {.value = std::move(made.plan), .weight = 1, .keep = keep};
  };
  return plans_.get(problem, flight).value;
}

void PlanCache::forget(const std::string& static_key) {
  ++generation_;
  plans_.erase_if([&](const Problem& problem) {
    return std::ranges::any_of(stages_of(problem),
                               [&](const Problem& stage) { return attune::static_key(stage) == static_key; });
  });
}

}  // namespace attune
