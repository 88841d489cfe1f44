#include "dispatch/planner.h"

#include <algorithm>
#include <exception>
#include <optional>

#include "base/error.h"
#include "dispatch/lookup.h"
#include "kernels/registry.h"
#include "problem/stages.h"

namespace attune {
namespace {

// Buckets farther away than this many say less than the cost model.
constexpr size_t kMostNear = 4;

bool concerns_candidate(const Error& error) {
  return error.status() == ATTUNE_ERROR_COMPILE_FAILED || error.status() == ATTUNE_ERROR_LAUNCH_FAILED;
}

class Planner {
 public:
  Planner(const Problem& problem, const PlannerResources& resources)
      : problem_(problem), resources_(resources), lookup_(problem, resources) {}

  Lookup& lookup() { return lookup_; }

  std::unique_ptr<Plan> make(std::optional<Selection> exact) {
    if (exact) {
      if (std::unique_ptr<Plan> plan = attempt(*std::move(exact))) return plan;
    }
    const std::vector<Neighbour>& neighbours = lookup_.neighbours();
    for (size_t i = 0; i < std::min(kMostNear, neighbours.size()); ++i) {
      Selection near{.candidate = neighbours[i].candidate, .match = Match::near};
      if (std::unique_ptr<Plan> plan = attempt(std::move(near))) return plan;
    }
    for (Candidate& candidate :
         require_candidates(problem_, resources_.backend.device(), resources_.margin)) {
      if (!candidate.verdict.fits) break;
      if (std::unique_ptr<Plan> plan = attempt({.candidate = std::move(candidate)})) return plan;
    }
    throw *first_error_;  // there was one: at least one candidate fits
  }

 private:
  // nullptr when the candidate does not compile, load or work; the first such error is kept.
  std::unique_ptr<Plan> attempt(Selection selection) {
    try {
      KernelTable table{.kernels = {build(selection)}};
      if (selection.match != Match::by_default) add_length_classes(selection.candidate, table);
      return std::make_unique<Plan>(problem_, std::move(table), resources_.backend,
                                    PlanOrigin{selection.match, selection.fresh});
    } catch (const Error& error) {
      if (!concerns_candidate(error)) throw;
      resources_.log.warning("the next candidate is taken: {}", error.what());
      if (!first_error_) first_error_ = error;
      return nullptr;
    }
  }

  // The kernel with what takes over where it cannot. Throws Error: COMPILE_FAILED, LAUNCH_FAILED for a kernel
  // that cannot be loaded, or was tried and failed.
  PlannedKernel build(Selection& selection) {
    PlannedKernel kernel = build_one(selection);
    if (std::optional<FamilyConfig> other = kernel.family->fallback(problem_, kernel.config)) {
      const ResourceUse use = other->family->resources(problem_, other->config);
      Selection fallback{
          .candidate = {.family = other->family, .config = std::move(other->config), .use = use}};
      kernel.fallback = std::make_shared<PlannedKernel>(build(fallback));
    }
    return kernel;
  }

  PlannedKernel build_one(Selection& selection) {
    const Candidate& candidate = selection.candidate;
    const auto refuse = [&](Status status, std::string_view what, const std::string& reason) {
      fail(status, "{} {} {}: {}", candidate.family->name(), to_string(candidate.config), what, reason);
    };
    if (!selection.image) {
      if (const std::string crash = lookup_.compiler_crash(candidate); !crash.empty()) {
        refuse(ATTUNE_ERROR_COMPILE_FAILED, "is not compiled again", crash);
      }
      selection.image = image_of(candidate, problem_, resources_);
    }
    if (!selection.image->image) refuse(ATTUNE_ERROR_COMPILE_FAILED, "did not compile", selection.image->log);
    const CompiledImage& image = *selection.image->image;
    if (const std::string failure = lookup_.known_failure(candidate, image); !failure.empty()) {
      refuse(ATTUNE_ERROR_LAUNCH_FAILED, "was tried before and failed", failure);
    }
    LaunchShape shape = candidate.family->launch_shape(problem_, candidate.config);
    shape.tensor_maps = resources_.backend.tensor_maps();
    shape.multiprocessors = resources_.backend.device().multiprocessors;
    return {.family = candidate.family,
            .config = candidate.config,
            .image_hash = image.hash,
            .module = resources_.modules.get_or_load(resources_.backend, image,
                                                     static_cast<uint32_t>(candidate.use.shared_bytes)),
            .shape = shape};
  }

  // What other lengths were measured to run faster with. A kernel that cannot be had leaves them to the
  // capacity's.
  void add_length_classes(const Candidate& chosen, KernelTable& table) {
    if (problem_.single_config) return;  // and no database is asked
    const int multiprocessors = resources_.backend.device().multiprocessors;
    for (LengthChoice& choice : length_choices(problem_, chosen, lookup_.neighbours(), multiprocessors)) {
      if (table.kernels.size() >= KernelTable::kMostKernels) return;
      try {
        Selection selection{.candidate = std::move(choice.candidate)};
        table.kernels.push_back(build(selection));
      } catch (const Error& error) {
        if (!concerns_candidate(error)) throw;
        resources_.log.debug("no kernel of its own for {} length classes: {}", choice.classes.size(),
                             error.what());
        continue;
      }
      for (LengthClass& length_class : choice.classes)
        table.classes.emplace_back(std::move(length_class), table.kernels.size() - 1);
    }
  }

  const Problem& problem_;
  const PlannerResources& resources_;
  Lookup lookup_;
  std::optional<Error> first_error_;
};

}  // namespace

namespace {

std::unique_ptr<Plan> make_stage(const Problem& problem, const PlannerResources& resources,
                                 TuningPolicy policy, const TuneHook& tune) {
  Planner planner(problem, resources);
  std::optional<Selection> exact = planner.lookup().exact();
  const bool is_missing = !exact || !exact->fresh;
  const bool tunes = policy == TuningPolicy::force || (policy == TuningPolicy::miss && is_missing);
  if (!tunes || !tune || !has_work(problem)) return planner.make(std::move(exact));
  try {
    tune(problem, planner.lookup().seeds());
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    if (known && known->status() == ATTUNE_ERROR_CONTEXT_LOST) throw;
    resources.log.warning("not tuned, the next best choice is taken: {}", error.what());
  }
  // The trials are in the database, whether tuning came to its end or not.
  Planner informed(problem, resources);
  return informed.make(informed.lookup().exact());
}

}  // namespace

std::unique_ptr<Plan> make_plan(const Problem& problem, const PlannerResources& resources,
                                TuningPolicy policy, const TuneHook& tune) {
  const std::vector<Problem> wanted = stages_of(problem);
  if (wanted.size() == 1) return make_stage(problem, resources, policy, tune);
  std::vector<std::unique_ptr<const Plan>> stages;
  stages.reserve(wanted.size());
  for (const Problem& stage : wanted)
    stages.push_back(make_stage(stage, resources, policy, tune));
  return std::make_unique<Plan>(problem, std::move(stages), resources.backend);
}

}  // namespace attune
