// ATTUNE_CHECK's search for outputs that share memory with other tensors.
#include <cmath>

#include "capi/fixtures.h"
#include "capi/overlap.h"
#include "dispatch/plan.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

// One sequence, one head, 4 rows of 8 elements of 2 bytes: 64 bytes a tensor, at made-up addresses.
constexpr uintptr_t kBase = 0x10000;

Problem tiny_problem() {
  return {.heads_q = 1, .heads_kv = 1, .seqlen_q = 4, .seqlen_kv = 4, .head_dim = 8, .head_dim_v = 8};
}

TensorView view_at(uintptr_t offset, int64_t row_stride = 8) {
  return {.data = reinterpret_cast<void*>(kBase + offset),
          .stride = {4 * row_stride, 4 * row_stride, row_stride, 1}};
}

Arguments tiny_arguments() {
  return {.q = view_at(0),
          .k = view_at(64),
          .v = view_at(128),
          .o = view_at(192),
          .lse = reinterpret_cast<float*>(kBase + 256),
          .batch = 1,
          .seqlen_q = 4,
          .seqlen_kv = 4,
          .scale = 1};
}

std::string overlap_of(const Arguments& arguments) {
  return find_overlap(tiny_problem(), arguments);
}

}  // namespace

TEST_CASE("tensors side by side do not overlap") {
  CHECK(overlap_of(tiny_arguments()) == "");
}

TEST_CASE("an output over another tensor is found, with an address") {
  Arguments arguments = tiny_arguments();
  arguments.o = view_at(48);
  CHECK(overlap_of(arguments) == "o and q overlap: both hold address 0x10030");
  arguments = tiny_arguments();
  arguments.o = arguments.v;
  CHECK(overlap_of(arguments).find("o and v overlap") == 0);
  arguments = tiny_arguments();
  arguments.lse = reinterpret_cast<float*>(kBase + 112);
  CHECK(overlap_of(arguments).find("lse and k overlap") == 0);
  arguments.lse = reinterpret_cast<float*>(kBase + 252);
  CHECK(overlap_of(arguments).find("o and lse overlap") == 0);
}

TEST_CASE("inputs may overlap each other, and rows of an output may lie between those of an input") {
  Arguments arguments = tiny_arguments();
  arguments.k = arguments.v = arguments.q;
  CHECK(overlap_of(arguments) == "");
  arguments = tiny_arguments();
  arguments.q = view_at(1024, 16);
  arguments.o = view_at(1024 + 16, 16);
  CHECK(overlap_of(arguments) == "");
  arguments.o = view_at(1024 + 8, 16);
  CHECK(overlap_of(arguments).find("o and q overlap") == 0);
}

TEST_CASE("rows of an output that overlap each other are found") {
  Arguments arguments = tiny_arguments();
  arguments.o = view_at(512, 4);
  CHECK(overlap_of(arguments).find("two rows of o overlap") == 0);
}

TEST_CASE("nothing to write overlaps nothing") {
  Arguments arguments = tiny_arguments();
  arguments.seqlen_q = 0;
  arguments.o = arguments.q;
  CHECK(overlap_of(arguments) == "");
}

TEST_CASE("execute looks for overlaps when asked to", "[simt]") {
  attune_context_options options = simt_options();
  options.check = 1;
  const ContextHandle context = make_context(options);
  const PlanHandle plan = make_plan(context.get(), small_desc());
  const Forward forward(context.get(), small_desc(), {2, 6, 8});
  attune_attention_args args = forward.args();
  CHECK(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  args.o.data = args.q.data;
  check_fails(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr), ATTUNE_ERROR_INVALID_ARGUMENT,
              {"o and q overlap", "0x"});
}
