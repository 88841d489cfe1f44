// NvrtcLibrary: one libnvrtc, opened at run time, as plain C++ values. nvrtc.h stays in the .cpp file.
#pragma once

#include <compare>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace attune {

struct NvrtcVersion {
  int major = 0;
  int minor = 0;

  auto operator<=>(const NvrtcVersion&) const = default;
};

std::string to_string(NvrtcVersion version);  // "13.0"

// A text NVRTC finds under this name when a program includes it.
struct NvrtcHeader {
  const char* name;
  const char* text;
};

struct NvrtcBuild {
  bool ok = false;
  bool broken = false;  // not the program's fault: NVRTC lacks its library of builtins
  std::string error;    // NVRTC's name of what went wrong; empty when ok
  std::string log;
  std::string cubin;
};

class NvrtcLibrary {
 public:
  // nullptr when it cannot be used; then `why_not` gets the reason. `name` is a path, or a soname for the
  // loader.
  static std::shared_ptr<const NvrtcLibrary> open(const std::string& name, std::string& why_not);
  ~NvrtcLibrary();
  NvrtcLibrary(const NvrtcLibrary&) = delete;
  NvrtcLibrary& operator=(const NvrtcLibrary&) = delete;

  NvrtcVersion version() const { return version_; }
  const std::string& path() const { return path_; }  // the file the loader took, symbolic links resolved
  std::vector<int> architectures() const;  // compute capabilities it compiles for, ascending: 75, 80, ...

  // Keeps it open for the rest of the process, and opens the library of builtins that lies beside it. To be
  // called before the first build.
  void keep() const;

  // Compiles to a cubin. Thread-safe.
  NvrtcBuild build(const char* name, const char* text, std::span<const NvrtcHeader> headers,
                   std::span<const std::string> options) const;

 private:
  struct Api;

  NvrtcLibrary();

  void* handle_ = nullptr;
  std::unique_ptr<Api> api_;
  NvrtcVersion version_;
  std::string path_;
};

}  // namespace attune
