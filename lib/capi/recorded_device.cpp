#include "capi/recorded_device.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <vector>

#include "base/error.h"
#include "cuda/nvrtc_compiler.h"
#include "device/keyed_device.h"
#include "tune/recorded_compiler.h"

namespace attune {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The device key whose GPU is meant.
std::string chosen_key(const std::vector<Record>& records, const std::string& gpu) {
  std::set<std::string> matching, all;
  for (const Record& record : records) {
    const std::optional<KeyedDevice> device = device_of_key(record.device_key);
    if (!device) continue;
    all.insert(record.device_key);
    if (lower(device->spec.name).find(lower(gpu)) != std::string::npos) matching.insert(record.device_key);
  }
  if (all.empty()) {
    fail(ATTUNE_ERROR_NO_DEVICE, "device recorded: this library ships no recordings; device simt needs none");
  }
  if (matching.empty()) {
    fail(ATTUNE_ERROR_NO_DEVICE, "device recorded:{}: no such GPU is recorded; there are: {}", gpu,
         fmt::join(all, ", "));
  }
  if (matching.size() > 1) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "device recorded{}{}: which of {}?", gpu.empty() ? "" : ":", gpu,
         fmt::join(matching, ", "));
  }
  return *matching.begin();
}

int64_t newest_time(const std::vector<Record>& records) {
  return std::ranges::max_element(records, {}, &Record::created)->created;
}

}  // namespace

std::unique_ptr<RecordedBackend> make_recorded_device(TuningDb& recordings, const std::string& gpu,
                                                      const std::string& nvrtc_path, const Log& log) {
  const std::string key = chosen_key(recordings.records(), gpu);
  const std::vector<Record> records = recordings.records({.device_key = key});
  RecordedDevice device{.key = key,
                        .spec = device_of_key(key)->spec,
                        .version = fmt::format("recording {}", newest_time(records)),
                        .provenance = "recorded: " + provenance_of(records)};
  const auto make_compiler = [=]() -> std::unique_ptr<Compiler> {
    try {
      return make_compile_only(device_of_key(key)->spec.arch, nvrtc_path);
    } catch (const Error& error) {
      const bool missing =
          error.status() == ATTUNE_ERROR_NO_COMPILER || error.status() == ATTUNE_ERROR_UNSUPPORTED;
      if (!missing) throw;
      log.warning("device recorded: the recordings answer for the compiler, too: {}", error.what());
      return std::make_unique<RecordedCompiler>(TemplateStore(), recorded_problems(records));
    }
  };
  return make_recorded_backend(std::move(device), make_compiler);
}

}  // namespace attune
