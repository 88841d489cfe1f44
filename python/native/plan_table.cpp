#include "plan_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "errors.h"
#include "python.h"

namespace attune_python {
namespace {

// Plans with these flags are kept as they are made: another config would give other bits.
constexpr uint64_t kSameBits = ATTUNE_PLAN_DETERMINISTIC | ATTUNE_PLAN_SINGLE_CONFIG;

// Calls between two askings for a plan whose config was not timed. Tuning takes seconds, and where it never
// comes to its end a million calls are to wait for it a few times only.
constexpr int64_t kFirstInterval = 16, kIntervalGrowth = 4;

constexpr int64_t kMostRows = int64_t{1} << 30;  // of the library; beyond, nothing is rounded
constexpr int64_t kCoarseLength = 4096, kCoarseBatch = 8;

// To powers of two, so that few plans serve all; above `coarse` to quarters of the power below, since the
// workspace grows with what the capacities are rounded up to.
int64_t rounded(int64_t value, int64_t coarse) {
  if (value <= 1 || value > kMostRows) return value;
  const auto number = static_cast<uint64_t>(value);
  if (value <= coarse) return static_cast<int64_t>(std::bit_ceil(number));
  const auto step = static_cast<int64_t>(std::bit_floor(number) / 4);
  return (value + step - 1) / step * step;
}

// One row is decoding and has kernels of its own; below a tile all lengths cost the same.
int64_t length_capacity(int64_t length) {
  if (length <= 1) return length;
  if (length <= 16) return 16;
  return std::max<int64_t>(64, rounded(length, kCoarseLength));
}

}  // namespace

PlanKey rounded_up(PlanKey key) {
  key.batch = rounded(key.batch, kCoarseBatch);
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

attune_status PlanTable::make(attune_context_t context, const PlanKey& key, Entry& entry) {
  const attune_attention_desc desc = desc_of(key);
  attune_match match = ATTUNE_MATCH_DEFAULT;
  entry.ready.key = key;
  attune_plan_t& plan = entry.ready.plan;
  attune_status status = attune_plan_create(&plan, context, &desc);
  entry.owned.emplace_back(plan);
  if (status == ATTUNE_OK) status = attune_plan_get_workspace_size(plan, &entry.ready.workspace_bytes);
  if (status == ATTUNE_OK) status = attune_plan_get_fingerprint(plan, &entry.fingerprint);
  if (status == ATTUNE_OK) status = attune_plan_get_match(plan, &match);
  const bool is_final = match == ATTUNE_MATCH_EXACT || (key.flags & kSameBits) != 0;
  entry.interval = entry.calls_to_asking = is_final ? 0 : kFirstInterval;
  return status;
}

// The library answers in microseconds where nothing was learnt and it may not tune.
void PlanTable::ask_again(attune_context_t context, Entry& entry) {
  entry.calls_to_asking = entry.interval *= kIntervalGrowth;  // other threads ask no more meanwhile
  Entry made;
  attune_status status = ATTUNE_OK;
  {
    const WithoutPython unlocked;
    status = make(context, entry.ready.key, made);
  }
  // NOTE: a failure is no reason to fail a call that has a plan.
  if (status != ATTUNE_OK) return;
  const bool is_final = made.interval == 0;
  if (!is_final && made.fingerprint == entry.fingerprint) return;
  entry.ready = made.ready;
  entry.fingerprint = made.fingerprint;
  entry.owned.push_back(std::move(made.owned.back()));
  if (is_final) entry.calls_to_asking = 0;
}

ReadyPlan PlanTable::find_or_make(attune_context_t context, const PlanKey& exact) {
  const PlanKey key = rounded_up(exact);
  if (const auto found = plans_.find(key); found != plans_.end()) {
    Entry& entry = found->second;
    if (entry.calls_to_asking > 0 && --entry.calls_to_asking == 0) ask_again(context, entry);
    return entry.ready;
  }
  Entry made;
  attune_status status = ATTUNE_OK;
  {
    const WithoutPython unlocked;
    status = make(context, key, made);
  }
  check(status);
  return plans_.try_emplace(key, std::move(made)).first->second.ready;  // or that of a thread that was faster
}

std::vector<ReadyPlan> PlanTable::all() const {
  std::vector<ReadyPlan> plans;
  for (const auto& [key, entry] : plans_)
    plans.push_back(entry.ready);
  return plans;
}

}  // namespace attune_python
