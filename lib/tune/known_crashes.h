// KnownCrashes: a compiler that is not asked again for what it has crashed or hung at before.
#pragma once

#include <string>
#include <vector>

#include "compile/compiler.h"
#include "db/ranking.h"

namespace attune {

class KnownCrashes final : public Compiler {
 public:
  // Both outlive this object; `now` is what compiles and runs.
  KnownCrashes(Compiler& compiler, const std::vector<Record>& records, const Toolchain& now);

  std::string identity() const override { return compiler_.identity(); }
  CompileResult compile(const KernelSource& source) override;

 private:
  Compiler& compiler_;
  const std::vector<Record>& records_;
  const Toolchain& now_;
};

}  // namespace attune
