// Record: one trial with its outcome, kept for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/family.h"

namespace attune {

// `running` is a row's before its trial has ended (TuningDb::begin); no record that is read has it.
enum class Outcome {
  ok,
  over_budget,
  compile_failed,
  launch_failed,
  wrong_result,
  timed_out,
  crashed,
  running
};

std::string_view name_of(Outcome outcome);
// Nothing for an unknown word.
std::optional<Outcome> outcome_from_name(std::string_view name);

struct Record {
  int64_t id = 0;          // given by the database, ascending; 0 before that
  std::string device_key;  // device_key(backend, device)
  std::string static_key;  // static_key(problem)
  std::string bucket;      // bucket_key(problem, multiprocessors)
  std::string family;
  std::string config;  // to_string(Config); parse and check it against the config space before use
  // Empty when nothing was compiled; where the compiler crashed or hung, source_mark() of what it was given.
  std::string image_hash;
  Outcome outcome = Outcome::ok;
  // For people; clipped to kMaxTextBytes when stored. Of one that is ok: how it was timed, when not by single
  // launches.
  std::string reason;
  std::vector<double> samples;  // seconds; may be empty
  // 0 < ci_low <= median <= ci_high when timed, all 0 when not.
  double median_seconds = 0;
  double ci_low_seconds = 0;
  double ci_high_seconds = 0;
  // The median of the winner of the race that this candidate left early, beaten beyond doubt; 0 when it was
  // timed to the end. Its own median is of that moment: when the clock slows down later, it may look faster
  // than the winner's.
  double lost_to_seconds = 0;
  int registers = 0;         // per thread, as compiled
  int spill_bytes = 0;       // per thread
  int64_t shared_bytes = 0;  // dynamic, per block
  int predicted_registers = 0;
  double margin_fraction = 0;
  int64_t margin_bytes = 0;
  double compile_seconds = 0;
  double max_error = 0;         // over the tolerance; infinite for a NaN in the output
  std::string compiler;         // Compiler::identity()
  std::string driver;           // Backend::driver_version()
  std::string library_version;  // attune's own
  // The measured shape, which the bucket only classifies.
  int64_t batch = 0;
  int64_t heads_q = 0;
  int64_t heads_kv = 0;
  int64_t seqlen_q = 0;
  int64_t seqlen_kv = 0;
  std::string shape;                      // describe(problem)
  int64_t created = 0;                    // unix seconds; the database fills in now for 0
  std::optional<double> clock_hz;         // of the multiprocessors while timing
  std::optional<double> memory_clock_hz;  // while timing

  bool operator==(const Record&) const = default;
};

// The one list of a record's fields but for its id: columns, storing, loading and checking all follow it.
// Calls visit(name, field) for each, in the order of the columns.
template <typename AnyRecord, typename Visit>
void for_each_field(AnyRecord& record, Visit&& visit) {
  visit("device_key", record.device_key);
  visit("static_key", record.static_key);
  visit("bucket", record.bucket);
  visit("family", record.family);
  visit("config", record.config);
  visit("image_hash", record.image_hash);
  visit("outcome", record.outcome);
  visit("reason", record.reason);
  visit("samples", record.samples);
  visit("median_seconds", record.median_seconds);
  visit("ci_low_seconds", record.ci_low_seconds);
  visit("ci_high_seconds", record.ci_high_seconds);
  visit("lost_to_seconds", record.lost_to_seconds);
  visit("registers", record.registers);
  visit("spill_bytes", record.spill_bytes);
  visit("shared_bytes", record.shared_bytes);
  visit("predicted_registers", record.predicted_registers);
  visit("margin_fraction", record.margin_fraction);
  visit("margin_bytes", record.margin_bytes);
  visit("compile_seconds", record.compile_seconds);
  visit("max_error", record.max_error);
  visit("compiler", record.compiler);
  visit("driver", record.driver);
  visit("library_version", record.library_version);
  visit("batch", record.batch);
  visit("heads_q", record.heads_q);
  visit("heads_kv", record.heads_kv);
  visit("seqlen_q", record.seqlen_q);
  visit("seqlen_kv", record.seqlen_kv);
  visit("shape", record.shape);
  visit("created", record.created);
  visit("clock_hz", record.clock_hz);
  visit("memory_clock_hz", record.memory_clock_hz);
}

constexpr size_t kMaxTextBytes = 4096;
constexpr size_t kMaxSamples = 4096;

// Whether the record is of this candidate: the same family and config.
bool is_of(const Record& record, const Candidate& candidate);

// What stands for the image of a source whose compilation never ended: "source <hash>".
std::string source_mark(std::string_view source_hash);

// Makes a record storable without changing what it says: clips `reason`, blanks its control characters
// (compilers colour their messages) and turns a NaN error into an infinite one.
void tidy(Record& record);

// Empty when the record may be believed as far as it can be checked without its config space; else why not.
// Asked before storing and after loading, since a database row is hostile input.
std::string reject_reason(const Record& record);

}  // namespace attune
