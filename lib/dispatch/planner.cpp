#include "dispatch/planner.h"

#include <optional>
#include <vector>

#include "base/error.h"
#include "problem/bucket.h"

namespace attune {
namespace {

// A candidate that the plan will use, and how it was found.
struct Selection {
  Candidate candidate;
  Match match = Match::by_default;
};

// A row is hostile input: its family, config and resources are checked as if a stranger had written them.
std::optional<Candidate> candidate_of(const Record& record, const Problem& problem,
                                      const PlannerResources& resources) {
  const DeviceSpec& device = resources.backend.device();
  const auto refuse = [&](const std::string& reason) {
    resources.log.debug("record {} is not used: {}", record.id, reason);
    return std::nullopt;
  };
  const Family* family = find_family(record.family);
  if (!family) return refuse(fmt::format("family {} is unknown", record.family));
  if (const std::string reason = family->inapplicable_reason(problem, device); !reason.empty()) {
    return refuse(fmt::format("{} {}", family->name(), reason));
  }
  const std::optional<Config> config = config_from_string(record.config);
  if (!config) return refuse("its config cannot be read");
  if (const std::string reason = family->space(problem, device).reject_reason(*config); !reason.empty()) {
    return refuse(reason);
  }
  Candidate candidate{.family = family, .config = *config, .use = family->resources(problem, *config)};
  candidate.verdict = check_budget(candidate.use, device, resources.margin);
  if (!candidate.verdict.fits) return refuse(candidate.verdict.reason);
  return candidate;
}

ImageResult image_of(const Candidate& candidate, const Problem& problem, const PlannerResources& resources) {
  const KernelSource source = specialize(resources.templates, *candidate.family, problem, candidate.config);
  return resources.images.get_or_build(resources.backend.compiler(), source);
}

// The winner of the problem's bucket, fresh or stale; `needs_tuning` says whether a fresh one was missing. A
// record is fresh when it was made by this compiler and driver and from the very image that the templates
// give now.
std::optional<Selection> look_up(const Problem& problem, const PlannerResources& resources,
                                 bool& needs_tuning) {
  Backend& backend = resources.backend;
  const std::string device = device_key(backend.name(), backend.device());
  const std::string bucket = bucket_key(problem, backend.device().multiprocessors);
  needs_tuning = true;
  const std::vector<Record> records = resources.database.records({.device_key = device, .bucket = bucket});
  if (records.empty()) return std::nullopt;  // the compiler is not asked for, either
  const Toolchain now{backend.compiler().identity(), backend.driver_version()};
  for (const Choice& choice : rank(records, now)) {
    std::optional<Candidate> candidate = candidate_of(choice.record, problem, resources);
    if (!candidate) continue;
    const ImageResult image = image_of(*candidate, problem, resources);
    if (!image.result->image) continue;
    needs_tuning = !choice.fresh || image.result->image->hash != choice.record.image_hash;
    return Selection{std::move(*candidate), choice.match};
  }
  return std::nullopt;
}

Selection choose_by_model(const Problem& problem, const PlannerResources& resources) {
  const DeviceSpec& device = resources.backend.device();
  std::string why_not;
  std::vector<Candidate> candidates = enumerate_candidates(problem, device, resources.margin, &why_not);
  if (candidates.empty()) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "no family computes {} on {}: {}", describe(problem), device.name,
         why_not);
  }
  if (!candidates.front().verdict.fits) {
    fail(ATTUNE_ERROR_NO_FEASIBLE_CONFIG, "none of {} configs for {} fits {}; the first: {} {}: {}",
         candidates.size(), describe(problem), device.name, candidates.front().family->name(),
         to_string(candidates.front().config), candidates.front().verdict.reason);
  }
  return {std::move(candidates.front()), Match::by_default};
}

std::unique_ptr<Plan> build(const Problem& problem, const PlannerResources& resources, Selection selection) {
  const Candidate& candidate = selection.candidate;
  const ImageResult image = image_of(candidate, problem, resources);
  if (!image.result->image) {
    fail(ATTUNE_ERROR_COMPILE_FAILED, "{} {} did not compile: {}", candidate.family->name(),
         to_string(candidate.config), image.result->log);
  }
  auto module = resources.modules.get_or_load(resources.backend, *image.result->image,
                                              static_cast<uint32_t>(candidate.use.shared_bytes));
  return std::make_unique<Plan>(problem, *candidate.family, candidate.config, std::move(module),
                                resources.backend, selection.match);
}

}  // namespace

std::unique_ptr<Plan> make_plan(const Problem& problem, const PlannerResources& resources,
                                TuningPolicy policy, const TuneHook& tune) {
  bool needs_tuning = true;
  std::optional<Selection> selection = look_up(problem, resources, needs_tuning);
  const bool tunes = policy == TuningPolicy::force || (policy == TuningPolicy::miss && needs_tuning);
  if (tunes && tune && problem.batch > 0 && problem.seqlen_q > 0 && problem.seqlen_kv > 0) {
    try {
      tune(problem);
      selection = look_up(problem, resources, needs_tuning);
    } catch (const Error& error) {
      if (error.status() == ATTUNE_ERROR_CONTEXT_LOST) throw;
      resources.log.warning("not tuned, the next best choice is taken: {}", error.what());
    }
  }
  if (!selection) selection = choose_by_model(problem, resources);
  return build(problem, resources, std::move(*selection));
}

}  // namespace attune
