// KernelSource: a kernel template and the constants it is specialised with, content-hashed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kernels/family.h"

namespace attune {

struct SourceFile {
  std::string path;  // relative to kernel_templates/, as #include names it
  std::string text;
};

struct KernelSource {
  std::string entry;              // name of the extern "C" kernel
  std::string main_path;          // "flash_fwd.cuh"
  std::vector<SourceFile> files;  // the template and everything it includes, and attune_config.h
  std::string hash;               // of all of it

  const SourceFile& file(std::string_view path) const;
};

// Where template text comes from: the embedded files, or a directory when given (kernel development).
class TemplateStore {
 public:
  explicit TemplateStore(std::optional<std::filesystem::path> directory = std::nullopt);

  // Throws Error (INTERNAL for embedded text, INVALID_ARGUMENT for a directory) when the file is not there.
  std::string text(std::string_view path) const;

 private:
  std::optional<std::filesystem::path> directory_;
};

// The content hash of a set of files, whatever their order.
std::string hash_of(const std::vector<SourceFile>& files);

// Writes attune_config.h (one #define per constant, by name) and gathers the template with what it includes;
// never edits it. The hash covers only files that are reached, so another family's change does not touch it.
KernelSource specialize(const TemplateStore& store, const Family& family, const Problem& problem,
                        const Config& config);

}  // namespace attune
