// Problem descriptions that make no sense or are not supported: a status and the numbers, before anything is
// compiled.
#include <cstdint>

#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

template <typename Change>
void check_refused(attune_status status, std::initializer_list<std::string> words, const Change& change) {
  attune_attention_desc desc = small_desc();
  change(desc);
  attune_plan_t plan = nullptr;
  check_fails(attune_plan_create(&plan, shared_context(), &desc), status, words);
  CHECK(plan == nullptr);
}

using Desc = attune_attention_desc;

constexpr attune_status kInvalid = ATTUNE_ERROR_INVALID_ARGUMENT;
constexpr attune_status kUnsupported = ATTUNE_ERROR_UNSUPPORTED;

}  // namespace

TEST_CASE("a description is required") {
  attune_plan_t plan = nullptr;
  check_fails(attune_plan_create(&plan, shared_context(), nullptr), kInvalid,
              {"attune_attention_desc", "NULL"});
  const attune_attention_desc desc = small_desc();
  check_fails(attune_plan_create(nullptr, shared_context(), &desc), kInvalid, {"NULL"});
}

TEST_CASE("what _INIT leaves is no problem yet") {
  check_refused(kInvalid, {"dtype = 0"}, [](Desc& d) { d = ATTUNE_ATTENTION_DESC_INIT; });
}

TEST_CASE("zero heads and head dimensions are refused") {
  check_refused(kInvalid, {"heads_q = 0"}, [](Desc& d) { d.heads_q = 0; });
  check_refused(kInvalid, {"head_dim = 0"}, [](Desc& d) { d.head_dim = 0; });
}

TEST_CASE("negative numbers are refused") {
  check_refused(kInvalid, {"heads_q = -4"}, [](Desc& d) { d.heads_q = -4; });
  check_refused(kInvalid, {"heads_kv = -2"}, [](Desc& d) { d.heads_kv = -2; });
  check_refused(kInvalid, {"head_dim = -32"}, [](Desc& d) { d.head_dim = -32; });
  check_refused(kInvalid, {"head_dim_v = -8"}, [](Desc& d) { d.head_dim_v = -8; });
  check_refused(kInvalid, {"max_batch = -1"}, [](Desc& d) { d.max_batch = -1; });
  check_refused(kInvalid, {"max_seqlen_q = -7"}, [](Desc& d) { d.max_seqlen_q = -7; });
  check_refused(kInvalid, {"max_seqlen_kv = -9"}, [](Desc& d) { d.max_seqlen_kv = -9; });
}

TEST_CASE("numbers that overflow are refused") {
  check_refused(kInvalid, {"max_batch = 9223372036854775807"}, [](Desc& d) { d.max_batch = INT64_MAX; });
  check_refused(kInvalid, {"max_seqlen_q = 9223372036854775807"},
                [](Desc& d) { d.max_seqlen_q = INT64_MAX; });
  check_refused(kInvalid, {"heads_q = 9223372036854775807"}, [](Desc& d) { d.heads_q = INT64_MAX; });
  check_refused(kInvalid, {"head_dim = 9223372036854775807"}, [](Desc& d) { d.head_dim = INT64_MAX; });
  check_refused(kInvalid, {"q: 1073741824 x 4 x 1073741824 x 32", "2^59"},
                [](Desc& d) { d.max_batch = d.max_seqlen_q = int64_t{1} << 30; });
  check_refused(kInvalid, {"k: 1073741824 x 2 x 1073741824 x 32", "2^59"}, [](Desc& d) {
    d.max_batch = d.max_seqlen_kv = int64_t{1} << 30;
    d.max_seqlen_q = 1;
  });
}

TEST_CASE("heads that do not divide are refused") {
  check_refused(kInvalid, {"heads_q = 5", "heads_kv = 2"}, [](Desc& d) { d.heads_q = 5; });
  check_refused(kInvalid, {"heads_q = 4", "heads_kv = 8"}, [](Desc& d) { d.heads_kv = 8; });
}

TEST_CASE("unknown enum values are refused") {
  check_refused(kInvalid, {"operation = 2"}, [](Desc& d) { d.operation = static_cast<attune_operation>(2); });
  check_refused(kInvalid, {"dtype = 5", "f64 = 4"}, [](Desc& d) { d.dtype = static_cast<attune_dtype>(5); });
  check_refused(kInvalid, {"dtype = -1"}, [](Desc& d) { d.dtype = static_cast<attune_dtype>(-1); });
  check_refused(kInvalid, {"layout = 0", "BSHD = 2"},
                [](Desc& d) { d.layout = static_cast<attune_layout>(0); });
  check_refused(kInvalid, {"layout = 77"}, [](Desc& d) { d.layout = static_cast<attune_layout>(77); });
  check_refused(kInvalid, {"mask = 3", "causal_top_left = 2"},
                [](Desc& d) { d.mask = static_cast<attune_mask>(3); });
}

TEST_CASE("what is reserved or not supported is refused by name") {
  check_refused(kUnsupported, {"page_size = 16"}, [](Desc& d) { d.page_size = 16; });
  check_refused(kUnsupported, {"features = 0x4"}, [](Desc& d) { d.features = 4; });
  check_refused(kUnsupported, {"flags = 0x9", "0x8"}, [](Desc& d) { d.flags = 9; });
  check_refused(kUnsupported, {"head_dim = 264", "256"}, [](Desc& d) { d.head_dim = 264; });
  check_refused(kUnsupported, {"head_dim_v = 300", "256"}, [](Desc& d) { d.head_dim_v = 300; });
}

TEST_CASE("a margin that leaves no room is refused with need and limit", "[simt]") {
  attune_context_options options = simt_options();
  options.margin_fraction = 0.9;
  options.margin_bytes = 16000;
  const ContextHandle context = make_context(options);
  attune_attention_desc desc = small_desc();
  desc.head_dim = 256;
  attune_plan_t plan = nullptr;
  check_fails(attune_plan_create(&plan, context.get(), &desc), ATTUNE_ERROR_NO_FEASIBLE_CONFIG,
              {" > ", "16000", "smem"});
  check_fails(attune_context_tune(context.get(), &desc, nullptr), ATTUNE_ERROR_NO_FEASIBLE_CONFIG, {});
}
