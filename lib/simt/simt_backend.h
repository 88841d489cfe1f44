// The simt backend: kernels compiled for the host and run on the emulator. It proves correctness and says
// nothing of speed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "base/log.h"
#include "simt/run_report.h"

namespace attune {

class SimtBackend : public Backend {
 public:
  // What the last launch did, whether it ended well or not.
  virtual simt::RunReport last_run_report() const = 0;
};

// `arch` as in "sm_86"; empty: sm_90a. It decides the DeviceSpec, so families, pruning and launches equal
// that GPU's. `options` is the text of ATTUNE_SIMT, or empty: "threads=N,seed=N,limit=SECONDS,cxx=PATH".
// Throws Error (INVALID_ARGUMENT) for an unknown architecture or option. The compiler is looked for at its
// first use.
std::unique_ptr<SimtBackend> make_simt_backend(std::string_view arch, const std::string& options,
                                               const Log& log);

}  // namespace attune
