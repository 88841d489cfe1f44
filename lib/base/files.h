// Files the library reads and publishes: whole-file reads, atomic writes, private directories, scratch
// directories.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace attune {

// The file's bytes; nothing when it cannot be read.
std::optional<std::string> read_file(const std::filesystem::path& path);

// Writes a temporary file beside `path`, syncs it and renames it over `path`, so that no reader ever sees a
// part. Returns the reason when it could not; empty on success.
std::string write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

// Creates the directory (0700, parents too) unless it is there, and checks that this user owns it and nobody
// else can write to it. Returns the reason why it must not be used; empty when it may.
std::string make_private_directory(const std::filesystem::path& path);

// $XDG_CACHE_HOME/attune, else ~/.cache/attune; nothing when there is no home.
std::optional<std::filesystem::path> default_cache_directory();

// A fresh private directory under the system's temporary directory, removed with everything in it by the
// destructor.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace attune
