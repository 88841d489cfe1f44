#include "dispatch/plan.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "attention/row_terms.layout.h"
#include "base/error.h"
#include "base/hash.h"
#include "problem/stages.h"

namespace attune {
namespace {

constexpr uintptr_t kWorkspaceAlignment = 256;

std::string text_of(const PlannedKernel& kernel) {
  return fmt::format("{} {}", kernel.family->name(), to_string(kernel.config));
}

uint64_t number_of(const std::string& digits) {
  uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + 16, number, 16);
  return number;
}

// How keys are divided among blocks is part of the result's bits: for the batch and queries of each execute,
// or, with one config for all lengths, for those of the capacity.
std::string split_rule_of(const KernelTable& table, const Problem& capacity) {
  for (const PlannedKernel& kernel : table.kernels) {
    const std::string_view rule = kernel.family->split_rule();
    if (rule == "none") continue;
    return capacity.single_config ? fmt::format("{} for {} x {}", rule, capacity.batch, capacity.seqlen_q)
                                  : std::string(rule);
  }
  return "none";
}

uint64_t fingerprint_of(const KernelTable& table, const Problem& capacity, const Backend& backend) {
  std::string text = fmt::format("{}\nsplit {}\n", device_key(backend.name(), backend.device()),
                                 split_rule_of(table, capacity));
  for (const PlannedKernel& kernel : table.kernels) {
    text += fmt::format("{} {}\n", text_of(kernel), kernel.image_hash);
    if (kernel.fallback)
      text += fmt::format("else {} {}\n", text_of(*kernel.fallback), kernel.fallback->image_hash);
  }
  for (const auto& [length_class, index] : table.classes)
    text += fmt::format("{}: {}\n", to_string(length_class), index);
  return number_of(content_hash(text));
}

using Stages = std::vector<std::unique_ptr<const Plan>>;

uint64_t fingerprint_of(const Stages& stages) {
  std::string text = "stages\n";
  for (const auto& stage : stages)
    text += fmt::format("{:016x}\n", stage->fingerprint());
  return number_of(content_hash(text));
}

std::string text_of(const Stages& stages) {
  std::string text;
  for (const auto& stage : stages)
    text += fmt::format("{}{}", text.empty() ? "" : "; ", stage->config_text());
  return text;
}

// What suffices for every kernel of the table.
size_t workspace_bytes_of(const KernelTable& table, const Problem& capacity) {
  size_t most = 0;
  for (const PlannedKernel& kernel : table.kernels)
    most = std::max(most, kernel.family->workspace_bytes(capacity, kernel.shape));
  return most;
}

PlanOrigin origin_of(const Stages& stages) {
  PlanOrigin origin{.match = Match::exact, .fresh = true};
  for (const auto& stage : stages) {
    origin.match = std::min(origin.match, stage->match());
    origin.fresh = origin.fresh && stage->is_fresh();
  }
  return origin;
}

}  // namespace

Plan::Plan(Problem capacity, KernelTable table, Backend& backend, PlanOrigin origin)
    : capacity_(std::move(capacity)),
      table_(std::move(table)),
      backend_(backend),
      origin_(origin),
      config_text_(text_of(table_.kernels.at(0))),
      fingerprint_(fingerprint_of(table_, capacity_, backend)),
      workspace_bytes_(workspace_bytes_of(table_, capacity_)),
      packed_(is_stage_of_backward(capacity_.operation) ? nullptr : std::make_unique<PackedLaunches>()) {}

Plan::Plan(Problem capacity, std::vector<std::unique_ptr<const Plan>> stages, Backend& backend)
    : capacity_(std::move(capacity)),
      stages_(std::move(stages)),
      backend_(backend),
      origin_(origin_of(stages_)),
      config_text_(text_of(stages_)),
      fingerprint_(fingerprint_of(stages_)),
      workspace_bytes_(workspace_bytes_of(capacity_)) {}

size_t workspace_bytes_of(const Problem& capacity) {
  if (capacity.operation != Operation::backward) return 0;
  return static_cast<size_t>(
      RowTermsLayout::bytes(capacity.batch * capacity.heads_q, capacity.seqlen_q,
                            static_cast<int>(size_of(statistics_dtype(capacity.dtype)))));
}

void check_workspace(size_t needed, const void* workspace, size_t bytes) {
  if (bytes < needed || (!workspace && needed > 0)) {
    fail(ATTUNE_ERROR_WORKSPACE, "workspace {} of {} bytes, {} are needed", fmt::ptr(workspace), bytes,
         needed);
  }
  if (const auto address = reinterpret_cast<uintptr_t>(workspace); address % kWorkspaceAlignment != 0) {
    fail(ATTUNE_ERROR_WORKSPACE, "workspace {:#x} is not aligned to {} bytes", address, kWorkspaceAlignment);
  }
}

void check_workspace(const Executable& plan, const void* workspace, size_t bytes) {
  if (workspace || plan.needs_workspace()) check_workspace(plan.workspace_bytes(), workspace, bytes);
}

void Plan::prepare_workspace(void* workspace, Stream stream) const {
  // NOTE: fresh memory is a workspace already; this stops counters that a failed launch left half way.
  // Backward writes its row terms before it reads them.
  if (stages_.empty()) backend_.fill(workspace, 0, workspace_bytes_, stream);
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

const Module& Plan::pack(const Arguments& arguments, Launch& launch) const {
  const PlannedKernel* kernel = &kernel_for(arguments);
  while (!kernel->family->pack(capacity_, kernel->shape, arguments, launch))
    kernel = kernel->fallback.get();
  return *kernel->module;
}

void Plan::execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
                   Stream stream) const {
  check_workspace(*this, workspace, workspace_bytes);
  if (!stages_.empty()) return execute_stages(args, workspace, stream);
  const auto launch_packed = [&](const Module& module, const Launch& packed) {
    backend_.launch(module, packed, stream);
  };
  void* const used = workspace_bytes_ > 0 ? workspace : nullptr;
  if (packed_ && packed_->launch(args, used, launch_packed)) return;
  Arguments arguments = resolve_arguments(capacity_, args);
  arguments.workspace = used;
  if (arguments.batch == 0 || arguments.seqlen_q == 0) return;
  Launch launch;
  const Module& module = pack(arguments, launch);
  if (launch.grid == 0) return;
  launch_packed(module, launch);
  if (packed_) packed_->keep(args, used, module, launch);
}

// A stage whose outputs are not wanted, or empty, packs a launch of no blocks. Without queries the gradients
// of keys are still there to be written: zeros.
void Plan::execute_stages(const attune_attention_args& args, void* workspace, Stream stream) const {
  GradientArguments gradients;
  const Arguments arguments = resolve_backward_arguments(capacity_, args, workspace, gradients);
  if (arguments.batch == 0) return;
  for (const auto& stage : stages_) {
    Launch launch;
    const Module& module = stage->pack(arguments, launch);
    if (launch.grid > 0) backend_.launch(module, launch, stream);
  }
}

}  // namespace attune
