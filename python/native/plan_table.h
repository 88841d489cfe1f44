// PlanTable: the plans of one context, made when they are first wanted and kept: a CUDA graph may hold them.
#pragma once

#include <cstddef>
#include <cstdint>
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
// as that of a cache of keys, asks for a new plan only when it has doubled.
PlanKey rounded_up(PlanKey key);

attune_attention_desc desc_of(const PlanKey& key);

struct ReadyPlan {
  PlanKey key;
  attune_plan_t plan = nullptr;
  size_t workspace_bytes = 0;
};

class PlanTable {
 public:
  PlanTable() = default;
  ~PlanTable() { clear(); }
  PlanTable(const PlanTable&) = delete;
  PlanTable& operator=(const PlanTable&) = delete;

  // The plan for a problem within these capacities. Making one may compile and tune, without Python's lock.
  // Throws PythonError. The reference is good until clear().
  const ReadyPlan& find_or_make(attune_context_t context, const PlanKey& exact);

  std::vector<const ReadyPlan*> all() const;
  void clear();

 private:
  struct Hash {
    size_t operator()(const PlanKey& key) const;
  };
  std::unordered_map<PlanKey, ReadyPlan, Hash> plans_;
};

}  // namespace attune_python
