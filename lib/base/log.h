// The log of a context: silent by default, through spdlog to standard error or to the caller's callback.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "attune/attune.h"

namespace spdlog {
class logger;
}

namespace attune {

// Cheap to copy; a default-constructed Log drops everything.
class Log {
 public:
  Log() = default;
  Log(attune_log_level level, attune_log_callback callback, void* user_data);

  bool enabled(attune_log_level level) const { return logger_ && level <= level_; }

  template <typename... Args>
  void write(attune_log_level level, fmt::format_string<Args...> format, Args&&... args) const {
    if (enabled(level)) write_text(level, fmt::format(format, std::forward<Args>(args)...));
  }

  template <typename... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) const {
    write(ATTUNE_LOG_WARNING, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    write(ATTUNE_LOG_INFO, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    write(ATTUNE_LOG_DEBUG, format, std::forward<Args>(args)...);
  }

 private:
  void write_text(attune_log_level level, const std::string& text) const;

  std::shared_ptr<spdlog::logger> logger_;
  attune_log_level level_ = ATTUNE_LOG_OFF;
};

// "warning" and the like; nullopt-like: returns false for an unknown word.
bool parse_log_level(const std::string& word, attune_log_level& level);

}  // namespace attune
