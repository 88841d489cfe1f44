// What tests of the emulator have in common: kernels from text, compiled once and run under many seeds.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/family.h"
#include "simt/simt_backend.h"
#include "specialize/kernel_source.h"

namespace attune::test {

// Parameters of kernels written in tests; kTestKernelHead declares the same to them.
struct TestParams {
  const void* input;
  const void* second;
  void* output;
  int n;
};

// kernel_templates/ of this source tree.
const TemplateStore& template_store();

// A kernel `test` of one warp or more: `body` is what its threads run, `functions` stands before it in
// namespace attune.
KernelSource test_kernel(int threads, std::string_view body, std::string_view functions = "");

// row_softmax with WARPS = 4, ROWS_PER_BLOCK = 2, as the family and the specialiser make it.
KernelSource row_softmax_source();

// The same with `from` replaced by `to` in the file `path`; `from` must be there exactly once.
KernelSource with_change(KernelSource source, std::string_view path, std::string_view from,
                         std::string_view to);

// Compiles with the default host compiler; a failure is an error with the compiler's log.
CompiledImage compile(const KernelSource& source);

// Global memory for a launch: exactly as long as asked for, so that regions are tight.
template <typename T>
std::vector<T> filled(size_t count, T value) {
  return std::vector<T>(count, value);
}

// A launch of a test kernel over one block; regions are input, second and output, as many as are given bytes.
struct TestLaunch {
  TestParams params{};
  size_t input_bytes = 0;
  size_t second_bytes = 0;
  size_t output_bytes = 0;
  int threads = 32;
  int grid = 1;
  int shared_bytes = 0;

  Launch pack() const;
};

// A launch of row_softmax over `rows` rows, with tensors of its own.
struct RowSoftmaxLaunch {
  std::vector<float> input, output;
  int64_t rows, columns;
  Launch launch;

  RowSoftmaxLaunch(int64_t rows, int64_t columns);
  double worst_error() const;  // against double precision
};

// What the launch reports under "threads=1,seed=<seed>"; empty when it ends well.
std::string report_of(const CompiledImage& image, const Launch& launch, uint64_t seed);

}  // namespace attune::test
