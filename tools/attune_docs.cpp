// attune-docs: rewrites the generated blocks of Markdown documents, or with --check says which differ.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "tools/generated_blocks.h"

namespace {

using namespace attune;

// True when the file was as the code has it.
bool visit(const std::string& path, bool check) {
  const std::optional<std::string> before = read_file(path);
  if (!before) fail_usage("{}: the file cannot be read", path);
  const std::string after = with_generated_blocks(*before);
  if (after == *before) return true;
  if (check) {
    fmt::print("{}: its generated blocks are not what the code says; run 'make docs'\n", path);
    return false;
  }
  const std::string reason = write_file_atomically(path, after);
  if (!reason.empty()) fail(ATTUNE_ERROR_INTERNAL, "{}: {}", path, reason);
  fmt::print("{}: rewritten\n", path);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Rewrites the blocks of Markdown documents that are generated from the code.", "attune-docs");
  std::vector<std::string> paths;
  bool check = false;
  app.add_option("file", paths, "Markdown documents")->required();
  app.add_flag("--check", check, "change nothing; exit status 1 when something differs");
  return run_program(app, argc, argv, [&] {
    bool same = true;
    for (const std::string& path : paths)
      same &= visit(path, check);
    return same || !check ? kExitOk : kExitFailed;
  });
}
