// PlanCache: plans that were made, by their problem. A known problem costs no database, specialisation or
// compiler.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "cache/single_flight.h"
#include "dispatch/plan.h"

namespace attune {

// Thread-safe; threads that ask for one problem at the same time plan it once. What another process adds to
// the database later is seen only by problems that are not known yet.
class PlanCache {
 public:
  // Plans keep their modules loaded, so this bounds those, too.
  static constexpr size_t kCapacity = 128;

  struct Made {
    std::shared_ptr<const Plan> plan;
    bool keep = true;         // false: the next caller is to try again, tuning has not come to its end
    uint64_t generation = 0;  // before the databases were asked
  };

  explicit PlanCache(size_t capacity = kCapacity) : plans_(capacity) {}

  // Throws what make() throws, to all that wait; such a failure is not remembered.
  std::shared_ptr<const Plan> get_or_make(const Problem& problem, const std::function<Made()>& make);

  // For make(): a plan whose lookup began in another generation is outdated and not kept.
  uint64_t generation() const { return generation_; }

  // Something was learnt of these static fields: plans with a stage of them are made anew. Plans in use stay
  // as they are.
  void forget(const std::string& static_key);

 private:
  // NOTE: equality compares every field of Problem, so that no field that is added can be forgotten here; the
  // hash need not know them all.
  struct ProblemHash {
    size_t operator()(const Problem& problem) const;
  };
  using Flights = SingleFlight<Problem, std::shared_ptr<const Plan>, ProblemHash>;

  std::atomic<uint64_t> generation_ = 0;
  Flights plans_;
};

}  // namespace attune
