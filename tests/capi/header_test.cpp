// The public header compiles alone, without a warning, as C11 and as every C++ from 11 to 20, by each
// compiler there is.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/files.h"
#include "support/catch.h"

using namespace attune;
namespace fs = std::filesystem;

namespace {

constexpr const char* kProgram = R"(#include <attune/attune.h>
int main(void);
int main(void) {
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  attune_tune_options tune = ATTUNE_TUNE_OPTIONS_INIT;
  return options.struct_size + info.struct_size + desc.struct_size + tune.struct_size == 0 ||
         args.batch != ATTUNE_SAME_AS_PLAN || args.window_right != -1;
}
)";

bool runs(const std::string& command) {
  return std::system((command + " > /dev/null 2>&1").c_str()) == 0;
}

void check_header(const std::string& compiler, const std::string& standard, const fs::path& folder,
                  const std::string& name) {
  if (!runs(compiler + " --version")) return;
  const fs::path source = folder / name;
  std::ofstream(source) << kProgram;
  const std::string log = (folder / "log").string();
  const std::string command = compiler + " -std=" + standard +
                              " -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only -I " ATTUNE_SOURCE_DIR
                              "/lib/include " +
                              source.string() + " > " + log + " 2>&1";
  INFO(command);
  const int status = std::system(command.c_str());
  INFO(read_file(log).value_or(""));
  CHECK(status == 0);
}

}  // namespace

TEST_CASE("the public header compiles alone as C and as C++") {
  const ScratchDirectory scratch;
  for (const char* compiler : {"cc", "gcc", "clang"}) {
    check_header(compiler, "c11", scratch.path(), "alone.c");
    check_header(compiler, "c17", scratch.path(), "alone.c");
  }
  for (const char* compiler : {"c++", "g++", "clang++"}) {
    for (const char* standard : {"c++11", "c++14", "c++17", "c++20"}) {
      check_header(compiler, standard, scratch.path(), "alone.cpp");
    }
  }
}
