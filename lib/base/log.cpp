#include "base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>

namespace attune {
namespace {

spdlog::level::level_enum to_spdlog(attune_log_level level) {
  switch (level) {
    case ATTUNE_LOG_ERROR:
      return spdlog::level::err;
    case ATTUNE_LOG_WARNING:
      return spdlog::level::warn;
    case ATTUNE_LOG_INFO:
      return spdlog::level::info;
    case ATTUNE_LOG_DEBUG:
      return spdlog::level::debug;
    case ATTUNE_LOG_OFF:
      break;
  }
  return spdlog::level::off;
}

attune_log_level from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err:
    case spdlog::level::critical:
      return ATTUNE_LOG_ERROR;
    case spdlog::level::warn:
      return ATTUNE_LOG_WARNING;
    case spdlog::level::info:
      return ATTUNE_LOG_INFO;
    default:
      return ATTUNE_LOG_DEBUG;
  }
}

class CallbackSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  CallbackSink(attune_log_callback callback, void* user_data) : callback_(callback), user_data_(user_data) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string text(message.payload.data(), message.payload.size());
    callback_(from_spdlog(message.level), text.c_str(), user_data_);
  }
  void flush_() override {}

 private:
  attune_log_callback callback_;
  void* user_data_;
};

}  // namespace

Log::Log(attune_log_level level, attune_log_callback callback, void* user_data) : level_(level) {
  if (level == ATTUNE_LOG_OFF) return;
  spdlog::sink_ptr sink;
  if (callback) {
    sink = std::make_shared<CallbackSink>(callback, user_data);
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  }
  logger_ = std::make_shared<spdlog::logger>("attune", std::move(sink));
  logger_->set_level(to_spdlog(level));
}

void Log::write_text(attune_log_level level, const std::string& text) const {
  logger_->log(to_spdlog(level), "{}", text);
}

bool parse_log_level(const std::string& word, attune_log_level& level) {
  constexpr std::pair<const char*, attune_log_level> kWords[] = {{"off", ATTUNE_LOG_OFF},
                                                                 {"error", ATTUNE_LOG_ERROR},
                                                                 {"warning", ATTUNE_LOG_WARNING},
                                                                 {"info", ATTUNE_LOG_INFO},
                                                                 {"debug", ATTUNE_LOG_DEBUG}};
  for (const auto& [name, value] : kWords) {
    if (word == name) {
      level = value;
      return true;
    }
  }
  return false;
}

}  // namespace attune
