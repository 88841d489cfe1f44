// resolve_arguments: the caller's arguments become checked ones, or an error with its numbers.
#include <cmath>
#include <limits>

#include "dispatch/plan.h"
#include "support/catch.h"
#include "support/caught.h"

using namespace attune;

namespace {

void* address(uintptr_t value) {
  return reinterpret_cast<void*>(value);
}

const Problem kCapacity{.dtype = DType::bf16,
                        .layout = Layout::bhsd,
                        .batch = 4,
                        .heads_q = 6,
                        .heads_kv = 2,
                        .seqlen_q = 100,
                        .seqlen_kv = 300,
                        .head_dim = 64,
                        .head_dim_v = 64};

Problem with_layout(Layout layout) {
  Problem problem = kCapacity;
  problem.layout = layout;
  return problem;
}

attune_attention_args valid_args() {
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = address(0x10000);
  args.k.data = address(0x20000);
  args.v.data = address(0x30000);
  args.o.data = address(0x40000);
  args.lse = static_cast<float*>(address(0x50000));
  // Read under strided only: gaps between rows, heads and sequences.
  for (attune_tensor* tensor : {&args.q, &args.k, &args.v, &args.o}) {
    const int64_t strides[] = {100000, 8000, 72, 1};
    std::copy_n(strides, 4, tensor->stride);
  }
  return args;
}

template <typename Change>
Caught refusal(Layout layout, Change&& change) {
  attune_attention_args args = valid_args();
  change(args);
  return caught([&] { resolve_arguments(with_layout(layout), args); });
}

using Strides = std::array<int64_t, 4>;

}  // namespace

TEST_CASE("lengths are the plan's unless given") {
  attune_attention_args args = valid_args();
  Arguments arguments = resolve_arguments(kCapacity, args);
  CHECK(arguments.batch == 4);
  CHECK(arguments.seqlen_q == 100);
  CHECK(arguments.seqlen_kv == 300);
  CHECK(arguments.lse == args.lse);
  args.batch = 3, args.seqlen_q = 1, args.seqlen_kv = 0;
  arguments = resolve_arguments(kCapacity, args);
  CHECK(arguments.batch == 3);
  CHECK(arguments.seqlen_q == 1);
  CHECK(arguments.seqlen_kv == 0);
}

TEST_CASE("dense strides follow the layout and the actual lengths") {
  attune_attention_args args = valid_args();
  args.seqlen_q = 50, args.seqlen_kv = 7;
  const Arguments bhsd = resolve_arguments(with_layout(Layout::bhsd), args);
  CHECK(bhsd.q.stride == Strides{6 * 50 * 64, 50 * 64, 64, 1});
  CHECK(bhsd.k.stride == Strides{2 * 7 * 64, 7 * 64, 64, 1});
  CHECK(bhsd.v.stride == Strides{2 * 7 * 64, 7 * 64, 64, 1});
  CHECK(bhsd.o.stride == Strides{6 * 50 * 64, 50 * 64, 64, 1});
  const Arguments bshd = resolve_arguments(with_layout(Layout::bshd), args);
  CHECK(bshd.q.stride == Strides{50 * 6 * 64, 64, 6 * 64, 1});
  CHECK(bshd.k.stride == Strides{7 * 2 * 64, 64, 2 * 64, 1});
  CHECK(bshd.v.stride == Strides{7 * 2 * 64, 64, 2 * 64, 1});
  CHECK(bshd.o.stride == Strides{50 * 6 * 64, 64, 6 * 64, 1});
  CHECK(bshd.q.data == args.q.data);
  CHECK(bshd.o.data == args.o.data);
}

TEST_CASE("strided takes the caller's strides, and an input may broadcast") {
  attune_attention_args args = valid_args();
  args.k.stride[0] = args.k.stride[1] = 0;
  const Arguments arguments = resolve_arguments(with_layout(Layout::strided), args);
  CHECK(arguments.q.stride == Strides{100000, 8000, 72, 1});
  CHECK(arguments.k.stride == Strides{0, 0, 72, 1});
}

TEST_CASE("the scale defaults to 1 / sqrt(head_dim)") {
  attune_attention_args args = valid_args();
  CHECK(resolve_arguments(kCapacity, args).scale == 0.125f);
  args.scale = 0.1;
  CHECK(resolve_arguments(kCapacity, args).scale == 0.1f);
}

TEST_CASE("lengths beyond capacity and negative ones are refused with both numbers") {
  const auto capacity = [](const char* message) { return Caught{ATTUNE_ERROR_CAPACITY, message}; };
  const auto invalid = [](const char* message) { return Caught{ATTUNE_ERROR_INVALID_ARGUMENT, message}; };
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.batch = 5; }) ==
        capacity("batch = 5 is more than the plan's capacity of 4"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.seqlen_q = 101; }) ==
        capacity("seqlen_q = 101 is more than the plan's capacity of 100"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.seqlen_kv = INT64_MAX; }) ==
        capacity("seqlen_kv = 9223372036854775807 is more than the plan's capacity of 300"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.batch = -2; }) == invalid("batch = -2 is negative"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.seqlen_q = INT64_MIN; }) ==
        invalid("seqlen_q = -9223372036854775808 is negative"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.seqlen_kv = -300; }) ==
        invalid("seqlen_kv = -300 is negative"));
}

