// What the tests of the database share: a plausible record, a log that remembers, raw SQL behind the
// library's back.
#pragma once

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "db/record.h"
#include "db/tuning_db.h"

namespace attune::db_test {

inline const std::string kDevice = "cuda 9.0 NVIDIA H200 132";
inline const std::string kBucket = "forward bf16 d128 dv128 group4 causal 4096 4096 >=4";

inline Record sample_record(const std::string& config = "BLOCK_M=128 BLOCK_N=64 WARPS=4",
                            double median = 1e-3) {
  Record record;
  record.device_key = kDevice;
  record.static_key = "forward bf16 d128 dv128 group4 causal";
  record.bucket = kBucket;
  record.family = "flash_fwd";
  record.config = config;
  record.image_hash = "0123456789abcdef0123456789abcdef";
  record.samples = {median * 0.99, median, median * 1.01};
  record.median_seconds = median;
  record.ci_low_seconds = median * 0.99;
  record.ci_high_seconds = median * 1.01;
  record.registers = 168;
  record.shared_bytes = 98304;
  record.predicted_registers = 160;
  record.margin_fraction = 0.05;
  record.margin_bytes = 1024;
  record.compile_seconds = 0.41;
  record.max_error = 0.3;
  record.compiler = "nvrtc 13.0 sm_90a -std=c++17";
  record.driver = "driver 580.65 nvrtc 13.0";
  record.library_version = "0.1.0";
  record.batch = 2;
  record.heads_q = 32;
  record.heads_kv = 8;
  record.seqlen_q = record.seqlen_kv = 4096;
  record.shape = "forward bf16 B=2 Hq=32 Hkv=8 Nq=4096 Nk=4096 D=128 causal";
  record.created = 1700000000;
  record.clock_hz = 1.98e9;
  return record;
}

// The config that wins sample_record's bucket; "" when none has a time.
inline std::string best_config(TuningDb& db) {
  const std::vector<Choice> choices = db.ranked(kDevice, kBucket, {});
  return choices.empty() ? "" : choices.front().record.config;
}

// Keeps what is logged.
struct LogCapture {
  struct Line {
    attune_log_level level;
    std::string text;
  };
  std::vector<Line> lines;

  Log log() { return Log(ATTUNE_LOG_DEBUG, &LogCapture::take, this); }
  long warnings() const { return std::ranges::count(lines, ATTUNE_LOG_WARNING, &Line::level); }
  bool says(const std::string& text) const {
    return std::ranges::any_of(lines,
                               [&](const Line& line) { return line.text.find(text) != std::string::npos; });
  }

 private:
  static void take(attune_log_level level, const char* text, void* self) {
    static_cast<LogCapture*>(self)->lines.push_back({level, text});
  }
};

// Another connection, without any of our checks.
inline SQLite::Database raw(const std::filesystem::path& path) {
  return SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 2000);
}

}  // namespace attune::db_test
