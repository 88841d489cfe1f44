#include "problem/problem.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace attune {
namespace {

// Keeps every index inside a sequence, and the number of tiles of a launch, within 32 bits.
constexpr int64_t kMaxSeqlen = int64_t{1} << 30;
constexpr int64_t kMaxHeads = int64_t{1} << 20;
constexpr int64_t kMaxBatch = int64_t{1} << 30;
constexpr int64_t kMaxHeadDim = 256;
constexpr int64_t kMaxElements = int64_t{1} << 59;  // so that byte offsets fit in 63 bits

void require_range(const char* name, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{} = {} is not in [{}, {}]", name, value, low, high);
  }
}

void require_elements(const char* name, int64_t batch, int64_t heads, int64_t rows, int64_t columns) {
  int64_t elements = batch;
  const bool overflow = __builtin_mul_overflow(elements, heads, &elements) ||
                        __builtin_mul_overflow(elements, rows, &elements) ||
                        __builtin_mul_overflow(elements, columns, &elements);
  if (overflow || elements > kMaxElements) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}: {} x {} x {} x {} elements overflow the limit of 2^59", name,
         batch, heads, rows, columns);
  }
}

void validate_attention(const Problem& problem) {
  require_range("heads_q", problem.heads_q, 1, kMaxHeads);
  require_range("heads_kv", problem.heads_kv, 1, kMaxHeads);
  if (problem.heads_q % problem.heads_kv != 0) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "heads_q = {} is not a multiple of heads_kv = {}", problem.heads_q,
         problem.heads_kv);
  }
  require_range("head_dim", problem.head_dim, 1, INT32_MAX);
  require_range("head_dim_v", problem.head_dim_v, 1, INT32_MAX);
  if (problem.head_dim > kMaxHeadDim || problem.head_dim_v > kMaxHeadDim) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "head_dim = {}, head_dim_v = {}: more than {} is not supported",
         problem.head_dim, problem.head_dim_v, kMaxHeadDim);
  }
}

}  // namespace

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::forward:
      return "forward";
    case Operation::row_softmax:
      return "row_softmax";
    case Operation::backward:
      return "backward";
    case Operation::backward_delta:
      return "backward_delta";
    case Operation::backward_dkv:
      return "backward_dkv";
    case Operation::backward_dq:
      return "backward_dq";
  }
  return "?";
}

std::string_view name_of(Layout layout) {
  switch (layout) {
    case Layout::bhsd:
      return "bhsd";
    case Layout::bshd:
      return "bshd";
    case Layout::strided:
      return "strided";
  }
  return "?";
}

std::string_view name_of(Mask mask) {
  switch (mask) {
    case Mask::none:
      return "none";
    case Mask::causal:
      return "causal";
    case Mask::causal_top_left:
      return "causal_top_left";
  }
  return "?";
}

void validate(const Problem& problem) {
  require_range("max_batch", problem.batch, 0, kMaxBatch);
  require_range("max_seqlen_q", problem.seqlen_q, 0, kMaxSeqlen);
  require_range("max_seqlen_kv", problem.seqlen_kv, 0, kMaxSeqlen);
  if (problem.operation == Operation::row_softmax) {
    if (problem.dtype != DType::f32) {
      fail(ATTUNE_ERROR_UNSUPPORTED, "row_softmax takes f32, not {}", name_of(problem.dtype));
    }
    require_range("heads_q", problem.heads_q, 1, kMaxHeads);
    require_elements("x", problem.batch, problem.heads_q, problem.seqlen_q, problem.seqlen_kv);
    return;
  }
  validate_attention(problem);
  require_elements("q", problem.batch, problem.heads_q, problem.seqlen_q, problem.head_dim);
  require_elements("k", problem.batch, problem.heads_kv, problem.seqlen_kv, problem.head_dim);
  require_elements("v", problem.batch, problem.heads_kv, problem.seqlen_kv, problem.head_dim_v);
  require_elements("o", problem.batch, problem.heads_q, problem.seqlen_q, problem.head_dim_v);
}

Problem problem_from_desc(const attune_attention_desc& desc) {
  if (desc.operation != ATTUNE_FORWARD && desc.operation != ATTUNE_BACKWARD) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "operation = {} is unknown (forward = 0, backward = 1)",
         static_cast<int>(desc.operation));
  }
  if (desc.dtype < ATTUNE_F16 || desc.dtype > ATTUNE_F64) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "dtype = {} is unknown (f16 = 1, bf16 = 2, f32 = 3, f64 = 4)",
         static_cast<int>(desc.dtype));
  }
  if (desc.layout != ATTUNE_BHSD && desc.layout != ATTUNE_BSHD && desc.layout != ATTUNE_STRIDED) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "layout = {} is unknown (BHSD = 1, BSHD = 2, STRIDED = 3)",
         static_cast<int>(desc.layout));
  }
  if (desc.mask < ATTUNE_MASK_NONE || desc.mask > ATTUNE_MASK_CAUSAL_TOP_LEFT) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "mask = {} is unknown (none = 0, causal = 1, causal_top_left = 2)",
         static_cast<int>(desc.mask));
  }
  constexpr uint64_t kKnownFlags = ATTUNE_PLAN_SINGLE_CONFIG | ATTUNE_PLAN_DETERMINISTIC;
  if ((desc.flags & ~kKnownFlags) != 0) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "flags = {:#x} has unknown bits {:#x}", desc.flags,
         desc.flags & ~kKnownFlags);
  }
  if (desc.page_size != 0 || desc.features != 0) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "page_size = {} and features = {:#x} are reserved and must be 0",
         desc.page_size, desc.features);
  }
  const Problem problem{
      .operation = desc.operation == ATTUNE_BACKWARD ? Operation::backward : Operation::forward,
      .dtype = static_cast<DType>(desc.dtype),
      .layout = static_cast<Layout>(desc.layout),
      .mask = static_cast<Mask>(desc.mask),
      .batch = desc.max_batch,
      .heads_q = desc.heads_q,
      .heads_kv = desc.heads_kv == 0 ? desc.heads_q : desc.heads_kv,
      .seqlen_q = desc.max_seqlen_q,
      .seqlen_kv = desc.max_seqlen_kv,
      .head_dim = desc.head_dim,
      .head_dim_v = desc.head_dim_v == 0 ? desc.head_dim : desc.head_dim_v,
      .single_config = (desc.flags & ATTUNE_PLAN_SINGLE_CONFIG) != 0,
      .deterministic = (desc.flags & ATTUNE_PLAN_DETERMINISTIC) != 0,
  };
  validate(problem);
  return problem;
}

