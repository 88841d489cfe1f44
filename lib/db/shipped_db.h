// The shipped database: the trials of recordings/, packed at build, a part of the library.
#pragma once

#include <memory>

#include "db/tuning_db.h"

namespace attune {

// Read-only; without records when recordings/ was empty at build. Opening it copies nothing.
std::unique_ptr<TuningDb> open_shipped_db(const Log& log);

}  // namespace attune
