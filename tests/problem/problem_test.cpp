#include "problem/problem.h"

#include <algorithm>

#include "support/catch.h"
#include "support/caught.h"

using namespace attune;

namespace {

constexpr int64_t kTooLong = (int64_t{1} << 30) + 1;

// A description that is valid: what a test changes is what it is about.
attune_attention_desc valid_desc() {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_BF16;
  desc.layout = ATTUNE_BSHD;
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.heads_q = 32;
  desc.heads_kv = 8;
  desc.head_dim = 128;
  desc.max_batch = 2;
  desc.max_seqlen_q = 4096;
  desc.max_seqlen_kv = 4096;
  return desc;
}

template <typename Change>
Caught refusal(Change&& change) {
  attune_attention_desc desc = valid_desc();
  change(desc);
  return caught([&] { problem_from_desc(desc); });
}

Problem problem_of(int64_t nq, int64_t nk, Mask mask) {
  return {.mask = mask, .seqlen_q = nq, .seqlen_kv = nk};
}

int64_t counted_pairs(int64_t nq, int64_t nk) {
  int64_t pairs = 0;
  for (int64_t i = 0; i < nq; ++i) {
    for (int64_t j = 0; j < nk; ++j)
      pairs += j <= i + nk - nq;
  }
  return pairs;
}

}  // namespace

TEST_CASE("a description becomes a problem field by field") {
  attune_attention_desc desc = valid_desc();
  desc.max_seqlen_q = 1000;
  desc.flags = ATTUNE_PLAN_SINGLE_CONFIG;
  const Problem expected{.operation = Operation::forward,
                         .dtype = DType::bf16,
                         .layout = Layout::bshd,
                         .mask = Mask::causal,
                         .batch = 2,
                         .heads_q = 32,
                         .heads_kv = 8,
                         .seqlen_q = 1000,
                         .seqlen_kv = 4096,
                         .head_dim = 128,
                         .head_dim_v = 128,
                         .single_config = true,
                         .deterministic = false};
  CHECK(problem_from_desc(desc) == expected);
  desc.heads_kv = 0;    // as many as heads_q
  desc.head_dim_v = 0;  // as head_dim
  desc.flags = ATTUNE_PLAN_DETERMINISTIC;
  const Problem problem = problem_from_desc(desc);
  CHECK(problem.heads_kv == 32);
  CHECK(problem.head_dim_v == 128);
  CHECK_FALSE(problem.single_config);
  CHECK(problem.deterministic);
}

TEST_CASE("the limits themselves are allowed") {
  CHECK(refusal([](auto& d) { d.head_dim = 8; }) == Caught{});
  CHECK(refusal([](auto& d) { d.head_dim = 256; }) == Caught{});
  CHECK(refusal([](auto& d) { d.max_batch = d.max_seqlen_q = d.max_seqlen_kv = 0; }) == Caught{});
  CHECK(refusal([](auto& d) { d.max_batch = 1, d.max_seqlen_q = d.max_seqlen_kv = kTooLong - 1; }) ==
        Caught{});
  // 2^30 sequences x 32 heads x 2^17 rows x 128 columns = 2^59 elements of q.
  CHECK(refusal([](auto& d) { d.max_batch = 1 << 30, d.max_seqlen_q = 1 << 17, d.max_seqlen_kv = 1; }) ==
        Caught{});
}

