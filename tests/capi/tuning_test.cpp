// Tuning through the C API, on the emulator.
#include <limits>
#include <thread>

#include "capi/context.h"
#include "capi/fixtures.h"
#include "capi/tuning.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

attune_attention_desc tiny_desc() {
  attune_attention_desc desc = small_desc();
  desc.head_dim = 8;
  desc.max_batch = 1;
  desc.heads_q = desc.heads_kv = 1;
  desc.max_seqlen_q = desc.max_seqlen_kv = 16;
  return desc;
}

attune_match match_of(attune_context_t context, const attune_attention_desc& desc) {
  const PlanHandle plan = make_plan(context, desc);
  attune_match match = ATTUNE_MATCH_DEFAULT;
  REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  return match;
}

}  // namespace

TEST_CASE("tuning on request fills the database, with 8 candidates at most, and later plans use it",
          "[simt]") {
  attune_context_options options = simt_options();
  options.tuning = ATTUNE_TUNING_MISS;
  const ContextHandle context = make_context(options);
  const attune_attention_desc desc = tiny_desc();
  CHECK(match_of(context.get(), desc) == ATTUNE_MATCH_DEFAULT);
  CHECK(context->database->records().empty());  // where times mean nothing, plan creation does not tune

  const attune_status status = attune_context_tune(context.get(), &desc, nullptr);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
  size_t timed = 0;
  for (const Record& record : context->database->records()) {
    INFO(record.config << ": " << name_of(record.outcome) << " " << record.reason);
    CHECK((record.outcome == Outcome::ok || record.outcome == Outcome::over_budget));
    timed += record.outcome == Outcome::ok;
  }
  CHECK(timed > 0);
  CHECK(timed <= 8);
  CHECK(match_of(context.get(), desc) == ATTUNE_MATCH_EXACT);
}

TEST_CASE("plan creation tunes only where times mean speed, or by force") {
  attune_context_options options = simt_options();
  options.tuning = ATTUNE_TUNING_MISS;
  CHECK(planning_policy(*make_context(options)) == TuningPolicy::off);
  options.tuning = ATTUNE_TUNING_OFF;
  CHECK(planning_policy(*make_context(options)) == TuningPolicy::off);
  options.tuning = ATTUNE_TUNING_FORCE;
  CHECK(planning_policy(*make_context(options)) == TuningPolicy::force);
}

TEST_CASE("tune options out of range are refused") {
  const attune_attention_desc desc = tiny_desc();
  attune_tune_options options = ATTUNE_TUNE_OPTIONS_INIT;
  const auto tune = [&] { return attune_context_tune(shared_context(), &desc, &options); };
  options.seconds = -1;
  check_fails(tune(), ATTUNE_ERROR_INVALID_ARGUMENT, {"seconds = -1"});
  options.seconds = std::numeric_limits<double>::quiet_NaN();
  check_fails(tune(), ATTUNE_ERROR_INVALID_ARGUMENT, {"seconds = nan"});
  options.seconds = std::numeric_limits<double>::infinity();
  check_fails(tune(), ATTUNE_ERROR_INVALID_ARGUMENT, {"seconds = inf"});
  options = ATTUNE_TUNE_OPTIONS_INIT;
  options.force = 2;
  check_fails(tune(), ATTUNE_ERROR_INVALID_ARGUMENT, {"force = 2"});
  options = ATTUNE_TUNE_OPTIONS_INIT;
  options.reserved = 1;
  check_fails(tune(), ATTUNE_ERROR_UNSUPPORTED, {"reserved = 1"});
}

TEST_CASE("there is nothing to tune without capacity") {
  attune_attention_desc desc = tiny_desc();
  desc.max_seqlen_kv = 0;
  check_fails(attune_context_tune(shared_context(), &desc, nullptr), ATTUNE_ERROR_INVALID_ARGUMENT,
              {"max_seqlen_kv = 0"});
}

TEST_CASE("plan creation does without tuning while the context tunes something else", "[simt]") {
  attune_context_options options = simt_options();
  options.tuning = ATTUNE_TUNING_FORCE;
  options.tuning_seconds = 0.01;
  LogCapture capture;
  capture.attach(options, ATTUNE_LOG_WARNING);
  const ContextHandle context = make_context(options);
  const std::lock_guard busy(context->tuning);
  attune_match match = ATTUNE_MATCH_EXACT;
  std::thread([&] { match = match_of(context.get(), tiny_desc()); }).join();
  CHECK(match == ATTUNE_MATCH_DEFAULT);
  CHECK(capture.count(ATTUNE_LOG_WARNING) == 1);
}

TEST_CASE("without the worker's program a plan is tuned in this process, which is warned of", "[simt]") {
  attune_context_options options = simt_options();
  options.tuning = ATTUNE_TUNING_FORCE;
  options.tuning_seconds = 60;
  for (const char* program : {"/nonexistent/attune-tune", ""}) {
    INFO("worker '" << program << "'");
    options.worker_path = program;
    LogCapture capture;
    capture.attach(options, ATTUNE_LOG_WARNING);
    CHECK(match_of(make_context(options).get(), tiny_desc()) == ATTUNE_MATCH_EXACT);
    const bool asked_for = *program == '\0';
    CHECK(capture.count(ATTUNE_LOG_WARNING) == (asked_for ? 0 : 1));
    CHECK(capture.says("no worker process: /nonexistent/attune-tune") == !asked_for);
  }
}
