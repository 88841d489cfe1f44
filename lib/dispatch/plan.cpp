#include "dispatch/plan.h"

#include <cstdint>

#include "base/error.h"

namespace attune {
namespace {

constexpr uintptr_t kWorkspaceAlignment = 256;

}  // namespace

Plan::Plan(Problem capacity, const Family& family, Config config, std::shared_ptr<const Module> module,
           Backend& backend, Match match)
    : capacity_(std::move(capacity)),
      family_(family),
      config_(std::move(config)),
      module_(std::move(module)),
      backend_(backend),
      match_(match),
      config_text_(fmt::format("{} {}", family_.name(), to_string(config_))) {}

void check_workspace(size_t needed, const void* workspace, size_t bytes) {
  if (bytes < needed || (!workspace && needed > 0)) {
    fail(ATTUNE_ERROR_WORKSPACE, "workspace {} of {} bytes, {} are needed", fmt::ptr(workspace), bytes,
         needed);
  }
  if (const auto address = reinterpret_cast<uintptr_t>(workspace); address % kWorkspaceAlignment != 0) {
    fail(ATTUNE_ERROR_WORKSPACE, "workspace {:#x} is not aligned to {} bytes", address, kWorkspaceAlignment);
  }
}

void Plan::execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
                   Stream stream) const {
  check_workspace(this->workspace_bytes(), workspace, workspace_bytes);
  const Arguments arguments = resolve_arguments(capacity_, args);
  if (arguments.batch == 0 || arguments.seqlen_q == 0) return;
  Launch launch;
  family_.pack(capacity_, config_, arguments, launch);
  backend_.launch(*module_, launch, stream);
}

}  // namespace attune
