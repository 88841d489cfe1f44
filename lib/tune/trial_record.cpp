#include "tune/trial_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "problem/bucket.h"

namespace attune {
namespace {

bool is_crash(Outcome outcome) {
  return outcome == Outcome::crashed || outcome == Outcome::timed_out;
}

// What identifies the code that was tried.
std::string code_of(const Trial& trial) {
  const bool compiler_never_ended = trial.image_hash.empty() && is_crash(trial.outcome);
  return compiler_never_ended ? source_mark(trial.source_hash) : trial.image_hash;
}

// At `shape`, or with none at any.
const Record* newest_of(const std::vector<Record>& records, const Trial& trial, const Toolchain& now,
                        std::string_view shape = {}) {
  const auto newest = std::find_if(records.rbegin(), records.rend(), [&](const Record& record) {
    return is_of(record, trial.candidate) && record.compiler == now.compiler &&
           (shape.empty() || record.shape == shape);
  });
  return newest == records.rend() ? nullptr : &*newest;
}

}  // namespace

Record record_of(const Trial& trial, const Problem& problem, const Problem& timed, Backend& backend,
                 const Margin& margin) {
  const DeviceSpec& device = backend.device();
  Record record{.device_key = device_key(backend.name(), device),
                .static_key = static_key(problem),
                .bucket = bucket_key(problem, device.multiprocessors),
                .family = std::string(trial.candidate.family->name()),
                .config = to_string(trial.candidate.config),
                .image_hash = code_of(trial),
                .outcome = trial.outcome,
                .reason = trial.reason};
  if (trial.timed()) {
    record.samples = trial.measurement.samples;
    if (record.samples.size() > kMaxSamples) record.samples.resize(kMaxSamples);
    record.median_seconds = trial.measurement.median;
    record.ci_low_seconds = trial.measurement.ci_low;
    record.ci_high_seconds = trial.measurement.ci_high;
    record.lost_to_seconds = trial.lost_to_seconds;
    if (trial.measurement.by_replay) record.reason = kTimedByReplay;
  }
  record.registers = trial.registers;
  record.spill_bytes = trial.spill_bytes;
  record.shared_bytes = trial.candidate.use.shared_bytes;
  record.predicted_registers = trial.candidate.use.registers_per_thread;
  record.margin_fraction = margin.fraction;
  record.margin_bytes = margin.bytes;
  record.compile_seconds = trial.compile_seconds;
  record.max_error = trial.max_error;
  // A candidate that was pruned asked no compiler, and there may be none.
  record.compiler = trial.outcome == Outcome::over_budget ? "none" : backend.compiler().identity();
  record.driver = backend.driver_version();
  record.library_version =
      fmt::format("{}.{}.{}", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR, ATTUNE_VERSION_PATCH);
  record.batch = timed.batch;
  record.heads_q = timed.heads_q;
  record.heads_kv = timed.heads_kv;
  record.seqlen_q = timed.seqlen_q;
  record.seqlen_kv = timed.seqlen_kv;
  record.shape = describe(timed);
  return record;
}

const Record* find_answer(const std::vector<Record>& records, const Trial& trial, const Problem& timed,
                          const Toolchain& now, double replayed_below) {
  // Another shape's newer time is no answer, nor in the way of one; a failure is, and another image.
  const auto holds = [&](const Record* record) {
    return record && record->image_hash == trial.image_hash && record->outcome == Outcome::ok;
  };
  const Record* newest = newest_of(records, trial, now, describe(timed));
  if (!holds(newest) || !holds(newest_of(records, trial, now))) return nullptr;
  if (newest->median_seconds < replayed_below && newest->reason != kTimedByReplay) return nullptr;
  return newest->median_seconds > 0 && is_fresh(*newest, now) ? newest : nullptr;
}

const Record* find_crash(const std::vector<Record>& records, const Trial& trial, const Toolchain& now) {
  const Record* newest = newest_of(records, trial, now);
  if (!newest || !is_crash(newest->outcome) || !is_fresh(*newest, now)) return nullptr;
  const std::string code = trial.image_hash.empty() ? source_mark(trial.source_hash) : trial.image_hash;
  return newest->image_hash == code ? newest : nullptr;
}

void reuse(const Record& record, Trial& trial) {
  trial.reused = true;
  if (record.outcome != Outcome::ok) {
    trial.outcome = record.outcome;
    trial.reason = record.reason;
    return;
  }
  trial.max_error = record.max_error;
  if (record.registers > 0) trial.registers = record.registers;
  trial.measurement = {.samples = record.samples,
                       .median = record.median_seconds,
                       .ci_low = record.ci_low_seconds,
                       .ci_high = record.ci_high_seconds,
                       .eliminated = record.lost_to_seconds > 0};
  trial.lost_to_seconds = record.lost_to_seconds;
}

}  // namespace attune
