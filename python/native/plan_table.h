// PlanTable: the plans of one context, made when they are first wanted and kept: a CUDA graph may hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "attune/attune.h"

namespace attune_python {

// What a plan is made for. Lengths and batch are capacities.
struct PlanKey {
  attune_operation operation = ATTUNE_FORWARD;
  attune_dtype dtype = ATTUNE_F32;
  attune_mask mask = ATTUNE_MASK_NONE;
  uint64_t flags = 0;
  int64_t heads_q = 0, heads_kv = 0;
  int64_t head_dim = 0, head_dim_v = 0;
  int64_t batch = 0, seqlen_q = 0, seqlen_kv = 0;

  bool operator==(const PlanKey&) const = default;
};

// The key with its capacities rounded up: nearby lengths share a plan, and one that grows step by step, such
// as that of a cache of keys, asks for a new plan only when it has doubled; where it is long, has grown by a
// quarter.
PlanKey rounded_up(PlanKey key);

attune_attention_desc desc_of(const PlanKey& key);

struct ReadyPlan {
  PlanKey key;
  attune_plan_t plan = nullptr;
  size_t workspace_bytes = 0;
};

struct DestroyPlan {
  void operator()(attune_plan_t plan) const { attune_plan_destroy(plan); }
};
using OwnedPlan = std::unique_ptr<attune_plan, DestroyPlan>;

class PlanTable {
 public:
  PlanTable() = default;
  PlanTable(const PlanTable&) = delete;
  PlanTable& operator=(const PlanTable&) = delete;

  // The plan for a problem within these capacities, good until clear(). Making one may compile and tune,
  // without Python's lock. Throws PythonError.
  //
  // A plan whose config was not timed for its class, as when tuning was cut short or the first call was
  // inside a stream capture, is asked for again, at growing intervals of calls. One that has to give the same
  // bits at every call is not.
  ReadyPlan find_or_make(attune_context_t context, const PlanKey& exact);

  std::vector<ReadyPlan> all() const;
  void clear() { plans_.clear(); }

 private:
  struct Entry {
    ReadyPlan ready;
    uint64_t fingerprint = 0;
    std::vector<OwnedPlan> owned;  // those before the last were replaced
    int64_t calls_to_asking = 0;   // 0: never again
    int64_t interval = 0;          // the last number of them
  };
  struct Hash {
    size_t operator()(const PlanKey& key) const;
  };

  // The status of the first call of the library that failed.
  static attune_status make(attune_context_t context, const PlanKey& key, Entry& entry);
  static void ask_again(attune_context_t context, Entry& entry);

  // NOTE: threads that are without Python's lock hold on to entries while others are added.
  std::unordered_map<PlanKey, Entry, Hash> plans_;
};

}  // namespace attune_python