TEST_CASE("numbers out of range are refused with the number and the range") {
  const auto invalid = [](const char* message) { return Caught{ATTUNE_ERROR_INVALID_ARGUMENT, message}; };
  CHECK(refusal([](auto& d) { d.heads_q = 0; }) == invalid("heads_q = 0 is not in [1, 1048576]"));
  CHECK(refusal([](auto& d) { d.heads_q = -32; }) == invalid("heads_q = -32 is not in [1, 1048576]"));
  CHECK(refusal([](auto& d) { d.heads_q = d.heads_kv = 1048577; }) ==
        invalid("heads_q = 1048577 is not in [1, 1048576]"));
  CHECK(refusal([](auto& d) { d.heads_kv = -1; }) == invalid("heads_kv = -1 is not in [1, 1048576]"));
  CHECK(refusal([](auto& d) { d.max_batch = -1; }) == invalid("max_batch = -1 is not in [0, 1073741824]"));
  CHECK(refusal([](auto& d) { d.max_batch = kTooLong; }) ==
        invalid("max_batch = 1073741825 is not in [0, 1073741824]"));
  CHECK(refusal([](auto& d) { d.max_seqlen_q = -7; }) ==
        invalid("max_seqlen_q = -7 is not in [0, 1073741824]"));
  CHECK(refusal([](auto& d) { d.max_seqlen_q = kTooLong; }) ==
        invalid("max_seqlen_q = 1073741825 is not in [0, 1073741824]"));
  CHECK(refusal([](auto& d) { d.max_seqlen_kv = INT64_MIN; }) ==
        invalid("max_seqlen_kv = -9223372036854775808 is not in [0, 1073741824]"));
  CHECK(refusal([](auto& d) { d.max_seqlen_kv = INT64_MAX; }) ==
        invalid("max_seqlen_kv = 9223372036854775807 is not in [0, 1073741824]"));
  CHECK(refusal([](auto& d) { d.heads_kv = 5; }) ==
        invalid("heads_q = 32 is not a multiple of heads_kv = 5"));
  CHECK(refusal([](auto& d) { d.heads_kv = 64; }) ==
        invalid("heads_q = 32 is not a multiple of heads_kv = 64"));
  CHECK(refusal([](auto& d) { d.head_dim = 0; }) == invalid("head_dim = 0 is not in [1, 2147483647]"));
  CHECK(refusal([](auto& d) { d.head_dim = -64; }) == invalid("head_dim = -64 is not in [1, 2147483647]"));
  CHECK(refusal([](auto& d) { d.head_dim_v = -1; }) == invalid("head_dim_v = -1 is not in [1, 2147483647]"));
}

TEST_CASE("head dimensions beyond what the kernels do are unsupported, with the numbers") {
  const auto unsupported = [](const char* message) { return Caught{ATTUNE_ERROR_UNSUPPORTED, message}; };
  CHECK(refusal([](auto& d) { d.head_dim = 264; }) ==
        unsupported("head_dim = 264, head_dim_v = 264: more than 256 is not supported"));
  CHECK(refusal([](auto& d) { d.head_dim = 128, d.head_dim_v = 512; }) ==
        unsupported("head_dim = 128, head_dim_v = 512: more than 256 is not supported"));
  CHECK(refusal([](auto& d) { d.head_dim = 257; }) ==
        unsupported("head_dim = 257, head_dim_v = 257: more than 256 is not supported"));
}

TEST_CASE("any head dimension from 1 to 256 is taken, and values may have another one") {
  for (const auto& [head_dim, head_dim_v] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {1, 1}, {12, 12}, {59, 59}, {111, 3}, {192, 128}, {128, 192}, {256, 1}, {256, 256}}) {
    CHECK(refusal([&](auto& d) { d.head_dim = head_dim, d.head_dim_v = head_dim_v; }) == Caught{});
  }
}

TEST_CASE("pairs that a causal mask lets through, by counting") {
  for (const auto& [nq, nk] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{4, 4}, {3, 7}, {7, 3}, {1, 5}, {5, 1}}) {
    for (const Mask mask : {Mask::causal, Mask::causal_top_left}) {
      double pairs = 0;
      for (int64_t i = 0; i < nq; ++i) {
        for (int64_t j = 0; j < nk; ++j) {
          const int64_t last = i + causal_diagonal(mask, nq, nk);
          pairs += j < last    ? 1
                   : j == last ? 0.5
                               : 0;  // the field halves the square: the diagonal counts half
        }
      }
      const Problem problem{.mask = mask, .seqlen_q = nq, .seqlen_kv = nk};
      INFO(name_of(mask) << " " << nq << " x " << nk);
      CHECK(visible_pairs(problem) == pairs);
    }
  }
}

