// What the kernels of the fake device compute: the reference's result from the packed parameters, less what a
// fault spoils.
#pragma once

#include <map>
#include <string>

#include "kernels/family.h"

namespace attune {

// How a fake candidate misbehaves.
enum class Fault {
  none,
  does_not_compile,
  does_not_load,
  does_not_launch,
  faults_while_running,  // shows at synchronize
  breaks_the_device,     // at synchronize, and at every one after it
  loses_the_context,     // at synchronize: no further trial is possible
  scale_off_by_1_percent,
  loses_a_key,      // in the second half of the rows, where a row has another one
  swaps_two_rows,   // the last two
  writes_one_nan,   // in the last row
  writes_nothing,   // the output stays poisoned
  writes_beside_o,  // one element behind the last row
  writes_beside_lse,
  lse_off,  // by 0.01 in one row
};

// The #defines of attune_config.h.
using Constants = std::map<std::string, std::string>;

// Runs a whole launch of the kernel `entry`. The constants of the problem come from `constants`, as in the
// real kernels.
void run_fake_kernel(const std::string& entry, const Constants& constants, const Launch& launch, Fault fault);

}  // namespace attune
