// Packing: records as one SQLite file in memory, for TuningDb::open_packed.
#pragma once

#include <string>
#include <vector>

#include "db/record.h"

namespace attune {

// The bytes of the file. Equal records give equal bytes. Throws Error (DATABASE).
std::string pack_records(const std::vector<Record>& records);

}  // namespace attune
