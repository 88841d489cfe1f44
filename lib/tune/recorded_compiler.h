// RecordedCompiler: answers compilations from records, where there is no NVRTC or no time for it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compile/compiler.h"
#include "db/recorded_problem.h"
#include "specialize/kernel_source.h"

namespace attune {

// The images have hash, registers and spills as recorded, and no code: only the recorded backend loads them.
class RecordedCompiler final : public Compiler {
 public:
  // `recorded` are records of one device. Sources are told apart by their hash, so they are the records' as
  // long as the templates are those of the library.
  RecordedCompiler(const TemplateStore& templates, const std::vector<RecordedProblem>& recorded);

  // "recorded " and the hash of all that it knows.
  std::string identity() const override { return identity_; }
  // A source that is not recorded does not compile, and the log says so.
  CompileResult compile(const KernelSource& source) override;

 private:
  std::map<std::string, Record> records_;  // by source hash, the newest
  std::string identity_;
};

}  // namespace attune
