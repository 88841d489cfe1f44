// LogCapture: a log that remembers what it was told.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"

namespace attune {

class LogCapture {
 public:
  struct Line {
    attune_log_level level;
    std::string text;
  };

  // The capture must outlive the log.
  Log log(attune_log_level level = ATTUNE_LOG_DEBUG) { return Log(level, &LogCapture::take, this); }

  std::vector<Line> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  // Lines of that level that hold the text.
  long count(attune_log_level level, const std::string& text = "") const {
    const std::lock_guard lock(mutex_);
    return std::ranges::count_if(lines_, [&](const Line& line) {
      return line.level == level && line.text.find(text) != std::string::npos;
    });
  }

 private:
  static void take(attune_log_level level, const char* text, void* self) {
    auto* capture = static_cast<LogCapture*>(self);
    const std::lock_guard lock(capture->mutex_);
    capture->lines_.push_back({level, text});
  }

  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

}  // namespace attune