TEST_CASE("a scale that is negative or not finite in f32 is refused with its value") {
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.scale = -0.125; }) ==
        Caught{ATTUNE_ERROR_UNSUPPORTED, "scale = -0.125: a negative scale is not supported"});
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.scale = std::numeric_limits<double>::infinity(); }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT, "scale = inf is not a normal number in f32"});
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.scale = std::numeric_limits<double>::quiet_NaN(); }).message ==
        "scale = nan is not a normal number in f32");
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.scale = 1e39; }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT, "scale = 1e+39 is not a normal number in f32"});
  // Neither is 1e-50, which f32 rounds to 0, nor 3e38, whose product with log2(e) is beyond f32.
  for (const double scale : {1e-50, 3e38}) {
    CHECK(refusal(Layout::bhsd, [&](auto& a) { a.scale = scale; }).message ==
          fmt::format("scale = {} is not a normal number in f32", scale));
  }
}

TEST_CASE("every tensor must be there and aligned") {
  const auto invalid = [](const char* message) { return Caught{ATTUNE_ERROR_INVALID_ARGUMENT, message}; };
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.q.data = nullptr; }) == invalid("q.data is NULL"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.k.data = nullptr; }) == invalid("k.data is NULL"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.v.data = nullptr; }) == invalid("v.data is NULL"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.o.data = nullptr; }) == invalid("o.data is NULL"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.k.data = address(0x20002); }) == Caught{});
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.o.data = address(0x40001); }) ==
        invalid("o = 0x40001 is not aligned to 2 bytes, the size of an element of bf16"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.lse = static_cast<float*>(address(0x50002)); }) ==
        invalid("lse = 0x50002 is not aligned to 4 bytes, the size of an element of f32"));
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.lse = static_cast<float*>(address(0x50004)); }) == Caught{});
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.lse = nullptr; }) == Caught{});
}

TEST_CASE("strides that the kernels cannot follow are refused with the numbers") {
  const auto invalid = [](const char* message) { return Caught{ATTUNE_ERROR_INVALID_ARGUMENT, message}; };
  CHECK(refusal(Layout::strided, [](auto& a) { a.q.stride[0] = -8; }) ==
        invalid("q: batch stride = -8 is negative"));
  CHECK(refusal(Layout::strided, [](auto& a) { a.v.stride[2] = 65; }) == Caught{});  // any stride of elements
  CHECK(refusal(Layout::strided, [](auto& a) { a.o.stride[3] = 2; }) ==
        invalid("o: column stride = 2 is not 1"));
  CHECK(refusal(Layout::strided, [](auto& a) { a.q.stride[3] = 0; }) ==
        invalid("q: column stride = 0 is not 1"));
  // Under a dense layout nobody reads them.
  CHECK(refusal(Layout::bshd, [](auto& a) { a.q.stride[0] = -8, a.o.stride[3] = 2; }) == Caught{});
}

TEST_CASE("strides that leave the address range are refused, before they overflow") {
  constexpr int64_t kLimit = int64_t{1} << 59;  // elements, from the first to behind the last
  const auto extent_refusal = [](int64_t stride) {
    return refusal(Layout::strided, [&](auto& a) { a.q.stride[0] = stride; });
  };
  const auto message = [](int64_t stride) {
    return Caught{
        ATTUNE_ERROR_INVALID_ARGUMENT,
        fmt::format("q: batch stride = {} over 4 elements exceeds the address range (2^59 elements)",
                    stride)};
  };
  CHECK(extent_refusal(INT64_MAX - 7) == message(INT64_MAX - 7));
  CHECK(extent_refusal(kLimit / 2) == message(kLimit / 2));
  CHECK(extent_refusal(kLimit / 4) == Caught{});
  // One sequence, or one row, has no distance to the next.
  for (const int64_t stride : {INT64_MAX, int64_t{-8}, int64_t{3}, int64_t{0}}) {
    CHECK(refusal(Layout::strided, [&](auto& a) { a.q.stride[0] = a.o.stride[0] = stride, a.batch = 1; }) ==
          Caught{});
    CHECK(refusal(Layout::strided, [&](auto& a) { a.q.stride[2] = stride, a.seqlen_q = 1; }) == Caught{});
  }
}

TEST_CASE("an output cannot broadcast, unless there is only one of it") {
  CHECK(refusal(Layout::strided, [](auto& a) { a.o.stride[0] = 0; }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT,
               "o: stride 0 is 0 over 4 elements, but an output cannot broadcast"});
  CHECK(refusal(Layout::strided, [](auto& a) { a.o.stride[2] = 0; }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT,
               "o: stride 2 is 0 over 100 elements, but an output cannot broadcast"});
  CHECK(refusal(Layout::strided, [](auto& a) { a.o.stride[0] = 0, a.batch = 1; }) == Caught{});
}

TEST_CASE("without sequences or rows nothing is looked at but the lengths") {
  for (const bool no_batch : {true, false}) {
    attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
    (no_batch ? args.batch : args.seqlen_q) = 0;
    const Arguments arguments = resolve_arguments(with_layout(Layout::strided), args);
    CHECK(arguments.batch == (no_batch ? 0 : 4));
    CHECK(arguments.seqlen_q == (no_batch ? 100 : 0));
  }
}

TEST_CASE("without keys, k and v may be NULL, but o may not") {
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.seqlen_kv = 0, a.k.data = a.v.data = nullptr; }) == Caught{});
  CHECK(refusal(Layout::bhsd, [](auto& a) { a.seqlen_kv = 0, a.o.data = nullptr; }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT, "o.data is NULL"});
}
