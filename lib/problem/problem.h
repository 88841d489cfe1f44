// Problem: one attention question, validated once. Everything downstream is a function of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "attune/attune.h"
#include "problem/dtype.h"

namespace attune {

// row_softmax (y = softmax of every row of an [seqlen_q, seqlen_kv] matrix per batch and query head) is the
// smallest operation that uses every stage of the library; it is for tests and for learning, and not in the C
// API.
//
// backward is done in stages (problem/stages.h), each an operation with families, records and tuning of its
// own: backward_delta makes the row terms, backward_dkv and backward_dq the gradients.
enum class Operation { forward, row_softmax, backward, backward_delta, backward_dkv, backward_dq };
enum class Layout { bhsd = ATTUNE_BHSD, bshd = ATTUNE_BSHD, strided = ATTUNE_STRIDED };
enum class Mask {
  none = ATTUNE_MASK_NONE,
  causal = ATTUNE_MASK_CAUSAL,
  causal_top_left = ATTUNE_MASK_CAUSAL_TOP_LEFT
};

// Under a causal mask query i sees keys 0 to i + diagonal.
constexpr int64_t causal_diagonal(Mask mask, int64_t seqlen_q, int64_t seqlen_kv) {
  return mask == Mask::causal_top_left ? 0 : seqlen_kv - seqlen_q;
}

// Lengths and batch are capacities in a plan and actual values in a measurement.
struct Problem {
  Operation operation = Operation::forward;
  DType dtype = DType::bf16;
  Layout layout = Layout::bhsd;
  Mask mask = Mask::none;
  int64_t batch = 1;
  int64_t heads_q = 1;
  int64_t heads_kv = 1;
  int64_t seqlen_q = 1;
  int64_t seqlen_kv = 1;
  int64_t head_dim = 64;    // of q and k
  int64_t head_dim_v = 64;  // of v and o
  bool single_config = false;
  bool deterministic = false;

  bool operator==(const Problem&) const = default;
};

std::string_view name_of(Operation operation);
std::string_view name_of(Layout layout);
std::string_view name_of(Mask mask);

// Throws Error (INVALID_ARGUMENT, UNSUPPORTED) with the reason and the numbers.
void validate(const Problem& problem);

// Checks a public description and turns it into a valid Problem. Throws as validate does. `desc` is already
// widened to this version's struct (capi does that).
Problem problem_from_desc(const attune_attention_desc& desc);

// The static fields, as in "forward bf16 d128 dv128 group4 causal": what is compiled into a kernel or chooses
// one.
std::string static_key(const Problem& problem);

// The static key and the actual numbers, for people: "forward bf16 B=2 Hq=32 Hkv=8 Nq=4096 Nk=4096 D=128
// causal".
std::string describe(const Problem& problem);

// Floating-point operations by the field's convention: 4·B·H·Nq·Nk·D, halved when causal and Nq = Nk
// (in general, only the pairs a query sees are counted). With D the mean of head_dim and head_dim_v. Of
// backward 2.5 times that, five products for two, though its stages, which are counted as they are, do seven.
double flops(const Problem& problem);

// Bytes that must move at least: each input read once, each output written once.
double minimum_bytes(const Problem& problem);

// False when there is nothing to multiply: no sequence, no query or no key.
bool has_work(const Problem& problem);

// Pairs (i, j) that the mask lets through, per batch and query head.
double visible_pairs(const Problem& problem);

// 1 / sqrt(head_dim), rounded to float unless the dtype is f64: what kernels multiply with.
double default_scale(int64_t head_dim, DType dtype);

}  // namespace attune
