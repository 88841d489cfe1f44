#include "capi/overlap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "attention/row_terms.layout.h"
#include "problem/dtype.h"

namespace attune {
namespace {

// The bytes of one row: rows are dense.
struct Row {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

struct Tensor {
  const char* name = "";
  uintptr_t data = 0;
  std::array<int64_t, 3> stride{};  // of batch, head, row, in bytes
  std::array<int64_t, 3> count{};
  int64_t row_bytes = 0;

  bool empty() const {
    return data == 0 || row_bytes == 0 || count[0] == 0 || count[1] == 0 || count[2] == 0;
  }
  // From the first byte to the end of the last.
  Row extent() const {
    const int64_t last = (count[0] - 1) * stride[0] + (count[1] - 1) * stride[1] + (count[2] - 1) * stride[2];
    return {data, data + static_cast<uintptr_t>(last + row_bytes)};
  }
};

Tensor tensor_of(const char* name, const TensorView& view, std::array<int64_t, 3> count, int64_t columns,
                 DType dtype) {
  const auto element = static_cast<int64_t>(size_of(dtype));
  return {.name = name,
          .data = reinterpret_cast<uintptr_t>(view.data),
          .stride = {view.stride[0] * element, view.stride[1] * element, view.stride[2] * element},
          .count = count,
          .row_bytes = columns * element};
}

// lse or dlse: dense.
Tensor statistic_of(const char* name, const void* data, const Problem& capacity, const Arguments& arguments) {
  const int64_t heads = capacity.heads_q, rows = arguments.seqlen_q;
  const auto element = static_cast<int64_t>(size_of(statistics_dtype(capacity.dtype)));
  return {.name = name,
          .data = reinterpret_cast<uintptr_t>(data),
          .stride = {heads * rows * element, rows * element, element},
          .count = {arguments.batch, heads, rows},
          .row_bytes = element};
}

Tensor workspace_of(const void* data, int64_t bytes) {
  return {.name = "the workspace",
          .data = reinterpret_cast<uintptr_t>(data),
          .stride = {},
          .count = {1, 1, 1},
          .row_bytes = bytes};
}

// What backward writes to the workspace.
Tensor row_terms_of(const Problem& capacity, const Arguments& arguments) {
  const auto element = static_cast<int>(size_of(statistics_dtype(capacity.dtype)));
  return workspace_of(arguments.gradients->row_terms,
                      RowTermsLayout::bytes(arguments.batch * capacity.heads_q, arguments.seqlen_q, element));
}

bool meet(const Row& a, const Row& b) {
  return a.begin < b.end && b.begin < a.end;
}

// In ascending order.
std::vector<Row> rows_of(const Tensor& tensor) {
  std::vector<Row> rows;
  for (int64_t batch = 0; batch < tensor.count[0]; ++batch) {
    for (int64_t head = 0; head < tensor.count[1]; ++head) {
      for (int64_t row = 0; row < tensor.count[2]; ++row) {
        const uintptr_t begin =
            tensor.data + static_cast<uintptr_t>(batch * tensor.stride[0] + head * tensor.stride[1] +
                                                 row * tensor.stride[2]);
        rows.push_back({begin, begin + static_cast<uintptr_t>(tensor.row_bytes)});
      }
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.begin < b.begin; });
  return rows;
}

// The first address that rows of both tensors hold.
std::optional<uintptr_t> shared_address(const Tensor& a, const Tensor& b) {
  if (a.empty() || b.empty() || !meet(a.extent(), b.extent())) return std::nullopt;
  const std::vector<Row> rows_a = rows_of(a), rows_b = rows_of(b);
  for (size_t i = 0, j = 0; i < rows_a.size() && j < rows_b.size();) {
    if (meet(rows_a[i], rows_b[j])) return std::max(rows_a[i].begin, rows_b[j].begin);
    ++(rows_a[i].end <= rows_b[j].begin ? i : j);
  }
  return std::nullopt;
}

std::optional<uintptr_t> shared_with_itself(const Tensor& tensor) {
  if (tensor.empty()) return std::nullopt;
  const std::vector<Row> rows = rows_of(tensor);
  for (size_t i = 1; i < rows.size(); ++i) {
    if (meet(rows[i - 1], rows[i])) return rows[i].begin;
  }
  return std::nullopt;
}

struct Tensors {
  std::vector<Tensor> inputs, outputs;
};

Tensors tensors_of(const Problem& capacity, const Arguments& arguments, size_t workspace_bytes) {
  const std::array<int64_t, 3> of_q = {arguments.batch, capacity.heads_q, arguments.seqlen_q};
  const std::array<int64_t, 3> of_kv = {arguments.batch, capacity.heads_kv, arguments.seqlen_kv};
  const int64_t d = capacity.head_dim, dv = capacity.head_dim_v;
  const auto tensor = [&](const char* name, const TensorView& view, std::array<int64_t, 3> count,
                          int64_t columns) { return tensor_of(name, view, count, columns, capacity.dtype); };
  Tensors tensors{.inputs = {tensor("q", arguments.q, of_q, d), tensor("k", arguments.k, of_kv, d),
                             tensor("v", arguments.v, of_kv, dv)}};
  const Tensor o = tensor("o", arguments.o, of_q, dv);
  const Tensor lse = statistic_of("lse", arguments.lse, capacity, arguments);
  if (!arguments.gradients) {
    // Blocks leave their parts there for each other.
    tensors.outputs = {o, lse, workspace_of(arguments.workspace, static_cast<int64_t>(workspace_bytes))};
    return tensors;
  }
  const GradientArguments& gradients = *arguments.gradients;
  tensors.inputs.insert(tensors.inputs.end(), {o, lse, tensor("dout", gradients.dout, of_q, dv),
                                               statistic_of("dlse", gradients.dlse, capacity, arguments)});
  tensors.outputs = {tensor("dq", gradients.dq, of_q, d), tensor("dk", gradients.dk, of_kv, d),
                     tensor("dv", gradients.dv, of_kv, dv), row_terms_of(capacity, arguments)};
  return tensors;
}

}  // namespace

std::string find_overlap(const Problem& capacity, const Arguments& arguments, size_t workspace_bytes) {
  const auto [inputs, outputs] = tensors_of(capacity, arguments, workspace_bytes);
  const auto report = [](const Tensor& a, const Tensor& b, uintptr_t address) {
    return fmt::format("{} and {} overlap: both hold address {:#x}", a.name, b.name, address);
  };
  for (const Tensor& input : inputs) {
    for (const Tensor& output : outputs) {
      if (const auto address = shared_address(output, input)) return report(output, input, *address);
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t j = i + 1; j < outputs.size(); ++j) {
      if (const auto address = shared_address(outputs[i], outputs[j]))
        return report(outputs[i], outputs[j], *address);
    }
    if (const auto address = shared_with_itself(outputs[i]))
      return fmt::format("two rows of {} overlap: both hold address {:#x}", outputs[i].name, *address);
  }
  return {};
}

}  // namespace attune
