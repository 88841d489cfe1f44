// SimtModule: a compiled template loaded into this process.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "isa/simt_api.h"

namespace attune::simt {

class SimtModule final : public Module {
 public:
  // Throws Error (LAUNCH_FAILED) when the image cannot be loaded or was built for another version of the
  // emulator.
  SimtModule(const CompiledImage& image, uint32_t shared_bytes);

  int registers() const override { return 0; }
  int local_bytes() const override { return 0; }
  int static_shared_bytes() const override { return 0; }

  const std::string& name() const { return name_; }
  const attune_simt_kernel_info& kernel() const { return *kernel_; }
  uint32_t shared_bytes() const { return shared_bytes_; }  // the most a launch may have

 private:
  struct Close {
    void operator()(void* library) const;
  };

  std::string name_;
  uint32_t shared_bytes_;
  std::unique_ptr<void, Close> library_;
  const attune_simt_kernel_info* kernel_ = nullptr;
};

}  // namespace attune::simt
