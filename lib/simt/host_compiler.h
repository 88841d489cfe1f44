// HostCompiler: the host's C++ compiler turns a kernel template into a shared object for the emulator.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "compile/compiler.h"

namespace attune {

class HostCompiler final : public Compiler {
 public:
  static constexpr double kLimitSeconds = 300;

  // `cxx` is a path or a name on PATH; empty: the first of c++, g++, clang++. Nothing is started before the
  // first use. A compilation that takes longer than `limit_seconds` is stopped.
  explicit HostCompiler(std::string cxx, const Log& log = {}, double limit_seconds = kLimitSeconds);

  // The compiler's version line, the options and the emulator's ABI version. Throws Error (NO_COMPILER), as
  // compile does.
  std::string identity() const override;
  CompileResult compile(const KernelSource& source) override;

 private:
  struct Toolchain {
    std::string path;
    std::string version;               // its own first line
    std::vector<std::string> options;  // that decide the image
  };

  const Toolchain& toolchain() const;
  Toolchain probe() const;

  std::string wanted_;
  Log log_;
  double limit_seconds_;
  mutable std::mutex mutex_;
  mutable bool known_ = false;
  mutable Toolchain toolchain_;
};

}  // namespace attune
