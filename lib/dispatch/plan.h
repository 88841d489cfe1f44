// Plan: a problem bound to a config and a loaded kernel, ready to execute. Immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "attune/attune.h"
#include "backend/backend.h"
#include "db/ranking.h"
#include "kernels/family.h"
#include "problem/problem.h"

namespace attune {

class Plan {
 public:
  Plan(Problem capacity, const Family& family, Config config, std::shared_ptr<const Module> module,
       Backend& backend, Match match);

  const Problem& capacity() const { return capacity_; }
  const Family& family() const { return family_; }
  const Config& config() const { return config_; }
  Match match() const { return match_; }
  const std::string& config_text() const { return config_text_; }  // "flash_fwd BLOCK_M=128 ..."
  size_t workspace_bytes() const { return 0; }                     // flash_fwd needs none

  // Checks, packs and launches; allocates nothing unless it fails. `args` is already widened to this
  // version's struct. Throws Error: INVALID_ARGUMENT, UNSUPPORTED, CAPACITY, WORKSPACE, LAUNCH_FAILED,
  // CONTEXT_LOST.
  void execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
               Stream stream) const;

 private:
  const Problem capacity_;
  const Family& family_;
  const Config config_;
  const std::shared_ptr<const Module> module_;
  Backend& backend_;
  const Match match_;
  const std::string config_text_;
};

// The caller's workspace against what a plan needs: present, large enough, 256-byte aligned. Throws Error
// (WORKSPACE) with the numbers.
void check_workspace(size_t needed, const void* workspace, size_t bytes);

// Turns the caller's arguments into checked ones: lengths within capacity, pointers present and aligned,
// strides of the layout, the scale. Throws as execute does.
Arguments resolve_arguments(const Problem& capacity, const attune_attention_args& args);

}  // namespace attune