std::string static_key(const Problem& problem) {
  if (problem.operation == Operation::row_softmax)
    return fmt::format("row_softmax {}", name_of(problem.dtype));
  return fmt::format("{} {} d{} dv{} group{} {}", name_of(problem.operation), name_of(problem.dtype),
                     problem.head_dim, problem.head_dim_v, problem.heads_q / problem.heads_kv,
                     name_of(problem.mask));
}

std::string describe(const Problem& problem) {
  if (problem.operation == Operation::row_softmax) {
    return fmt::format("row_softmax {} B={} H={} rows={} columns={}", name_of(problem.dtype), problem.batch,
                       problem.heads_q, problem.seqlen_q, problem.seqlen_kv);
  }
  return fmt::format("{} {} B={} Hq={} Hkv={} Nq={} Nk={} D={}{}{}", name_of(problem.operation),
                     name_of(problem.dtype), problem.batch, problem.heads_q, problem.heads_kv,
                     problem.seqlen_q, problem.seqlen_kv, problem.head_dim,
                     problem.head_dim_v == problem.head_dim ? "" : fmt::format(" Dv={}", problem.head_dim_v),
                     problem.mask == Mask::none ? "" : fmt::format(" {}", name_of(problem.mask)));
}

bool has_work(const Problem& problem) {
  return problem.batch > 0 && problem.seqlen_q > 0 && problem.seqlen_kv > 0;
}

double visible_pairs(const Problem& problem) {
  const double nq = static_cast<double>(problem.seqlen_q);
  const double nk = static_cast<double>(problem.seqlen_kv);
  if (problem.mask == Mask::none) return nq * nk;
  // Bottom right: row i of the last min(nq, nk) rows sees nk - (nq - 1 - i) keys. Top left: row i of the
  // first ones sees i + 1, the others all. The field halves the square, so half a diagonal goes.
  const double rows = std::min(nq, nk);
  const double seen_whole = problem.mask == Mask::causal ? rows * (nk - rows) : (nq - rows) * nk;
  return seen_whole + rows * rows / 2;
}

namespace {

// Columns of all products that an operation does with a pair: S and dQ and dK have d, O and dP and dV have
// dv.
double product_columns(Operation operation, double d, double dv) {
  switch (operation) {
    case Operation::backward:
      return 2.5 * (d + dv);
    case Operation::backward_dkv:
      return 2 * d + 2 * dv;
    case Operation::backward_dq:
      return 2 * d + dv;
    default:
      return d + dv;
  }
}

// Rows of queries and of keys that an operation reads and writes, each with d or dv columns.
struct RowTraffic {
  double q_columns, kv_columns, statistics;
};

RowTraffic traffic_of(Operation operation, double d, double dv) {
  switch (operation) {
    case Operation::backward:
      return {2 * d + 2 * dv, 2 * d + 2 * dv, 1};
    case Operation::backward_delta:
      return {2 * dv, 0, 3};
    case Operation::backward_dkv:
      return {d + dv, 2 * d + 2 * dv, 2};
    case Operation::backward_dq:
      return {2 * d + dv, d + dv, 2};
    default:
      return {d + dv, d + dv, 1};
  }
}

}  // namespace

double flops(const Problem& problem) {
  const double heads = static_cast<double>(problem.batch * problem.heads_q);
  if (problem.operation == Operation::row_softmax) {
    return 4 * heads * static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  }
  const double d = static_cast<double>(problem.head_dim), dv = static_cast<double>(problem.head_dim_v);
  if (problem.operation == Operation::backward_delta)
    return 2 * heads * static_cast<double>(problem.seqlen_q) * dv;
  return 2 * heads * visible_pairs(problem) * product_columns(problem.operation, d, dv);
}

double default_scale(int64_t head_dim, DType dtype) {
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  return dtype == DType::f64 ? scale : static_cast<double>(static_cast<float>(scale));
}

double minimum_bytes(const Problem& problem) {
  const double element = static_cast<double>(size_of(problem.dtype));
  const double rows_q = static_cast<double>(problem.batch * problem.heads_q * problem.seqlen_q);
  if (problem.operation == Operation::row_softmax)
    return 2 * element * rows_q * static_cast<double>(problem.seqlen_kv);
  const double rows_kv = static_cast<double>(problem.batch * problem.heads_kv * problem.seqlen_kv);
  const RowTraffic traffic = traffic_of(problem.operation, static_cast<double>(problem.head_dim),
                                        static_cast<double>(problem.head_dim_v));
  return (rows_q * traffic.q_columns + rows_kv * traffic.kv_columns) * element +
         static_cast<double>(size_of(statistics_dtype(problem.dtype))) * rows_q * traffic.statistics;
}

}  // namespace attune
