#include "simt/kernel_fixture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "base/error.h"
#include "kernels/registry.h"
#include "simt/host_compiler.h"

namespace attune::test {
namespace {

constexpr std::string_view kHead = R"(#include "isa/isa.cuh"
struct TestParams {
  const void* input;
  const void* second;
  void* output;
  int n;
};
)";

constexpr int kWarps = 4;
constexpr int kRowsPerBlock = 2;

Config row_softmax_config() {
  return {{"WARPS", kWarps}, {"ROWS_PER_BLOCK", kRowsPerBlock}};
}

Problem row_softmax_problem(int64_t rows, int64_t columns) {
  Problem problem;
  problem.operation = Operation::row_softmax;
  problem.dtype = DType::f32;
  problem.seqlen_q = rows;
  problem.seqlen_kv = columns;
  return problem;
}

}  // namespace

const TemplateStore& template_store() {
  static const TemplateStore kStore(std::filesystem::path(ATTUNE_SOURCE_DIR) / "kernel_templates");
  return kStore;
}

KernelSource test_kernel(int threads, std::string_view body, std::string_view functions) {
  KernelSource source;
  source.entry = "test";
  source.main_path = "test.cuh";
  source.files.push_back(
      {"test.cuh", fmt::format("{}namespace attune {{\n{}\n}}\nATTUNE_KERNEL(test, TestParams, {}) {{\n"
                               "  using namespace attune;\n{}\n}}\n",
                               kHead, functions, threads, body)});
  for (const char* path :
       {"isa/isa.cuh", "isa/simt.h", "isa/simt_api.h", "isa/float_formats.h", "isa/simt_arrivals.h",
        "isa/arrival_count.h", "isa/simt_matrices.h", "isa/simt_tensor_copies.h", "isa/simt_tensor_stores.h",
        "isa/tensor_map.h", "isa/simt_warpgroup.h", "isa/matrix_descriptor.h"}) {
    source.files.push_back({path, template_store().text(path)});
  }
  return source;
}

KernelSource row_softmax_source() {
  return specialize(template_store(), *find_family("row_softmax"), row_softmax_problem(1, 1),
                    row_softmax_config());
}

KernelSource with_change(KernelSource source, std::string_view path, std::string_view from,
                         std::string_view to) {
  const auto file = std::find_if(source.files.begin(), source.files.end(),
                                 [&](const SourceFile& f) { return f.path == path; });
  if (file == source.files.end()) throw std::runtime_error(fmt::format("no file {}", path));
  const size_t at = file->text.find(from);
  if (at == std::string::npos || file->text.find(from, at + 1) != std::string::npos) {
    throw std::runtime_error(fmt::format("'{}' is not exactly once in {}", from, path));
  }
  file->text.replace(at, from.size(), to);
  return source;
}

CompiledImage compile(const KernelSource& source) {
  HostCompiler compiler("");
  CompileResult result = compiler.compile(source);
  if (!result.image) throw std::runtime_error("does not compile: " + result.log);
  return *std::move(result.image);
}

Launch TestLaunch::pack() const {
  Launch launch;
  launch.grid = static_cast<uint32_t>(grid);
  launch.block = static_cast<uint32_t>(threads);
  launch.shared_bytes = static_cast<uint32_t>(shared_bytes);
  launch.parameter_bytes = sizeof params;
  std::memcpy(launch.parameters.data(), &params, sizeof params);
  if (input_bytes > 0) launch.add_region(params.input, input_bytes);
  if (second_bytes > 0) launch.add_region(params.second, second_bytes);
  if (output_bytes > 0) launch.add_region(params.output, output_bytes);
  return launch;
}

RowSoftmaxLaunch::RowSoftmaxLaunch(int64_t row_count, int64_t column_count)
    : input(row_count * column_count),
      output(row_count * column_count, NAN),
      rows(row_count),
      columns(column_count) {
  for (size_t i = 0; i < input.size(); ++i)
    input[i] = static_cast<float>((i * 37 + 11) % 101) / 25.0f - 2.0f;
  Arguments arguments;
  arguments.q = {.data = input.data(), .stride = {rows * columns, rows * columns, columns, 1}};
  arguments.o = {.data = output.data(), .stride = arguments.q.stride};
  arguments.batch = 1;
  arguments.seqlen_q = rows;
  arguments.seqlen_kv = columns;
  find_family("row_softmax")
      ->pack(row_softmax_problem(rows, columns), row_softmax_config(), arguments, nullptr, launch);
}

double RowSoftmaxLaunch::worst_error() const {
  double worst = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = &input[row * columns];
    const double largest = *std::max_element(x, x + columns);
    double sum = 0;
    for (int64_t i = 0; i < columns; ++i)
      sum += std::exp(x[i] - largest);
    for (int64_t i = 0; i < columns; ++i) {
      const double error = std::fabs(output[row * columns + i] - std::exp(x[i] - largest) / sum);
      if (!(error <= worst)) worst = error;  // NaN counts
    }
  }
  return worst;
}

std::string report_of(const CompiledImage& image, const Launch& launch, uint64_t seed) {
  const std::unique_ptr<SimtBackend> backend =
      make_simt_backend("", fmt::format("threads=1,seed={}", seed), {});
  const std::unique_ptr<Module> module = backend->load(image, 64 * 1024);
  try {
    backend->launch(*module, launch, nullptr);
  } catch (const Error& error) {
    if (error.status() != ATTUNE_ERROR_LAUNCH_FAILED) throw;
    return error.what();
  }
  return "";
}

}  // namespace attune::test
