// NvrtcCompiler: kernel sources to cubins by NVRTC. Needs neither a GPU nor a driver.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compile/compiler.h"
#include "cuda/nvrtc_search.h"

namespace attune {

class NvrtcCompiler : public Compiler {
 public:
  // Throws Error: as NvrtcSearch::require, INVALID_ARGUMENT for an arch that is not of the form "sm_90a",
  // UNSUPPORTED when this NVRTC does not compile for it.
  NvrtcCompiler(const NvrtcSearch& search, const std::string& arch);

  std::string identity() const override;
  CompileResult compile(const KernelSource& source) override;

  NvrtcVersion version() const { return library_->version(); }

 private:
  std::shared_ptr<const NvrtcLibrary> library_;
  std::string arch_;
  std::vector<std::string> options_;
};

// For `--target`: compiles for any arch on any machine, with the newest NVRTC that `nvrtc_path` (empty: the
// search) finds. Throws as the constructor does.
std::unique_ptr<Compiler> make_compile_only(const std::string& arch, const std::string& nvrtc_path);

}  // namespace attune
