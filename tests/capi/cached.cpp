#include "capi/cached.h"

#include "capi/fixtures.h"
#include "kernels/registry.h"
#include "problem/bucket.h"
#include "support/catch.h"

namespace attune::capi_test {
namespace fs = std::filesystem;
namespace {

// Compiled at first use, for all tests of this program.
const fs::path& warm_images() {
  static const ScratchDirectory kScratch;
  static const fs::path kImages = [] {
    const std::string directory = (kScratch.path() / "cache").string();
    attune_context_options options = simt_options();
    options.cache_dir = directory.c_str();
    make_plan(make_context(options).get(), small_desc());
    return fs::path(directory) / "images";
  }();
  return kImages;
}

}  // namespace

CachedOptions::CachedOptions() : options(simt_options()), text_(directory().string()) {
  REQUIRE(make_private_directory(directory()).empty());
  fs::copy(warm_images(), directory() / "images", fs::copy_options::recursive);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory())) {
    fs::permissions(entry.path(), entry.is_directory() ? fs::perms::owner_all
                                                       : fs::perms::owner_read | fs::perms::owner_write);
  }
  options.cache_dir = text_.c_str();
}

Record small_record(attune_context& context, int64_t batch, int64_t seqlen_q, int64_t seqlen_kv) {
  const DeviceSpec& device = context.backend->device();
  Problem problem = problem_from_desc(small_desc());
  const Candidate candidate = require_candidates(problem, device, {}).front();
  problem.batch = batch, problem.seqlen_q = seqlen_q, problem.seqlen_kv = seqlen_kv;
  return {.device_key = device_key(context.backend->name(), device),
          .static_key = static_key(problem),
          .bucket = bucket_key(problem, device.multiprocessors),
          .family = std::string(candidate.family->name()),
          .config = to_string(candidate.config),
          .image_hash = "0123456789abcdef0123456789abcdef",
          .median_seconds = 1e-6,
          .ci_low_seconds = 1e-6,
          .ci_high_seconds = 1e-6,
          .compiler = "another 1.0",
          .driver = "another 1",
          .batch = batch,
          .heads_q = problem.heads_q,
          .heads_kv = problem.heads_kv,
          .seqlen_q = seqlen_q,
          .seqlen_kv = seqlen_kv};
}

attune_match check_plan(attune_context_t context) {
  const PlanHandle plan = make_plan(context, small_desc());
  const Forward forward(context, small_desc(), {2, 17, 33});
  const attune_attention_args args = forward.args();
  REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  const Comparison comparison = forward.compare(forward.read());
  INFO(comparison.reason);
  CHECK(comparison.ok);
  attune_match match = ATTUNE_MATCH_DEFAULT;
  REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  return match;
}

}  // namespace attune::capi_test
