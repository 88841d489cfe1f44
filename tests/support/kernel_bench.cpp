#include "support/kernel_bench.h"

#include "base/files.h"
#include "base/parallel.h"
#include "cuda/cuda_backend.h"
#include "simt/simt_backend.h"
#include "support/catch.h"

namespace attune {

KernelBench::KernelBench(std::unique_ptr<Backend> backend)
    : backend_(std::move(backend)),
      disk_(std::make_unique<ImageCache>(default_cache_directory(), Log())),
      images_(std::make_unique<CompiledImages>(*disk_)) {}

KernelBench::KernelBench(KernelBench&&) = default;
KernelBench::~KernelBench() = default;

KernelBench KernelBench::on_simt(std::string_view arch) {
  return KernelBench(make_simt_backend(arch, "", Log()));
}

KernelBench KernelBench::on_cuda() {
  return KernelBench(make_cuda_backend(-1, "", Log()));
}

const Module& KernelBench::module(const Problem& problem, const Family& family, const Config& config) {
  const KernelSource source = specialize(templates_, family, problem, config);
  std::unique_ptr<Module>& module = modules_[source.hash];
  if (!module) {
    const ImageResult image = images_->get_or_build(backend_->compiler(), source);
    INFO(image.result->log);
    REQUIRE(image.result->image);
    const auto shared = static_cast<uint32_t>(family.resources(problem, config).shared_bytes);
    module = backend_->load(*image.result->image, shared);
  }
  return *module;
}

void KernelBench::precompile(const std::vector<std::pair<Problem, Candidate>>& work) {
  parallel_for(static_cast<int64_t>(work.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto& [problem, candidate] = work[static_cast<size_t>(i)];
      images_->get_or_build(backend_->compiler(),
                            specialize(templates_, *candidate.family, problem, candidate.config));
    }
  });
}

}  // namespace attune
