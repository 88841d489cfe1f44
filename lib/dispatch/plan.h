// Plan: a problem bound to configs and loaded kernels, ready to execute. Immutable.
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
#include "dispatch/length_classes.h"
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

class Plan {
 public:
  Plan(Problem capacity, KernelTable table, Backend& backend, PlanOrigin origin);

  const Problem& capacity() const { return capacity_; }
  // The capacity's.
  const Family& family() const { return *table_.kernels.front().family; }
  const Config& config() const { return table_.kernels.front().config; }
  const Module& module() const { return *table_.kernels.front().module; }
  const std::string& config_text() const { return config_text_; }  // "flash_fwd BLOCK_M=128 ..."
  const KernelTable& table() const { return table_; }
  Match match() const { return origin_.match; }
  bool is_fresh() const { return origin_.fresh; }
  // Of configs, images, length classes and device: plans of equal fingerprints give equal bits for equal
  // inputs.
  uint64_t fingerprint() const { return fingerprint_; }
  size_t workspace_bytes() const { return 0; }  // flash_fwd needs none

  // Checks, packs and launches; allocates nothing unless it fails. `args` is already widened to this
  // version's struct. Throws Error: INVALID_ARGUMENT, UNSUPPORTED, CAPACITY, WORKSPACE, LAUNCH_FAILED,
  // CONTEXT_LOST.
  void execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
               Stream stream) const;

 private:
  const PlannedKernel& kernel_for(const Arguments& arguments) const;

  const Problem capacity_;
  const KernelTable table_;
  Backend& backend_;
  const PlanOrigin origin_;
  const std::string config_text_;
  const uint64_t fingerprint_;
};

// The caller's workspace against what a plan needs: present, large enough, 256-byte aligned. Throws Error
// (WORKSPACE) with the numbers.
void check_workspace(size_t needed, const void* workspace, size_t bytes);

// Turns the caller's arguments into checked ones: lengths within capacity, pointers present and aligned,
// strides of the layout, the scale. Throws as execute does.
Arguments resolve_arguments(const Problem& capacity, const attune_attention_args& args);

}  // namespace attune
