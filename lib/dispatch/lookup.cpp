#include "dispatch/lookup.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>

#include "kernels/registry.h"
#include "problem/bucket.h"

namespace attune {
namespace {

// More would leave no time for the cost model's own when tuning is bounded.
constexpr size_t kMostSeeds = 8;

bool is_same(const Candidate& left, const Candidate& right) {
  return left.family == right.family && left.config == right.config;
}

void add_once(std::vector<Candidate>& candidates, Candidate candidate) {
  if (candidates.size() >= kMostSeeds) return;
  if (std::ranges::none_of(candidates, [&](const Candidate& known) { return is_same(known, candidate); }))
    candidates.push_back(std::move(candidate));
}

}  // namespace

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

std::shared_ptr<const CompileResult> image_of(const Candidate& candidate, const Problem& problem,
                                              const PlannerResources& resources) {
  const KernelSource source = specialize(resources.templates, *candidate.family, problem, candidate.config);
  return resources.images.get_or_build(resources.backend.compiler(), source).result;
}

Lookup::Lookup(const Problem& problem, const PlannerResources& resources)
    : problem_(problem),
      resources_(resources),
      device_(device_key(resources.backend.name(), resources.backend.device())),
      bucket_(bucket_key(problem, resources.backend.device().multiprocessors)),
      shape_(describe(problem)) {
  for (TuningDb* database : resources.databases)
    layers_.push_back(database->records({.device_key = device_, .bucket = bucket_}));
}

const Toolchain& Lookup::now() {
  if (!now_) now_ = Toolchain{resources_.backend.compiler().identity(), resources_.backend.driver_version()};
  return *now_;
}

const std::vector<std::vector<Choice>>& Lookup::choices() {
  if (choices_) return *choices_;
  choices_.emplace();
  std::vector<std::vector<Choice>> of_others;
  for (const std::vector<Record>& records : layers_) {
    if (records.empty()) continue;
    std::vector<Choice> own = rank(records, now(), shape_);
    const auto others = std::ranges::stable_partition(
        own, [&](const Choice& choice) { return choice.record.shape == shape_; });
    of_others.emplace_back(std::move_iterator(others.begin()), std::move_iterator(others.end()));
    own.erase(others.begin(), others.end());
    choices_->push_back(std::move(own));
  }
  std::ranges::move(of_others, std::back_inserter(*choices_));
  return *choices_;
}

std::optional<Selection> Lookup::exact() {
  std::optional<Selection> stale;
  for (const std::vector<Choice>& ranked : choices()) {
    std::optional<Selection> best = best_of(ranked);
    if (best && best->fresh) return best;
    if (!stale) stale = std::move(best);
  }
  return stale;
}

std::optional<Selection> Lookup::best_of(const std::vector<Choice>& ranked) const {
  for (const Choice& choice : ranked) {
    std::optional<Candidate> candidate = candidate_of(choice.record, problem_, resources_);
    if (!candidate) continue;
    std::shared_ptr<const CompileResult> image = image_of(*candidate, problem_, resources_);
    if (!image->image || !known_failure(*candidate, *image->image).empty()) continue;
    const bool fresh = choice.fresh && image->image->hash == choice.record.image_hash;
    return Selection{std::move(*candidate), Match::exact, fresh, std::move(image)};
  }
  return std::nullopt;
}

const std::vector<Neighbour>& Lookup::neighbours() {
  if (neighbours_) return *neighbours_;
  neighbours_.emplace();
  std::set<std::string> known;
  for (TuningDb* database : resources_.databases) {
    // Without samples, since these may be many; a row whose samples are broken is found out by the bucket's
    // own lookup.
    const std::vector<Record> records =
        database->records({.device_key = device_, .static_key = static_key(problem_), .with_samples = false});
    for (NearBucket& near : near_buckets(records, problem_, bucket_)) {
      if (known.contains(near.bucket)) continue;
      std::vector<Choice> choices = rank(near.records, now());
      for (const Choice& choice : choices) {
        std::optional<Candidate> candidate = candidate_of(choice.record, problem_, resources_);
        if (!candidate) continue;
        known.insert(near.bucket);
        neighbours_->push_back(
            {near.distance, std::move(*candidate), std::move(choices), std::move(near.records)});
        break;
      }
    }
  }
  std::ranges::stable_sort(*neighbours_, {}, &Neighbour::distance);
  return *neighbours_;
}

std::vector<Candidate> Lookup::seeds() {
  std::vector<Candidate> seeds;
  for (const std::vector<Choice>& ranked : choices()) {
    for (const Choice& choice : ranked) {
      if (seeds.size() >= kMostSeeds) return seeds;
      if (std::optional<Candidate> candidate = candidate_of(choice.record, problem_, resources_))
        add_once(seeds, std::move(*candidate));
    }
  }
  for (const Neighbour& neighbour : neighbours())
    add_once(seeds, neighbour.candidate);
  return seeds;
}

std::string Lookup::compiler_crash(const Candidate& candidate) {
  for (const std::vector<Record>& records : layers_) {
    const auto newest = std::ranges::find_if(records | std::views::reverse,
                                             [&](const Record& record) { return is_of(record, candidate); });
    if (newest == std::ranges::rend(records) || !newest->image_hash.starts_with(source_mark(""))) continue;
    const KernelSource source =
        specialize(resources_.templates, *candidate.family, problem_, candidate.config);
    if (newest->image_hash == source_mark(source.hash) && is_fresh(*newest, now()))
      return fmt::format("{}: {}", name_of(newest->outcome), newest->reason);
  }
  return {};
}

std::string Lookup::known_failure(const Candidate& candidate, const CompiledImage& image) const {
  for (const std::vector<Record>& records : layers_) {
    for (const Record& record : records | std::views::reverse) {
      if (!is_of(record, candidate) || record.image_hash != image.hash) continue;
      if (record.outcome == Outcome::ok) return {};
      return fmt::format("{}: {}", name_of(record.outcome), record.reason);
    }
  }
  return {};
}

}  // namespace attune
