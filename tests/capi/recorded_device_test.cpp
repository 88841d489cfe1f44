// ATTUNE_DEVICE=recorded: which GPU is meant, how its plans are made, and that they are not executed.
#include "capi/recorded_device.h"

#include <array>

#include "cache/module_cache.h"
#include "capi/device_choice.h"
#include "capi/fixtures.h"
#include "db/packed_db.h"
#include "db/recorded_problem.h"
#include "db/shipped_db.h"
#include "device/keyed_device.h"
#include "dispatch/planner.h"
#include "problem/bucket.h"
#include "support/catch.h"
#include "support/caught.h"
#include "tune/recorded_trial_runner.h"
#include "tune/tuner.h"

using namespace attune;
using namespace attune::capi_test;
using Catch::Matchers::ContainsSubstring;

namespace {

const Problem kProblem{.mask = Mask::causal,
                       .batch = 2,
                       .heads_q = 8,
                       .heads_kv = 2,
                       .seqlen_q = 1024,
                       .seqlen_kv = 1024,
                       .head_dim = 64,
                       .head_dim_v = 64};

// A file that is no libnvrtc, so that the recordings answer for the compiler.
const std::string kNoNvrtc = "/nonexistent/libnvrtc.so";

std::string key_of(const char* name, int multiprocessors) {
  DeviceSpec spec = known_device("sm_86").value();
  spec.name = name;
  spec.multiprocessors = multiprocessors;
  return device_key("cuda", spec);
}

// The last of the candidates is the fastest, so that no cost model chooses it.
std::vector<Record> trials_on(const std::string& key) {
  std::vector<Record> records;
  double median = 1e-3;
  for (const Candidate& candidate : enumerate_candidates(kProblem, known_device("sm_86").value(), Margin{})) {
    if (!candidate.verdict.fits) break;
    Record record{.device_key = key, .static_key = static_key(kProblem), .bucket = bucket_key(kProblem, 84)};
    record.family = candidate.family->name();
    record.config = to_string(candidate.config);
    record.image_hash = record.config;
    record.median_seconds = median *= 0.9;
    record.ci_low_seconds = record.ci_high_seconds = median;
    record.samples.assign(8, median);
    record.compiler = "nvrtc 13.0";
    record.driver = "driver 580.65 nvrtc 13.0";
    record.library_version = "0.1.0+8fe8cd2";
    record.batch = kProblem.batch;
    record.heads_q = kProblem.heads_q;
    record.heads_kv = kProblem.heads_kv;
    record.seqlen_q = record.seqlen_kv = kProblem.seqlen_q;
    record.shape = describe(kProblem);
    record.created = 1700000000;
    records.push_back(std::move(record));
  }
  return records;
}

struct Recordings {
  explicit Recordings(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
      for (Record& record : trials_on(key))
        records.push_back(std::move(record));
    }
    packed = pack_records(records);
    database =
        TuningDb::open_packed({reinterpret_cast<const unsigned char*>(packed.data()), packed.size()}, Log());
  }
  std::vector<Record> records;
  std::string packed;
  std::unique_ptr<TuningDb> database;
};

}  // namespace

TEST_CASE("a recorded GPU is found by a part of its name") {
  Recordings recordings({key_of("NVIDIA RTX A6000", 84), key_of("NVIDIA GeForce RTX 3090", 82)});
  const auto device = make_recorded_device(*recordings.database, "a6000", kNoNvrtc, Log());
  CHECK(device->recorded_key() == key_of("NVIDIA RTX A6000", 84));
  CHECK(device->device().name == "NVIDIA RTX A6000");
  CHECK(device->device().multiprocessors == 84);
  CHECK(device->device().arch == "sm_86");
  CHECK(device->driver_version() == "recording 1700000000");
  CHECK(device->provenance() ==
        "recorded: NVIDIA RTX A6000, 2023-11-14, attune 0.1.0+8fe8cd2, driver 580.65 nvrtc 13.0");
}

