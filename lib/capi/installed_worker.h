// Where the worker's program lies: with the library, never on PATH.
#pragma once

#include <filesystem>

namespace attune {

// attune-tune as installed beside this library, or beside the program that this library is linked into.
// Whether it is there is seen when it is started.
std::filesystem::path installed_worker();

}  // namespace attune
