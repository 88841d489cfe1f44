// RecordedBench: trials recorded on the fake device, as a recording would bring them back.
#pragma once

#include <string>
#include <vector>

#include "db/packed_db.h"
#include "db/recorded_problem.h"
#include "db/recording.h"
#include "support/tuning_bench.h"

namespace attune {

// Tunes the problems on the bench, then writes, reads and packs what it left.
struct RecordedBench {
  RecordedBench(TuningBench& bench, const std::vector<Problem>& tuned) {
    for (const Problem& problem : tuned)
      reports.push_back(bench.tune(problem));
    records = read_recording(write_recording(worth_recording(bench.database->records())), "recording");
    packed = pack_records(records);
    database =
        TuningDb::open_packed({reinterpret_cast<const unsigned char*>(packed.data()), packed.size()}, Log());
    problems = recorded_problems(records);
  }
  RecordedBench(const RecordedBench&) = delete;

  std::vector<TuneReport> reports;  // as they were tuned
  std::vector<Record> records;
  std::string packed;
  std::unique_ptr<TuningDb> database;
  std::vector<RecordedProblem> problems;
};

}  // namespace attune
