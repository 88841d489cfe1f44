// Documents against the code: generated blocks, the picture of the flow, links.
#include <algorithm>
#include <filesystem>
#include <regex>

#include "base/environment.h"
#include "base/error.h"
#include "base/files.h"
#include "support/catch.h"
#include "tools/generated_blocks.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

const std::filesystem::path kRoot = ATTUNE_SOURCE_DIR;

std::string document(const std::string& path) {
  const std::optional<std::string> text = read_file(kRoot / path);
  INFO(path << " cannot be read");
  REQUIRE(text.has_value());
  return *text;
}

std::string error_of(const std::string& text) {
  try {
    with_generated_blocks(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Where links of the text lead, without those to other places and to headings.
std::vector<std::string> local_links(const std::string& text) {
  static const std::regex kPattern(R"x((\]\(|src="|srcset=")([^)"#\s]+))x");
  std::vector<std::string> links;
  for (std::sregex_iterator at(text.begin(), text.end(), kPattern), end; at != end; ++at) {
    const std::string link = (*at)[2];
    if (link.find("://") == std::string::npos) links.push_back(link);
  }
  return links;
}

}  // namespace

TEST_CASE("the generated blocks of the documents are what the code says") {
  for (const char* path : {"README.md", "docs/tuning.md"}) {
    const std::string text = document(path);
    INFO(path << " is out of date: run 'make docs'");
    CHECK(with_generated_blocks(text) == text);
  }
  const auto holds = [](const char* path, const std::string& block) {
    return document(path).find("<!-- generated: " + block + " -->\n") != std::string::npos;
  };
  CHECK(holds("README.md", "supported"));
  CHECK(holds("README.md", "environment"));
  CHECK(holds("docs/tuning.md", "environment"));
}

TEST_CASE("a block is replaced, and nothing around it") {
  const std::string text =
      "a\n<!-- generated: environment -->\nstale\n<!-- /generated -->\nb\n<!-- other -->\n";
  const std::string expected = "a\n<!-- generated: environment -->\n" + environment_markdown() +
                               "<!-- /generated -->\nb\n<!-- other -->\n";
  CHECK(with_generated_blocks(text) == expected);
  CHECK(with_generated_blocks(expected) == expected);
  CHECK(with_generated_blocks("no block\n") == "no block\n");
}

TEST_CASE("markers that do not fit together are refused with their line") {
  CHECK_THAT(error_of("a\n<!-- generated: nonsense -->\n<!-- /generated -->\n"),
             ContainsSubstring("line 2: there is no generated block 'nonsense'"));
  CHECK_THAT(error_of("<!-- generated: environment -->\n"), ContainsSubstring("line 1"));
  CHECK_THAT(error_of("a\nb\n<!-- /generated -->\n"), ContainsSubstring("line 3"));
  CHECK_THAT(
      error_of("<!-- generated: environment -->\n<!-- generated: environment -->\n<!-- /generated -->\n"),
      ContainsSubstring("line 1"));
}

TEST_CASE("the environment table has a row per variable, bars escaped") {
  const std::string table = environment_markdown();
  for (const EnvironmentEntry& entry : environment_table())
    CHECK_THAT(table, ContainsSubstring("| `" + std::string(entry.name) + "` | "));
  CHECK_THAT(table, ContainsSubstring("cuda[:n] \\| simt[:sm_XX] \\| recorded[:GPU] \\| reference \\| auto"));
  CHECK(std::count(table.begin(), table.end(), '\n') ==
        static_cast<std::ptrdiff_t>(environment_table().size()) + 2);
}

TEST_CASE("the picture shows every stage of the flow, in its order") {
  const std::string picture = document("docs/flow.svg");
  // The order is that of CONTRIBUTING.md.
  const std::string text = document("CONTRIBUTING.md");
  const size_t begin = text.find("`desc → ");
  REQUIRE(begin != std::string::npos);
  std::string flow = text.substr(begin + 1, text.find('`', begin + 1) - begin - 1);
  size_t at = 0;
  int stages = 0;
  const std::string arrow = " → ";
  for (flow += arrow; !flow.empty(); ++stages) {
    const std::string stage = flow.substr(0, flow.find(arrow));
    INFO(stage);
    at = picture.find(">" + stage + "<", at);
    CHECK(at != std::string::npos);
    flow.erase(0, stage.size() + arrow.size());
  }
  CHECK(stages == 11);
}

TEST_CASE("what the documents link to is there") {
  for (const char* path :
       {"README.md", "CONTRIBUTING.md", "docs/tuning.md", "docs/add-a-kernel.md", "docs/emulator.md",
        "docs/learnt.md", "docs/learnt-forward-sm90.md", "bench/README.md"}) {
    for (const std::string& link : local_links(document(path))) {
      INFO(path << " links to " << link);
      CHECK(std::filesystem::exists((kRoot / path).parent_path() / link));
    }
  }
  CHECK(local_links("[a](b/c.md#d) <img src=\"x.svg\"> [e](https://f) [g](#h)") ==
        std::vector<std::string>{"b/c.md", "x.svg"});
}