TEST_CASE("a tensor of more than 2^59 elements is refused, whether or not 64 bits overflow") {
  // 2^30 x 32 x 2^18 x 128 = 2^60.
  CHECK(refusal([](auto& d) { d.max_batch = 1 << 30, d.max_seqlen_q = 1 << 18, d.max_seqlen_kv = 1; }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT,
               "q: 1073741824 x 32 x 262144 x 128 elements overflow the limit of 2^59"});
  CHECK(refusal([](auto& d) { d.max_batch = d.max_seqlen_kv = 1 << 30, d.max_seqlen_q = 1; }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT,
               "k: 1073741824 x 8 x 1073741824 x 128 elements overflow the limit of 2^59"});
}

TEST_CASE("unknown enumerators and reserved fields are refused with their values") {
  const auto invalid = [](const char* message) { return Caught{ATTUNE_ERROR_INVALID_ARGUMENT, message}; };
  CHECK(refusal([](auto& d) { d.dtype = static_cast<attune_dtype>(0); }) ==
        invalid("dtype = 0 is unknown (f16 = 1, bf16 = 2, f32 = 3, f64 = 4)"));
  CHECK(refusal([](auto& d) { d.layout = static_cast<attune_layout>(0); }) ==
        invalid("layout = 0 is unknown (BHSD = 1, BSHD = 2, STRIDED = 3)"));
  CHECK(refusal([](auto& d) { d.mask = static_cast<attune_mask>(7); }) ==
        invalid("mask = 7 is unknown (none = 0, causal = 1, causal_top_left = 2)"));
  CHECK(refusal([](auto& d) { d.operation = static_cast<attune_operation>(3); }) ==
        invalid("operation = 3 is unknown (forward = 0, backward = 1)"));
  CHECK(refusal([](auto& d) { d.flags = 0x13; }) ==
        Caught{ATTUNE_ERROR_UNSUPPORTED, "flags = 0x13 has unknown bits 0x10"});
  CHECK(refusal([](auto& d) { d.page_size = 16, d.features = 2; }) ==
        Caught{ATTUNE_ERROR_UNSUPPORTED, "page_size = 16 and features = 0x2 are reserved and must be 0"});
}

TEST_CASE("row_softmax takes f32 and at least one head") {
  Problem problem{.operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 37, .seqlen_kv = 203};
  CHECK(caught([&] { validate(problem); }) == Caught{});
  problem.dtype = DType::bf16;
  CHECK(caught([&] { validate(problem); }) ==
        Caught{ATTUNE_ERROR_UNSUPPORTED, "row_softmax takes f32, not bf16"});
  problem.dtype = DType::f32;
  problem.heads_q = 0;
  CHECK(caught([&] { validate(problem); }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT, "heads_q = 0 is not in [1, 1048576]"});
}

// The field counts 4·B·H·Nq·Nk·D and halves it when causal, so a square is cut along the middle of its
// diagonal.
TEST_CASE("flops follow the field's convention") {
  Problem problem{.batch = 8,
                  .heads_q = 16,
                  .heads_kv = 16,
                  .seqlen_q = 2048,
                  .seqlen_kv = 2048,
                  .head_dim = 128,
                  .head_dim_v = 128};
  CHECK(flops(problem) == 4.0 * 8 * 16 * 2048 * 2048 * 128);
  problem.mask = Mask::causal;
  CHECK(flops(problem) == 4.0 * 8 * 16 * 2048 * 2048 * 128 / 2);
  problem.heads_kv = 4;  // sharing K and V saves bytes, not products
  CHECK(flops(problem) == 4.0 * 8 * 16 * 2048 * 2048 * 128 / 2);
  // Q·K^T costs 2·D a pair, P·V 2·Dv.
  const Problem uneven{.batch = 1,
                       .heads_q = 1,
                       .heads_kv = 1,
                       .seqlen_q = 10,
                       .seqlen_kv = 7,
                       .head_dim = 192,
                       .head_dim_v = 128};
  CHECK(flops(uneven) == 10.0 * 7 * 2 * (192 + 128));
  const Problem rows{.operation = Operation::row_softmax,
                     .dtype = DType::f32,
                     .batch = 2,
                     .heads_q = 3,
                     .seqlen_q = 5,
                     .seqlen_kv = 7};
  CHECK(flops(rows) == 4.0 * 2 * 3 * 5 * 7);
}

