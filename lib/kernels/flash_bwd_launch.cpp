#include "kernels/flash_bwd_launch.h"

#include <fmt/format.h>

#include <algorithm>

#include "attention/row_terms.layout.h"
#include "kernels/flash.h"
#include "kernels/flash_bwd.h"

namespace attune::flash_bwd {
namespace {

int64_t tiles_of(int64_t rows, const LaunchShape& shape) {
  return (rows + shape.rows - 1) / shape.rows;
}

// What the kernels read, in the order of their parameters.
struct Inputs {
  FlashTensor q, k, v, dout;
};

Inputs inputs_of(const Problem& problem, const Arguments& arguments) {
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  return {.q = flash::tensor_of(arguments.q, batch, problem.heads_q, nq),
          .k = flash::tensor_of(arguments.k, batch, problem.heads_kv, nk),
          .v = flash::tensor_of(arguments.v, batch, problem.heads_kv, nk),
          .dout = flash::tensor_of(arguments.gradients->dout, batch, problem.heads_q, nq)};
}

unsigned aligned_bits(const Inputs& inputs, size_t element) {
  return flash::aligned_bit(inputs.q, element, 0) | flash::aligned_bit(inputs.k, element, 1) |
         flash::aligned_bit(inputs.v, element, 2) | flash::aligned_bit(inputs.dout, element, 3);
}

void add_inputs(Launch& launch, const Problem& problem, const Arguments& arguments) {
  const size_t element = size_of(problem.dtype);
  const auto add = [&](const TensorView& view, int64_t heads, int64_t rows, int64_t columns) {
    flash::add_region(launch, view, arguments.batch, heads, rows, columns, element);
  };
  add(arguments.q, problem.heads_q, arguments.seqlen_q, problem.head_dim);
  add(arguments.k, problem.heads_kv, arguments.seqlen_kv, problem.head_dim);
  add(arguments.v, problem.heads_kv, arguments.seqlen_kv, problem.head_dim_v);
  add(arguments.gradients->dout, problem.heads_q, arguments.seqlen_q, problem.head_dim_v);
}

void add_row_terms(Launch& launch, const Problem& problem, const Arguments& arguments) {
  launch.add_region(arguments.gradients->row_terms,
                    row_terms_bytes(problem, arguments.batch, arguments.seqlen_q));
}

}  // namespace

FlashBwdDkvParams dkv_params(const Problem& problem, const LaunchShape& shape, const Arguments& arguments) {
  const GradientArguments& gradients = *arguments.gradients;
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  const int64_t tiles = tiles_of(nk, shape);
  const size_t element = size_of(problem.dtype);
  const Inputs inputs = inputs_of(problem, arguments);
  const FlashTensor dk = flash::tensor_of(gradients.dk, batch, problem.heads_kv, nk);
  const FlashTensor dv = flash::tensor_of(gradients.dv, batch, problem.heads_kv, nk);
  return {.q = inputs.q,
          .k = inputs.k,
          .v = inputs.v,
          .dout = inputs.dout,
          .dk = dk,
          .dv = dv,
          .row_terms = gradients.row_terms,
          .scale = static_cast<float>(arguments.scale),
          .scale_log2 = static_cast<float>(arguments.scale * flash::kLog2E),
          .scale_f64 = arguments.scale,
          .scale_log2_f64 = arguments.scale * flash::kLog2E,
          .heads_q = static_cast<int>(problem.heads_q),
          .heads_kv = static_cast<int>(problem.heads_kv),
          .heads_per_kv = static_cast<int>(problem.heads_q / problem.heads_kv),
          .seqlen_q = static_cast<int>(nq),
          .seqlen_kv = static_cast<int>(nk),
          .padded_rows = static_cast<int>(RowTermsLayout::padded_rows(nq)),
          .kv_tiles = static_cast<int>(tiles),
          .part_blocks = static_cast<int>(tiles * problem.heads_kv * batch),
          .diagonal = static_cast<int>(causal_diagonal(problem.mask, nq, nk)),
          .aligned = aligned_bits(inputs, element) | flash::aligned_bit(dk, element, 4) |
                     flash::aligned_bit(dv, element, 5)};
}

FlashBwdDqParams dq_params(const Problem& problem, const LaunchShape& shape, const Arguments& arguments) {
  const GradientArguments& gradients = *arguments.gradients;
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  const size_t element = size_of(problem.dtype);
  const Inputs inputs = inputs_of(problem, arguments);
  const FlashTensor dq = flash::tensor_of(gradients.dq, batch, problem.heads_q, nq);
  return {.q = inputs.q,
          .k = inputs.k,
          .v = inputs.v,
          .dout = inputs.dout,
          .dq = dq,
          .row_terms = gradients.row_terms,
          .scale = static_cast<float>(arguments.scale),
          .scale_log2 = static_cast<float>(arguments.scale * flash::kLog2E),
          .scale_f64 = arguments.scale,
          .scale_log2_f64 = arguments.scale * flash::kLog2E,
          .heads_q = static_cast<int>(problem.heads_q),
          .heads_per_kv = static_cast<int>(problem.heads_q / problem.heads_kv),
          .seqlen_q = static_cast<int>(nq),
          .seqlen_kv = static_cast<int>(nk),
          .padded_rows = static_cast<int>(RowTermsLayout::padded_rows(nq)),
          .q_tiles = static_cast<int>(tiles_of(nq, shape)),
          .diagonal = static_cast<int>(causal_diagonal(problem.mask, nq, nk)),
          .aligned = aligned_bits(inputs, element) | flash::aligned_bit(dq, element, 4)};
}

void set_dkv_shape(Launch& launch, const Problem& problem, const LaunchShape& shape,
                   const Arguments& arguments) {
  const GradientArguments& gradients = *arguments.gradients;
  const int64_t wanted = (gradients.dk.data ? 1 : 0) + (gradients.dv.data ? 1 : 0);
  const int64_t tiles = tiles_of(arguments.seqlen_kv, shape);
  flash::set_shape(
      launch, shape,
      flash::blocks_of(std::min(shape.parts, wanted) * tiles, problem.heads_kv, arguments.batch));
  add_inputs(launch, problem, arguments);
  const size_t element = size_of(problem.dtype);
  flash::add_region(launch, gradients.dk, arguments.batch, problem.heads_kv, arguments.seqlen_kv,
                    problem.head_dim, element);
  flash::add_region(launch, gradients.dv, arguments.batch, problem.heads_kv, arguments.seqlen_kv,
                    problem.head_dim_v, element);
  add_row_terms(launch, problem, arguments);
}

void set_dq_shape(Launch& launch, const Problem& problem, const LaunchShape& shape,
                  const Arguments& arguments) {
  const TensorView& dq = arguments.gradients->dq;
  const int64_t tiles = dq.data ? tiles_of(arguments.seqlen_q, shape) : 0;
  flash::set_shape(launch, shape, flash::blocks_of(tiles, problem.heads_q, arguments.batch));
  add_inputs(launch, problem, arguments);
  flash::add_region(launch, dq, arguments.batch, problem.heads_q, arguments.seqlen_q, problem.head_dim,
                    size_of(problem.dtype));
  add_row_terms(launch, problem, arguments);
}

bool describe_inputs(const InputMaps& maps, const BoxRows& rows, const Problem& problem,
                     const TensorMapEncoder* encoder, const Arguments& arguments, unsigned aligned) {
  constexpr unsigned kInputs = 15;
  if (arguments.batch == 0 || arguments.seqlen_q == 0 || arguments.seqlen_kv == 0)
    return true;  // nobody asks
  if (!encoder || (aligned & kInputs) != kInputs) return false;
  const Inputs inputs = inputs_of(problem, arguments);
  const auto describe_queries = [&](TensorMap& map, const FlashTensor& tensor, int64_t columns) {
    return flash::describe_panels(map, *encoder, problem.dtype, tensor,
                                  {arguments.batch, problem.heads_q, arguments.seqlen_q, columns},
                                  rows.queries);
  };
  const auto describe_keys = [&](TensorMap& map, const FlashTensor& tensor, int64_t columns) {
    return flash::describe_panels(map, *encoder, problem.dtype, tensor,
                                  {arguments.batch, problem.heads_kv, arguments.seqlen_kv, columns},
                                  rows.keys);
  };
  return describe_queries(maps.q, inputs.q, problem.head_dim) &&
         describe_queries(maps.dout, inputs.dout, problem.head_dim_v) &&
         describe_keys(maps.k, inputs.k, problem.head_dim) &&
         describe_keys(maps.v, inputs.v, problem.head_dim_v);
}

}  // namespace attune::flash_bwd
