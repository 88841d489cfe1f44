// RecordedDevice: the GPU of a set of recordings that stands in for one that is not here.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "db/tuning_db.h"
#include "recorded/recorded_backend.h"

namespace attune {

// `gpu` is a part of the GPU's name in any case of letters; empty when there is only one. Kernels are
// compiled by NVRTC as `nvrtc_path` says; without one the recordings answer for it. Throws Error: NO_DEVICE
// when nothing is recorded of such a GPU, INVALID_ARGUMENT when several have that part in their names.
std::unique_ptr<RecordedBackend> make_recorded_device(TuningDb& recordings, const std::string& gpu,
                                                      const std::string& nvrtc_path, const Log& log);

}  // namespace attune
