// From arrays to what the library is given: shapes checked against each other, the plan's key, the arguments.
#pragma once

#include "array_view.h"
#include "attune/attune.h"
#include "plan_table.h"

namespace attune_python {

// How the arrays of a call are to be understood.
struct CallOptions {
  attune_mask mask = ATTUNE_MASK_NONE;
  double scale = 0;    // 0: 1 / sqrt(head_dim)
  bool bshd = false;   // arrays are (batch, sequence, head, dim), else (batch, head, sequence, dim)
  uint64_t flags = 0;  // ATTUNE_PLAN_*
};

// Collects the arrays of one execution. Every function throws PythonError for an array that does not fit.
class Problem {
 public:
  // `device` is the context's; all arrays lie there.
  Problem(attune_operation operation, const CallOptions& options, dlpack::Device device);

  // Inputs first: they decide the shapes.
  void set_inputs(const ArrayView& q, const ArrayView& k, const ArrayView& v);
  void set_o(const ArrayView& o, bool is_output);
  void set_lse(const ArrayView& lse, bool is_output);
  void set_dout(const ArrayView& dout);
  void set_dlse(const ArrayView& dlse);
  void set_dq(const ArrayView& dq);
  void set_dk(const ArrayView& dk);
  void set_dv(const ArrayView& dv);

  const PlanKey& key() const { return key_; }
  const attune_attention_args& args() const { return args_; }
  dlpack::Device device() const { return device_; }

 private:
  struct Shape {
    int64_t batch, heads, rows, columns;
  };

  Shape shape_of(const ArrayView& view) const;
  std::string text_of(const Shape& shape) const;
  attune_tensor tensor_of(const ArrayView& view, const Shape& shape) const;
  void require_place(const ArrayView& view, bool is_output) const;
  attune_tensor checked(const ArrayView& view, const Shape& wanted, bool is_output) const;
  void* checked_statistics(const ArrayView& view, bool is_output) const;

  const CallOptions options_;
  const dlpack::Device device_;
  ArrayView q_;
  PlanKey key_;
  attune_attention_args args_;
};

}  // namespace attune_python
