// Executable: a problem made ready to execute, by whatever means. What the C API asks of a plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "attune/attune.h"
#include "backend/backend.h"
#include "db/ranking.h"
#include "problem/problem.h"

namespace attune {

class Executable {
 public:
  virtual ~Executable() = default;

  virtual const Problem& capacity() const = 0;
  virtual const std::string& config_text() const = 0;  // "flash_fwd BLOCK_M=128 ..."; "reference"
  virtual Match match() const = 0;
  // Of all that decides the bits of a result: equal fingerprints give equal bits for equal inputs.
  virtual uint64_t fingerprint() const = 0;
  virtual size_t workspace_bytes() const = 0;
  // False: execute does without a workspace, too, only slower.
  virtual bool needs_workspace() const { return workspace_bytes() > 0; }
  // Makes memory that holds anything, as after an execute that failed half way, a workspace, on `stream`.
  // `workspace` is not null, and large enough.
  virtual void prepare_workspace(void* /*workspace*/, Stream /*stream*/) const {}

  // Checks and computes, or has it computed on `stream`. `args` is already widened to this version's struct.
  // Throws Error: INVALID_ARGUMENT, UNSUPPORTED, CAPACITY, WORKSPACE, LAUNCH_FAILED, CONTEXT_LOST.
  virtual void execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
                       Stream stream) const = 0;
};

}  // namespace attune
