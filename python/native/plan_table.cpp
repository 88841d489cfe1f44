#include "plan_table.h"

#include <algorithm>
#include <bit>

#include "errors.h"
#include "python.h"

namespace attune_python {
namespace {

constexpr int64_t kMostRows = int64_t{1} << 30;  // of the library; beyond, nothing is rounded

int64_t next_power(int64_t value) {
  if (value <= 1 || value > kMostRows) return value;
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(value)));
}

// One row is decoding and has kernels of its own; below a tile all lengths cost the same.
int64_t length_capacity(int64_t length) {
  if (length <= 1) return length;
  if (length <= 16) return 16;
  return std::max<int64_t>(64, next_power(length));
}

}  // namespace

PlanKey rounded_up(PlanKey key) {
  key.batch = next_power(key.batch);
  key.seqlen_q = length_capacity(key.seqlen_q);
  key.seqlen_kv = length_capacity(key.seqlen_kv);
  return key;
}

attune_attention_desc desc_of(const PlanKey& key) {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.operation = key.operation;
  desc.dtype = key.dtype;
  desc.layout = ATTUNE_STRIDED;
  desc.mask = key.mask;
  desc.flags = key.flags;
  desc.heads_q = key.heads_q;
  desc.heads_kv = key.heads_kv;
  desc.head_dim = key.head_dim;
  desc.head_dim_v = key.head_dim_v;
  desc.max_batch = key.batch;
  desc.max_seqlen_q = key.seqlen_q;
  desc.max_seqlen_kv = key.seqlen_kv;
  return desc;
}

size_t PlanTable::Hash::operator()(const PlanKey& key) const {
  uint64_t hash = 0;
  const auto add = [&](uint64_t value) { hash = (std::rotl(hash, 5) ^ value) * 0x9E3779B97F4A7C15; };
  add(static_cast<uint64_t>(key.operation) | static_cast<uint64_t>(key.dtype) << 8 |
      static_cast<uint64_t>(key.mask) << 16 | key.flags << 24);
  for (const int64_t value :
       {key.heads_q, key.heads_kv, key.head_dim, key.head_dim_v, key.batch, key.seqlen_q, key.seqlen_kv})
    add(static_cast<uint64_t>(value));
  return hash ^ hash >> 32;
}

const ReadyPlan& PlanTable::find_or_make(attune_context_t context, const PlanKey& exact) {
  const PlanKey key = rounded_up(exact);
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  ReadyPlan made{.key = key};
  const attune_attention_desc desc = desc_of(key);
  attune_status status = ATTUNE_OK;
  {
    const WithoutPython unlocked;
    status = attune_plan_create(&made.plan, context, &desc);
    if (status == ATTUNE_OK) status = attune_plan_get_workspace_size(made.plan, &made.workspace_bytes);
  }
  check(status);
  const auto [place, is_new] = plans_.emplace(key, made);
  if (!is_new) attune_plan_destroy(made.plan);  // another thread was faster
  return place->second;
}

std::vector<const ReadyPlan*> PlanTable::all() const {
  std::vector<const ReadyPlan*> plans;
  for (const auto& [key, plan] : plans_)
    plans.push_back(&plan);
  return plans;
}

void PlanTable::clear() {
  for (const auto& [key, plan] : plans_)
    attune_plan_destroy(plan.plan);
  plans_.clear();
}

}  // namespace attune_python
