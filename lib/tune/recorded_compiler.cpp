#include "tune/recorded_compiler.h"

#include "base/hash.h"
#include "kernels/registry.h"

namespace attune {

RecordedCompiler::RecordedCompiler(const TemplateStore& templates,
                                   const std::vector<RecordedProblem>& recorded) {
  for (const RecordedProblem& problem : recorded) {
    for (const Record& record : problem.records) {
      const Family* family = find_family(record.family);
      const std::optional<Config> config = config_from_string(record.config);
      if (!family || !config || record.outcome == Outcome::over_budget) continue;
      records_[specialize(templates, *family, problem.problem, *config).hash] = record;
    }
  }
  std::string known;
  for (const auto& [source, record] : records_)
    known += source + record.image_hash;
  identity_ = "recorded " + content_hash(known);
}

CompileResult RecordedCompiler::compile(const KernelSource& source) {
  const auto found = records_.find(source.hash);
  if (found == records_.end())
    return {.image = std::nullopt, .log = "recorded: no trial of this candidate is"};
  const Record& record = found->second;
  if (record.image_hash.empty()) return {.image = std::nullopt, .log = "recorded: " + record.reason};
  CompiledImage image;
  image.entry = source.entry;
  image.hash = record.image_hash;
  image.registers = record.registers;
  image.spill_bytes = record.spill_bytes;
  image.compile_seconds = record.compile_seconds;
  return {.image = std::move(image), .log = ""};
}

}  // namespace attune
