#include "tools/bench_host.h"

#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "cli/units.h"
#include "dispatch/planner.h"
#include "tune/tuner.h"

namespace attune {
namespace {

constexpr int kNewContexts = 9;
constexpr int kKnownPlans = 200;
constexpr double kTuningSeconds = 10;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of making the plan; destroying it is not counted.
double seconds_to_plan(attune_context& context, const attune_attention_desc& desc) {
  const auto start = std::chrono::steady_clock::now();
  const ApiPlan plan(context, desc);
  return seconds_since(start);
}

// Fills database and images of the context's cache directory as tuning does.
void warm_up(attune_context& context, const attune_attention_desc& desc) {
  const Problem problem = problem_from_desc(desc);
  TuneOptions options{.seconds = kTuningSeconds, .margin = context.options.margin};
  if (!context.backend->timings_mean_speed()) options.max_candidates = 1;  // any record will do
  const TuneReport report = tune(problem, context.tune_resources(), options);
  if (!report.winner) {
    fail(ATTUNE_ERROR_INTERNAL, "tuning {} left no winner: {}", describe(problem), report.note);
  }
  // Tuning that is cut short has not compiled what takes over from the winner.
  const ApiPlan plan(context, desc);
}

}  // namespace

void require_ok(attune_status status, const char* call) {
  if (status != ATTUNE_OK) fail(status, "{}: {}", call, attune_last_error_message());
}

ApiPlan::ApiPlan(attune_context& context, const attune_attention_desc& desc) {
  require_ok(attune_plan_create(&handle_, &context, &desc), "attune_plan_create");
}

ApiPlan::~ApiPlan() {
  attune_plan_destroy(handle_);
}

attune_attention_desc bench_desc() {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_BF16;
  desc.layout = ATTUNE_BHSD;
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.heads_q = 4;
  desc.heads_kv = 2;
  desc.head_dim = 64;
  desc.max_batch = 1;
  desc.max_seqlen_q = desc.max_seqlen_kv = 203;
  return desc;
}

std::vector<HostCost> bench_plan_creation(const ContextOptions& given) {
  const ScratchDirectory scratch;
  ContextOptions options = given;
  options.cache_asked = true;
  options.cache_dir = scratch.path() / "cache";
  options.tuning = TuningPolicy::miss;
  const attune_attention_desc desc = bench_desc();
  attune_context warm(options);  // stays, as in a program that uses the device for other things, too
  warm_up(warm, desc);

  std::vector<double> first, known;
  std::optional<attune_context> context;
  for (int i = 0; i < kNewContexts; ++i) {
    context.emplace(options);
    first.push_back(seconds_to_plan(*context, desc));
    const ImageCounts counts = context->images.counts();
    if (counts.builds > 0 || counts.hits_disk == 0) {
      fail(ATTUNE_ERROR_INTERNAL,
           "the first plan of a context was to find its image on disk: {} compiled, {} from disk",
           counts.builds, counts.hits_disk);
    }
  }
  for (int i = 0; i < kKnownPlans; ++i)
    known.push_back(seconds_to_plan(*context, desc));
  const bool judged = context->backend->timings_mean_speed();
  return {timed_cost("first plan of a new context, database and images on disk", measurement_of(first),
                     kFirstPlanSeconds, judged),
          timed_cost("plan of a known description", measurement_of(known), kKnownPlanSeconds, judged)};
}

HostCost bench_one_key(const ContextOptions& given) {
  ContextOptions options = given;
  options.cache_asked = false;  // or the disk might have it
  options.cache_dir.reset();
  options.tuning = TuningPolicy::off;  // or candidates would be compiled
  attune_context context(options);
  const attune_attention_desc desc = bench_desc();
  std::latch ready(kThreads);
  std::vector<std::string> errors(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(errors.size());
  for (std::string& error : errors) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      try {
        const ApiPlan plan(context, desc);
      } catch (const Error& failure) {
        error = failure.what();
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const std::string& error : errors)
    if (!error.empty()) fail(ATTUNE_ERROR_INTERNAL, "a plan of {} threads: {}", kThreads, error);
  const ImageCounts counts = context.images.counts();
  // From memory now: each kernel of the plan, and what takes over from it, was to be compiled once.
  const auto plan = make_plan(problem_from_desc(desc), context.planner_resources(), TuningPolicy::off, {});
  size_t kernels = 0;
  for (const PlannedKernel& kernel : plan->table().kernels)
    kernels += kernel.fallback ? 2 : 1;
  HostCost cost = counted_cost(fmt::format("compilations for {} threads that ask for one plan", kThreads),
                               static_cast<double>(counts.builds), static_cast<double>(kernels));
  if (counts.builds == 0) cost.verdict = Verdict::missed;  // then this measured something else
  cost.note = fmt::format("{} found it in memory", counts.hits_memory);
  return cost;
}

std::vector<HostCost> bench_host(const ContextOptions& options) {
  std::vector<HostCost> costs = bench_plan_creation(options);
  costs.push_back(bench_one_key(options));
  ContextOptions memory_only = options;
  memory_only.cache_asked = false;
  memory_only.cache_dir.reset();
  memory_only.tuning = TuningPolicy::off;
  attune_context context(memory_only);
  for (const auto part : {bench_execute, bench_graphs}) {
    for (HostCost& cost : part(context))
      costs.push_back(std::move(cost));
  }
  return costs;
}

}  // namespace attune
