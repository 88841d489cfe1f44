#include "dispatch/planner.h"

#include <algorithm>
#include <exception>
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

std::vector<Record> records_of(const Problem& problem, const PlannerResources& resources) {
  Backend& backend = resources.backend;
  return resources.database.records({.device_key = device_key(backend.name(), backend.device()),
                                     .bucket = bucket_key(problem, backend.device().multiprocessors)});
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
  needs_tuning = true;
  const std::vector<Record> records = records_of(problem, resources);
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

// Why the last trial of this very image failed; empty when none did.
std::string known_failure(const std::vector<Record>& records, const Candidate& candidate,
                          const CompiledImage& image) {
  const auto newest = std::find_if(records.rbegin(), records.rend(), [&](const Record& record) {
    return is_of(record, candidate) && record.image_hash == image.hash;
  });
  if (newest == records.rend() || newest->outcome == Outcome::ok) return {};
  return fmt::format("{}: {}", name_of(newest->outcome), newest->reason);
}

// Throws Error: COMPILE_FAILED, LAUNCH_FAILED for a kernel that cannot be loaded, or was tried and failed.
std::unique_ptr<Plan> build(const Problem& problem, const PlannerResources& resources,
                            const Selection& selection, const std::vector<Record>& records) {
  const Candidate& candidate = selection.candidate;
  const ImageResult image = image_of(candidate, problem, resources);
  const auto refuse = [&](Status status, std::string_view what, const std::string& reason) {
    fail(status, "{} {} {}: {}", candidate.family->name(), to_string(candidate.config), what, reason);
  };
  if (!image.result->image) refuse(ATTUNE_ERROR_COMPILE_FAILED, "did not compile", image.result->log);
  if (const std::string failure = known_failure(records, candidate, *image.result->image); !failure.empty()) {
    refuse(ATTUNE_ERROR_LAUNCH_FAILED, "was tried before and failed", failure);
  }
  auto module = resources.modules.get_or_load(resources.backend, *image.result->image,
                                              static_cast<uint32_t>(candidate.use.shared_bytes));
  return std::make_unique<Plan>(problem, *candidate.family, candidate.config, std::move(module),
                                resources.backend, selection.match);
}

// Without a record the cost model chooses: its first candidate that compiles, loads and is not known to fail.
// When none is left, the first one's error is told.
std::unique_ptr<Plan> build_by_model(const Problem& problem, const PlannerResources& resources) {
  const std::vector<Record> records = records_of(problem, resources);
  std::optional<Error> first_error;
  for (Candidate& candidate : require_candidates(problem, resources.backend.device(), resources.margin)) {
    if (!candidate.verdict.fits) break;
    try {
      return build(problem, resources, {std::move(candidate), Match::by_default}, records);
    } catch (const Error& error) {
      const bool concerns_candidate =
          error.status() == ATTUNE_ERROR_COMPILE_FAILED || error.status() == ATTUNE_ERROR_LAUNCH_FAILED;
      if (!concerns_candidate) throw;
      resources.log.warning("the next candidate is taken: {}", error.what());
      if (!first_error) first_error = error;
    }
  }
  throw *first_error;
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
    } catch (const std::exception& error) {
      const auto* known = dynamic_cast<const Error*>(&error);
      if (known && known->status() == ATTUNE_ERROR_CONTEXT_LOST) throw;
      resources.log.warning("not tuned, the next best choice is taken: {}", error.what());
    }
  }
  return selection ? build(problem, resources, *selection, {}) : build_by_model(problem, resources);
}

}  // namespace attune
