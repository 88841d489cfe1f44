// The reference as a device: this host's memory and cores. Its plans compute by themselves, so it has no
// compiler, loads nothing and times nothing.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace attune {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace attune