TEST_CASE("a GPU that is not recorded, or not the only one, is refused with those there are") {
  Recordings two({key_of("NVIDIA RTX A6000", 84), key_of("NVIDIA GeForce RTX 3090", 82)});
  for (const char* gpu : {"", "rtx"}) {
    const Caught error = caught([&] { make_recorded_device(*two.database, gpu, kNoNvrtc, Log()); });
    CHECK(error.status == ATTUNE_ERROR_INVALID_ARGUMENT);
    CHECK_THAT(error.message, ContainsSubstring("RTX A6000 x84") && ContainsSubstring("RTX 3090 x82"));
  }
  const Caught other = caught([&] { make_recorded_device(*two.database, "H100", kNoNvrtc, Log()); });
  CHECK(other.status == ATTUNE_ERROR_NO_DEVICE);
  CHECK_THAT(other.message, ContainsSubstring("H100") && ContainsSubstring("RTX A6000 x84"));
  Recordings none({});
  const Caught empty = caught([&] { make_recorded_device(*none.database, "", kNoNvrtc, Log()); });
  CHECK(empty.status == ATTUNE_ERROR_NO_DEVICE);
  CHECK_THAT(empty.message, ContainsSubstring("ships no recordings"));
}

TEST_CASE("the device word leads to the shipped recordings") {
  const Caught error = caught([&] {
    make_backend({.kind = DeviceKind::recorded, .arch = "", .gpu = "no such GPU"}, kNoNvrtc, "", Log());
  });
  CHECK(error.status == ATTUNE_ERROR_NO_DEVICE);
}

TEST_CASE("a plan on a recorded device is tuned from the recording, and not executed") {
  Recordings recordings({key_of("NVIDIA RTX A6000", 84)});
  const auto backend = make_recorded_device(*recordings.database, "", kNoNvrtc, Log());
  const TemplateStore templates;
  ImageCache disk(std::nullopt, Log());
  CompiledImages images(disk);
  ModuleCache modules;
  const auto database = TuningDb::open(std::nullopt, Log());
  const auto make_runner = [&](const Problem& timed) {
    return make_recorded_trial_runner(*backend, *recordings.database, backend->recorded_key(), timed);
  };
  const auto tune_it = [&](const Problem& problem, const std::vector<Candidate>&) {
    tune(problem, {*backend, templates, images, *database, Log(), make_runner}, {});
  };
  const auto plan = make_plan(kProblem,
                              {.backend = *backend,
                               .templates = templates,
                               .images = images,
                               .modules = modules,
                               .databases = {database.get()},
                               .margin = {},
                               .log = Log()},
                              TuningPolicy::miss, tune_it);
  CHECK(plan->match() == Match::exact);
  CHECK(to_string(plan->config()) == recordings.records.back().config);

  alignas(256) static std::array<std::byte, 256> memory{};
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = args.k.data = args.v.data = args.o.data = memory.data();
  const Caught refused = caught([&] { plan->execute(args, nullptr, 0, nullptr); });
  CHECK(refused.status == ATTUNE_ERROR_UNSUPPORTED);
  CHECK_THAT(refused.message, ContainsSubstring("recorded: NVIDIA RTX A6000, 2023-11-14") &&
                                  ContainsSubstring("computes nothing"));
}

TEST_CASE("a context on a shipped recording makes plans and refuses to compute") {
  const auto shipped = open_shipped_db(Log());
  const std::vector<RecordedProblem> problems = recorded_problems(shipped->records());
  if (problems.empty()) ATTUNE_SKIP("this build ships no recordings");
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  const std::string device = "recorded:" + device_of_key(problems.front().device_key)->spec.name;
  options.device = device.c_str();
  options.cache_dir = "";
  attune_context_t context = nullptr;
  REQUIRE(attune_context_create(&context, &options) == ATTUNE_OK);
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  CHECK(attune_context_get_device_info(&info, context) == ATTUNE_OK);
  CHECK(std::string(info.backend) == "recorded");
  void* memory = nullptr;
  CHECK(attune_memory_allocate(&memory, context, 1024) == ATTUNE_ERROR_UNSUPPORTED);
  CHECK_THAT(attune_last_error_message(), ContainsSubstring("recorded: "));
  attune_context_destroy(context);
}
