#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

std::string errno_text(const char* what, const fs::path& path) {
  return fmt::format("{} {}: {}", what, path.string(), std::strerror(errno));
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return std::nullopt;
  std::string content;
  std::array<char, 65536> piece;
  // NOTE: not `<< stream.rdbuf()`, which cannot tell a read error (a directory opens, too) from an empty
  // file.
  while (stream.read(piece.data(), piece.size()) || stream.gcount() > 0) {
    content.append(piece.data(), static_cast<size_t>(stream.gcount()));
  }
  if (stream.bad()) return std::nullopt;
  return content;
}

std::string write_file_atomically(const fs::path& path, std::string_view bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  const int file = ::mkostemp(temporary.data(), O_CLOEXEC);  // 0600
  if (file < 0) return errno_text("cannot create", temporary);
  std::string reason;
  if (!write_all(file, bytes) || ::fsync(file) != 0) reason = errno_text("cannot write", temporary);
  if (::close(file) != 0 && reason.empty()) reason = errno_text("cannot close", temporary);
  if (reason.empty() && ::rename(temporary.c_str(), path.c_str()) != 0)
    reason = errno_text("cannot rename to", path);
  if (!reason.empty()) ::unlink(temporary.c_str());
  return reason;
}

std::string make_private_directory(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path() && !fs::exists(path.parent_path(), error)) {
    std::string reason = make_private_directory(path.parent_path());
    if (!reason.empty()) return reason;
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errno_text("cannot create", path);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return errno_text("cannot inspect", path);
  if (!S_ISDIR(status.st_mode)) return fmt::format("{} is not a directory", path.string());
  if (status.st_uid != ::geteuid()) {
    return fmt::format("{} belongs to user {}, not to user {}", path.string(), status.st_uid, ::geteuid());
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fmt::format("{} can be written by others (mode {:o})", path.string(), status.st_mode & 07777);
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0) return errno_text("cannot write to", path);
  return {};
}

std::optional<fs::path> default_cache_directory() {
  if (const char* cache = secure_getenv("XDG_CACHE_HOME"); cache && *cache == '/')
    return fs::path(cache) / "attune";
  if (const char* home = secure_getenv("HOME"); home && *home == '/')
    return fs::path(home) / ".cache" / "attune";
  return std::nullopt;
}

ScratchDirectory::ScratchDirectory() {
  std::error_code error;
  fs::path base = fs::temp_directory_path(error);
  if (error) base = "/tmp";
  std::string pattern = (base / "attune-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) fail(ATTUNE_ERROR_INTERNAL, "{}", errno_text("cannot create", pattern));
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace attune
