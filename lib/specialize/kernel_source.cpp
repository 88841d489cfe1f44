#include "specialize/kernel_source.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "specialize/embedded_templates.h"

namespace attune {
namespace {

constexpr std::string_view kConfigPath = "attune_config.h";

// The emulator's side of the verbs is part of every closure by path, but only the host compiler ever reads
// it.
std::vector<std::string> included_paths(std::string_view text) {
  constexpr std::string_view kDirective = "#include \"";
  std::vector<std::string> paths;
  for (size_t at = text.find(kDirective); at != std::string_view::npos; at = text.find(kDirective, at)) {
    at += kDirective.size();
    paths.emplace_back(text.substr(at, text.find('"', at) - at));
  }
  return paths;
}

std::string config_header(const Family& family, const Problem& problem, const Config& config) {
  std::string text = fmt::format("// Written by attune's specialiser for {}: {}\n#pragma once\n",
                                 family.name(), static_key(problem));
  for (const Define& define : family.defines(problem))
    text += fmt::format("#define {} {}\n", define.name, define.value);
  for (const auto& [name, value] : config.values())
    text += fmt::format("#define {} {}\n", name, value);
  return text;
}

void gather(const TemplateStore& store, const std::string& path, std::vector<SourceFile>& files) {
  const bool known =
      std::any_of(files.begin(), files.end(), [&](const SourceFile& file) { return file.path == path; });
  if (known) return;
  files.push_back({path, store.text(path)});
  for (const std::string& included : included_paths(std::string(files.back().text)))
    gather(store, included, files);
}

}  // namespace

const SourceFile& KernelSource::file(std::string_view path) const {
  for (const SourceFile& candidate : files) {
    if (candidate.path == path) return candidate;
  }
  fail(ATTUNE_ERROR_INTERNAL, "kernel source {} has no file {}", entry, path);
}

TemplateStore::TemplateStore(std::optional<std::filesystem::path> directory)
    : directory_(std::move(directory)) {}

std::string TemplateStore::text(std::string_view path) const {
  if (directory_) {
    const std::filesystem::path file = *directory_ / path;
    if (std::optional<std::string> content = read_file(file)) return *std::move(content);
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "template {} cannot be read (ATTUNE_TEMPLATE_DIR)", file.string());
  }
  for (const EmbeddedFile& file : embedded_templates()) {
    if (file.path == path) return std::string(file.text);
  }
  fail(ATTUNE_ERROR_INTERNAL, "template {} is not embedded in this library", path);
}

std::string hash_of(const std::vector<SourceFile>& files) {
  std::vector<const SourceFile*> sorted;
  for (const SourceFile& file : files)
    sorted.push_back(&file);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->path < b->path; });
  std::string all;
  for (const SourceFile* file : sorted)
    all += fmt::format("{}:{}:{}\n", file->path, file->text.size(), file->text);
  return content_hash(all);
}

KernelSource specialize(const TemplateStore& store, const Family& family, const Problem& problem,
                        const Config& config) {
  KernelSource source{.entry = std::string(family.name()), .main_path = std::string(family.template_path())};
  source.files.push_back({std::string(kConfigPath), config_header(family, problem, config)});
  gather(store, source.main_path, source.files);
  source.hash = hash_of(source.files);
  return source;
}

}  // namespace attune
