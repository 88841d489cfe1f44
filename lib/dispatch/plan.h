// Plan: a problem bound to configs and loaded kernels, ready to execute. Immutable, but for what it remembers
// of launches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "attune/attune.h"
#include "backend/backend.h"
#include "db/ranking.h"
#include "dispatch/executable.h"
#include "dispatch/length_classes.h"
#include "dispatch/packed_launches.h"
#include "kernels/family.h"
#include "problem/problem.h"

namespace attune {

// A config of a plan, with what executes it.
struct PlannedKernel {
  const Family* family = nullptr;
  Config config;
  std::string image_hash;
  std::shared_ptr<const Module> module;
  LaunchShape shape;
  std::shared_ptr<const PlannedKernel>
      fallback;  // for arguments that this one cannot take; null: it takes all
};

// The kernels a plan holds: the capacity's first, and up to three for lengths where another config is faster.
struct KernelTable {
  static constexpr size_t kMostKernels = 4;

  std::vector<PlannedKernel> kernels;
  std::vector<std::pair<LengthClass, size_t>>
      classes;  // lengths that do not take the first, and which they take
};

// How the capacity's config was found.
struct PlanOrigin {
  Match match = Match::by_default;
  bool fresh = false;  // from a fresh record: tuning would not teach anything new
};

// A plan launches one kernel, or is made of such plans, its stages, which are executed in order.
class Plan final : public Executable {
 public:
  Plan(Problem capacity, KernelTable table, Backend& backend, PlanOrigin origin);
  // Of stages of `capacity`, at least one, each of one kernel.
  Plan(Problem capacity, std::vector<std::unique_ptr<const Plan>> stages, Backend& backend);

  const Problem& capacity() const override { return capacity_; }
  // Empty for a plan of one kernel.
  const std::vector<std::unique_ptr<const Plan>>& stages() const { return stages_; }
  // The capacity's, of a plan of one kernel. Throws std::out_of_range for one of stages.
  const Family& family() const { return *table_.kernels.at(0).family; }
  const Config& config() const { return table_.kernels.at(0).config; }
  const Module& module() const { return *table_.kernels.at(0).module; }
  // "flash_fwd BLOCK_M=128 ..."; those of stages with "; " between.
  const std::string& config_text() const override { return config_text_; }
  const KernelTable& table() const { return table_; }
  Match match() const override { return origin_.match; }  // of stages the least
  bool is_fresh() const { return origin_.fresh; }         // all stages
  // Of configs, images, length classes, device and how keys are divided: plans of equal fingerprints give
  // equal bits for equal inputs.
  uint64_t fingerprint() const override { return fingerprint_; }
  // For backward's row terms, or what blocks of forward that share keys leave for each other.
  size_t workspace_bytes() const override { return workspace_bytes_; }
  bool needs_workspace() const override { return !stages_.empty() && workspace_bytes_ > 0; }
  void prepare_workspace(void* workspace, Stream stream) const override;

  // Checks, packs and launches, or launches what was packed for the same arguments before; allocates nothing
  // unless it fails.
  void execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
               Stream stream) const override;

 private:
  const PlannedKernel& kernel_for(const Arguments& arguments) const;
  // Picks the kernel that takes the arguments, and packs them for it.
  const Module& pack(const Arguments& arguments, Launch& launch) const;
  void execute_stages(const attune_attention_args& args, void* workspace, Stream stream) const;

  const Problem capacity_;
  const KernelTable table_;
  const std::vector<std::unique_ptr<const Plan>> stages_;
  Backend& backend_;
  const PlanOrigin origin_;
  const std::string config_text_;
  const uint64_t fingerprint_;
  const size_t workspace_bytes_;
  const std::unique_ptr<PackedLaunches> packed_;  // null: of backward and of its stages
};

// The caller's workspace against what a plan needs: present, large enough, 256-byte aligned. Throws Error
// (WORKSPACE) with the numbers.
void check_workspace(size_t needed, const void* workspace, size_t bytes);

// The same for a plan, which may do without.
void check_workspace(const Executable& plan, const void* workspace, size_t bytes);

// Turns the caller's arguments into checked ones: lengths within capacity, pointers present and aligned,
// strides of the layout, the scale. Throws as execute does.
Arguments resolve_arguments(const Problem& capacity, const attune_attention_args& args);

// The same for backward. The result points to `gradients`, which is filled; `workspace` is to hold the row
// terms.
Arguments resolve_backward_arguments(const Problem& capacity, const attune_attention_args& args,
                                     void* workspace, GradientArguments& gradients);

// Bytes of workspace of any execution of backward within this capacity; of forward they depend on the
// kernels.
size_t workspace_bytes_of(const Problem& capacity);

}  // namespace attune
