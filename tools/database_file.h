// The tuning database's file, for programs that look at it without creating it.
#pragma once

#include <filesystem>

namespace attune {

// Where a context keeps its database in a cache directory.
inline std::filesystem::path database_path(const std::filesystem::path& cache_directory) {
  return cache_directory / "tuning.db";
}

}  // namespace attune
