#include "capi/backward_fixture.h"

#include <algorithm>

#include "reference/naive.h"
#include "support/catch.h"

namespace attune::capi_test {
namespace {

HostTensor tensor_of(const attune_attention_desc& desc, int64_t batch, int64_t heads, int64_t rows,
                     int64_t columns, uint64_t seed) {
  HostTensor tensor(static_cast<DType>(desc.dtype), {batch, heads, rows, columns},
                    static_cast<Layout>(desc.layout));
  if (seed > 0) {
    tensor.fill_random(seed);
  } else {
    tensor.poison();
  }
  return tensor;
}

HostTensor statistics_of(const attune_attention_desc& desc, const Forward::Shape& shape, uint64_t seed) {
  HostTensor tensor(statistics_dtype(static_cast<DType>(desc.dtype)),
                    {1, 1, 1, shape.batch * desc.heads_q * shape.seqlen_q});
  tensor.fill_random(seed);
  return tensor;
}

HostTensor rounded(DType dtype, const HostTensor& like, const std::vector<double>& values) {
  HostTensor tensor(dtype, like.dims());
  tensor.from_doubles(values);
  return tensor;
}

}  // namespace

attune_attention_desc small_backward_desc() {
  attune_attention_desc desc = small_desc();
  desc.operation = ATTUNE_BACKWARD;
  return desc;
}

attune_tensor DeviceTensor::tensor() const {
  attune_tensor tensor{};
  const TensorView view = host_.view(memory_.data());
  tensor.data = view.data;
  std::copy_n(view.stride.begin(), 4, tensor.stride);
  return tensor;
}

HostTensor DeviceTensor::read() const {
  HostTensor copy = host_;
  memory_.read(copy.storage().data(), copy.storage().size());
  return copy;
}

bool Backward::Result::same_bits(const Result& other) const {
  return std::ranges::equal(dq.storage(), other.dq.storage()) &&
         std::ranges::equal(dk.storage(), other.dk.storage()) &&
         std::ranges::equal(dv.storage(), other.dv.storage());
}

Backward::Backward(attune_context_t context, const attune_attention_desc& desc, Forward::Shape s,
                   uint64_t seed)
    : context_(context),
      desc_(desc),
      shape_(s),
      q_(context, tensor_of(desc, s.batch, desc.heads_q, s.seqlen_q, desc.head_dim, seed)),
      k_(context, tensor_of(desc, s.batch, desc.heads_kv, s.seqlen_kv, desc.head_dim, seed + 1)),
      v_(context, tensor_of(desc, s.batch, desc.heads_kv, s.seqlen_kv, desc.head_dim, seed + 2)),
      o_(context, tensor_of(desc, s.batch, desc.heads_q, s.seqlen_q, desc.head_dim, 0)),
      dout_(context, tensor_of(desc, s.batch, desc.heads_q, s.seqlen_q, desc.head_dim, seed + 3)),
      lse_(context, statistics_of(desc, s, seed + 4)),
      dlse_(context, statistics_of(desc, s, seed + 5)),
      dq_(context, tensor_of(desc, s.batch, desc.heads_q, s.seqlen_q, desc.head_dim, 0)),
      dk_(context, tensor_of(desc, s.batch, desc.heads_kv, s.seqlen_kv, desc.head_dim, 0)),
      dv_(context, tensor_of(desc, s.batch, desc.heads_kv, s.seqlen_kv, desc.head_dim, 0)) {
  run_forward();
}

void Backward::run_forward() {
  attune_attention_desc desc = desc_;
  desc.operation = ATTUNE_FORWARD;
  const PlanHandle plan = make_plan(context_, desc);
  attune_attention_args args = this->args();
  args.dout.data = args.dq.data = args.dk.data = args.dv.data = nullptr;
  args.dlse = nullptr;
  const attune_status status = attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
}

attune_attention_args Backward::args() const {
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q = q_.tensor(), args.k = k_.tensor(), args.v = v_.tensor(), args.o = o_.tensor();
  args.dout = dout_.tensor(), args.dq = dq_.tensor(), args.dk = dk_.tensor(), args.dv = dv_.tensor();
  args.lse = lse_.tensor().data;
  args.dlse = dlse_.tensor().data;
  args.batch = shape_.batch, args.seqlen_q = shape_.seqlen_q, args.seqlen_kv = shape_.seqlen_kv;
  return args;
}

attune_status Backward::execute(attune_plan_t plan, const attune_attention_args& args) const {
  size_t bytes = 0;
  REQUIRE(attune_plan_get_workspace_size(plan, &bytes) == ATTUNE_OK);
  constexpr size_t kRoom = 1 << 16;  // for tensors that tests put there, so that they reach into no others
  if (!workspace_) workspace_.emplace(context_, bytes + kRoom);
  return attune_plan_execute(plan, &args, workspace_->data(), bytes, nullptr);
}

Backward::Result Backward::read() const {
  REQUIRE(attune_stream_synchronize(context_, nullptr) == ATTUNE_OK);
  return {dq_.read(), dk_.read(), dv_.read()};
}

std::vector<double> Backward::lse() const {
  return lse_.read().to_doubles();
}

// What a plain kernel would make of it begins with a plain forward pass.
Comparison Backward::compare(const Result& result) const {
  const AttentionInputs inputs{q_.host(), k_.host(), v_.host(), static_cast<Mask>(desc_.mask)};
  const std::vector<double> dlse = dlse_.host().to_doubles();
  const AttentionResult exact = reference_attention(inputs), plain = naive_attention(inputs);
  const HostTensor exact_o = rounded(DType::f64, o_.host(), exact.o);
  const HostTensor plain_o = rounded(o_.host().dtype(), o_.host(), plain.o);
  const GradientResult reference = reference_gradient({inputs, exact_o, dout_.host(), exact.lse, dlse});
  const GradientResult naive = naive_gradient({inputs, plain_o, dout_.host(), plain.lse, dlse});
  return worse_of(compare_gradient("dq", result.dq, reference, naive),
                  worse_of(compare_gradient("dk", result.dk, reference, naive),
                           compare_gradient("dv", result.dv, reference, naive)));
}

}  // namespace attune::capi_test
