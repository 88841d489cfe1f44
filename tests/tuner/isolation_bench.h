// IsolationBench: tuning of the small family in worker processes, with a fault planted in one candidate.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/files.h"
#include "capi/context.h"
#include "capi/device_choice.h"
#include "support/log_capture.h"
#include "support/tuning_bench.h"
#include "tune/isolation.h"

namespace attune::tuner_test {

inline const std::filesystem::path kWorker = std::filesystem::path(ATTUNE_PROGRAM_DIR) / "attune-tune";

// The candidate that the fault is planted in.
inline const Config kBad = rows_config(4, 2);
constexpr const char* kWhenBad = "WARPS == 4 && ROWS_PER_BLOCK == 2";

// Replacements in row_softmax.cuh, for the bad candidate only.
struct Plant {
  std::string_view from, to;
};

inline const Plant kNothing{};
// A write to where nothing is: a signal on the host, an illegal address on a GPU.
inline const Plant kIllegalAddress{"require_shared_bytes(kLayout.shared_bytes());",
                                   "*reinterpret_cast<volatile int*>(64) = 1;"};
// Volatile reads of memory, since compilers may drop a loop that does nothing.
inline const Plant kEndless{"require_shared_bytes(kLayout.shared_bytes());",
                            "for (;;) (void)*static_cast<const volatile float*>(params.input);"};
inline const Plant kWrongNumbers{"const float inverse = 1.0f / sum;", "const float inverse = 1.01f / sum;"};
inline const Plant kReadsPastInput{"const float inverse = 1.0f / sum;",
                                   "const float inverse = 1.0f / (sum + input.load(1ll << 36));"};

// A copy of the templates with the fault in it.
inline void write_templates(const std::filesystem::path& folder, const Plant& plant) {
  std::filesystem::copy(std::filesystem::path(ATTUNE_SOURCE_DIR) / "kernel_templates", folder,
                        std::filesystem::copy_options::recursive);
  if (plant.from.empty()) return;
  std::string text = read_file(folder / "row_softmax.cuh").value();
  const size_t at = text.find(plant.from);
  if (at == std::string::npos) throw std::logic_error("nowhere to plant the fault");
  text.replace(at, plant.from.size(),
               fmt::format("\n#if {}\n{}\n#else\n{}\n#endif\n", kWhenBad, plant.to, plant.from));
  std::ofstream(folder / "row_softmax.cuh", std::ios::binary) << text;
}

// A program of that text.
inline std::filesystem::path write_program(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

class IsolationBench {
 public:
  explicit IsolationBench(const Plant& plant = kNothing, std::string_view device = "simt",
                          std::string simt_options = "threads=2")
      : simt_options_(std::move(simt_options)) {
    write_templates(templates(), plant);
    ContextOptions options;
    options.device = parse_device(device);
    options.template_dir = templates();
    options.cache_dir = cache();
    options.simt_options = simt_options_;
    context_ = std::make_unique<attune_context>(options);
  }

  std::filesystem::path folder() const { return scratch_.path(); }
  std::filesystem::path templates() const { return folder() / "templates"; }
  std::filesystem::path cache() const { return folder() / "cache"; }

  attune_context& context() { return *context_; }
  LogCapture& log() { return capture_; }
  WorkerOptions workers{.program = kWorker, .compile_seconds = 60, .trial_seconds = 30};

  // The bad candidate and the three next ones.
  TuneReport tune(TuneOptions options = {}) {
    options.seeds = {{.family = find_family("row_softmax"), .config = kBad}};
    if (options.max_candidates == 0) options.max_candidates = 4;
    TuneResources resources = context_->tune_resources();
    resources.log = capture_.log();
    workers.simt_options = simt_options_;
    isolate(resources, workers);
    return attune::tune(kSmallRows, resources, options);
  }

  // The newest record of the bad candidate.
  std::optional<Record> record() {
    std::optional<Record> newest;
    for (Record& record : context_->database->records()) {
      if (record.config == to_string(kBad)) newest = std::move(record);
    }
    return newest;
  }

 private:
  const ScratchDirectory scratch_;
  const std::string simt_options_;
  LogCapture capture_;
  std::unique_ptr<attune_context> context_;
};

}  // namespace attune::tuner_test
