#include "dispatch/plan.h"

#include <charconv>
#include <cstdint>

#include "base/error.h"
#include "base/hash.h"

namespace attune {
namespace {

constexpr uintptr_t kWorkspaceAlignment = 256;

std::string text_of(const PlannedKernel& kernel) {
  return fmt::format("{} {}", kernel.family->name(), to_string(kernel.config));
}

// "split none" keeps its place for families that split keys among blocks: how they do is part of the result's
// bits.
uint64_t fingerprint_of(const KernelTable& table, const Backend& backend) {
  std::string text = fmt::format("{}\nsplit none\n", device_key(backend.name(), backend.device()));
  for (const PlannedKernel& kernel : table.kernels) {
    text += fmt::format("{} {}\n", text_of(kernel), kernel.image_hash);
    if (kernel.fallback)
      text += fmt::format("else {} {}\n", text_of(*kernel.fallback), kernel.fallback->image_hash);
  }
  for (const auto& [length_class, index] : table.classes)
    text += fmt::format("{}: {}\n", to_string(length_class), index);
  const std::string digits = content_hash(text);
  uint64_t fingerprint = 0;
  std::from_chars(digits.data(), digits.data() + 16, fingerprint, 16);
  return fingerprint;
}

}  // namespace

Plan::Plan(Problem capacity, KernelTable table, Backend& backend, PlanOrigin origin)
    : capacity_(std::move(capacity)),
      table_(std::move(table)),
      backend_(backend),
      origin_(origin),
      config_text_(text_of(table_.kernels.at(0))),
      fingerprint_(fingerprint_of(table_, backend)) {}

void check_workspace(size_t needed, const void* workspace, size_t bytes) {
  if (bytes < needed || (!workspace && needed > 0)) {
    fail(ATTUNE_ERROR_WORKSPACE, "workspace {} of {} bytes, {} are needed", fmt::ptr(workspace), bytes,
         needed);
  }
  if (const auto address = reinterpret_cast<uintptr_t>(workspace); address % kWorkspaceAlignment != 0) {
    fail(ATTUNE_ERROR_WORKSPACE, "workspace {:#x} is not aligned to {} bytes", address, kWorkspaceAlignment);
  }
}

const PlannedKernel& Plan::kernel_for(const Arguments& arguments) const {
  if (table_.classes.empty()) return table_.kernels.front();
  Problem actual = capacity_;
  actual.batch = arguments.batch;
  actual.seqlen_q = arguments.seqlen_q;
  actual.seqlen_kv = arguments.seqlen_kv;
  const LengthClass wanted = length_class_of(actual, backend_.device().multiprocessors);
  for (const auto& [length_class, index] : table_.classes) {
    if (length_class == wanted) return table_.kernels[index];
  }
  return table_.kernels.front();
}

void Plan::execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
                   Stream stream) const {
  check_workspace(this->workspace_bytes(), workspace, workspace_bytes);
  const Arguments arguments = resolve_arguments(capacity_, args);
  if (arguments.batch == 0 || arguments.seqlen_q == 0) return;
  const PlannedKernel* kernel = &kernel_for(arguments);
  Launch launch;
  while (!kernel->family->pack(capacity_, kernel->shape, arguments, launch))
    kernel = kernel->fallback.get();
  backend_.launch(*kernel->module, launch, stream);
}

}  // namespace attune