TEST_CASE("visible pairs are the counted ones less half a diagonal") {
  for (const int64_t nq : {0, 1, 2, 7, 64, 113}) {
    for (const int64_t nk : {0, 1, 2, 5, 64, 131}) {
      INFO("Nq = " << nq << ", Nk = " << nk);
      CHECK(visible_pairs(problem_of(nq, nk, Mask::none)) == static_cast<double>(nq * nk));
      const double half_diagonal = static_cast<double>(std::min(nq, nk)) / 2;
      CHECK(visible_pairs(problem_of(nq, nk, Mask::causal)) ==
            static_cast<double>(counted_pairs(nq, nk)) - half_diagonal);
    }
  }
}

TEST_CASE("minimum bytes count each tensor once") {
  const Problem problem{.dtype = DType::bf16,
                        .batch = 2,
                        .heads_q = 8,
                        .heads_kv = 2,
                        .seqlen_q = 100,
                        .seqlen_kv = 300,
                        .head_dim = 64,
                        .head_dim_v = 64};
  const double q_and_o = 2.0 * 8 * 100 * (64 + 64) * 2, k_and_v = 2.0 * 2 * 300 * (64 + 64) * 2,
               lse = 2.0 * 8 * 100 * 4;
  CHECK(minimum_bytes(problem) == q_and_o + k_and_v + lse);
  const Problem rows{.operation = Operation::row_softmax,
                     .dtype = DType::f32,
                     .batch = 2,
                     .heads_q = 3,
                     .seqlen_q = 5,
                     .seqlen_kv = 7};
  CHECK(minimum_bytes(rows) == 2.0 * 4 * 2 * 3 * 5 * 7);
}

TEST_CASE("the static key holds what is compiled in and nothing that may differ between calls") {
  Problem problem{.dtype = DType::bf16,
                  .mask = Mask::causal,
                  .batch = 2,
                  .heads_q = 32,
                  .heads_kv = 8,
                  .seqlen_q = 4096,
                  .seqlen_kv = 4096,
                  .head_dim = 128,
                  .head_dim_v = 128};
  CHECK(static_key(problem) == "forward bf16 d128 dv128 group4 causal");
  Problem same = problem;
  same.batch = 7, same.seqlen_q = 1, same.seqlen_kv = 99, same.layout = Layout::strided, same.heads_q = 4,
  same.heads_kv = 1;
  CHECK(static_key(same) == static_key(problem));
  problem.dtype = DType::f16, problem.mask = Mask::none, problem.heads_kv = 32, problem.head_dim = 64;
  CHECK(static_key(problem) == "forward f16 d64 dv128 group1 none");
  CHECK(static_key({.operation = Operation::row_softmax, .dtype = DType::f32}) == "row_softmax f32");
}

TEST_CASE("describe names the numbers") {
  Problem problem{.dtype = DType::bf16,
                  .mask = Mask::causal,
                  .batch = 2,
                  .heads_q = 32,
                  .heads_kv = 8,
                  .seqlen_q = 4096,
                  .seqlen_kv = 1024,
                  .head_dim = 128,
                  .head_dim_v = 128};
  CHECK(describe(problem) == "forward bf16 B=2 Hq=32 Hkv=8 Nq=4096 Nk=1024 D=128 causal");
  problem.mask = Mask::none, problem.head_dim_v = 64;
  CHECK(describe(problem) == "forward bf16 B=2 Hq=32 Hkv=8 Nq=4096 Nk=1024 D=128 Dv=64");
  CHECK(describe(
            {.operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 37, .seqlen_kv = 203}) ==
        "row_softmax f32 B=1 H=1 rows=37 columns=203");
}

TEST_CASE("names of enumerators") {
  CHECK(name_of(DType::f16) == "f16");
  CHECK(name_of(DType::bf16) == "bf16");
  CHECK(name_of(DType::f32) == "f32");
  CHECK(size_of(DType::f16) == 2);
  CHECK(size_of(DType::bf16) == 2);
  CHECK(size_of(DType::f32) == 4);
  CHECK(name_of(Layout::bhsd) == "bhsd");
  CHECK(name_of(Layout::bshd) == "bshd");
  CHECK(name_of(Layout::strided) == "strided");
  CHECK(name_of(Operation::forward) == "forward");
  CHECK(name_of(Mask::none) == "none");
}
