// Backward: tensors of one execution of a backward plan on the device, with o and lse from attune's own
// forward pass.
#pragma once

#include "capi/fixtures.h"
#include "reference/attention_gradient.h"

namespace attune::capi_test {

attune_attention_desc small_backward_desc();

// A device copy of a host tensor that can be read back.
class DeviceTensor {
 public:
  DeviceTensor(attune_context_t context, HostTensor tensor)
      : host_(std::move(tensor)), memory_(context, host_) {}

  attune_tensor tensor() const;
  const HostTensor& host() const { return host_; }
  HostTensor read() const;

 private:
  HostTensor host_;
  DeviceMemory memory_;
};

class Backward {
 public:
  struct Result {
    HostTensor dq, dk, dv;

    bool same_bits(const Result& other) const;
  };

  // Outputs are poisoned and fenced.
  Backward(attune_context_t context, const attune_attention_desc& desc, Forward::Shape shape,
           uint64_t seed = 1);

  // All that execute needs; may be changed before it.
  attune_attention_args args() const;
  attune_status execute(attune_plan_t plan) const { return execute(plan, args()); }
  attune_status execute(attune_plan_t plan, const attune_attention_args& args) const;
  Result read() const;
  // The whole way from q, k and v against the exact gradients.
  Comparison compare(const Result& result) const;
  void* workspace() const { return workspace_->data(); }  // once something was executed
  // The LSEs on the device.
  std::vector<double> lse() const;

 private:
  void run_forward();

  attune_context_t context_;
  attune_attention_desc desc_;
  Forward::Shape shape_;
  DeviceTensor q_, k_, v_, o_, dout_, lse_, dlse_, dq_, dk_, dv_;
  mutable std::optional<DeviceMemory> workspace_;
};

}  // namespace attune::capi_test
