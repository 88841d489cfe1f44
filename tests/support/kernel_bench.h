// KernelBench: specialises, compiles and loads kernels on a backend, as the library does, for tests that run
// templates.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "cache/compiled_images.h"
#include "cache/image_cache.h"
#include "kernels/registry.h"
#include "specialize/kernel_source.h"

namespace attune {

class KernelBench {
 public:
  explicit KernelBench(std::unique_ptr<Backend> backend);
  KernelBench(KernelBench&&);
  ~KernelBench();

  static KernelBench on_simt(std::string_view arch = "sm_90a");
  static KernelBench on_cuda();

  Backend& backend() { return *backend_; }
  // Fails the test, with the compiler's log, when the candidate does not compile. Lives as long as the bench.
  const Module& module(const Problem& problem, const Family& family, const Config& config);
  // Compiles on all cores ahead of module().
  void precompile(const std::vector<std::pair<Problem, Candidate>>& work);

 private:
  std::unique_ptr<Backend> backend_;
  TemplateStore templates_;
  std::unique_ptr<ImageCache> disk_;
  std::unique_ptr<CompiledImages> images_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
};

}  // namespace attune
