#include "tools/supported.h"

#include "device/device_spec.h"
#include "kernels/registry.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("ranges of head dimensions are said briefly and exactly") {
  CHECK(range_text({}) == "none");
  CHECK(range_text({64}) == "64");
  CHECK(range_text({64, 128}) == "64, 128");
  CHECK(range_text({1, 2, 3, 4}) == "1 to 4");
  CHECK(range_text({8, 16, 24}) == "8 to 24 in steps of 8");
  CHECK(range_text({8, 16, 32}) == "8, 16, 32");
}

TEST_CASE("the table has every known architecture and every dtype that validation accepts") {
  const std::string text = supported_markdown();
  for (const DeviceSpec& device : known_devices())
    CHECK_THAT(text, ContainsSubstring(device.arch));
  for (int value = 0; value < 16; ++value) {
    attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
    desc.dtype = static_cast<attune_dtype>(value);
    desc.layout = ATTUNE_BHSD;
    desc.heads_q = desc.max_batch = desc.max_seqlen_q = desc.max_seqlen_kv = 1;
    desc.head_dim = 64;
    try {
      const Problem problem = problem_from_desc(desc);
      CHECK_THAT(text, ContainsSubstring("\n| " + std::string(name_of(problem.dtype)) + " "));
    } catch (const std::exception&) {
      // Not accepted, so not supported.
    }
  }
}

TEST_CASE("the table says where there is no kernel") {
  // bf16 has no tensor cores before sm_80, and no family does without.
  Problem problem{.head_dim = 64, .head_dim_v = 64};
  REQUIRE(enumerate_candidates(problem, known_device("sm_75").value(), Margin{}).empty());
  const std::string text = supported_markdown();
  const size_t title = text.find("| forward |");
  REQUIRE(text.find("sm_75", title) < text.find("sm_80", title));  // it is the first column
  CHECK_THAT(text, ContainsSubstring("\n| bf16 | none | "));
}

TEST_CASE("backward has a table of its own, and is supported where each of its stages is") {
  const std::string text = supported_markdown();
  const size_t backward = text.find("| backward |");
  REQUIRE(backward != std::string::npos);
  // Rows of f64 take twice the memory of forward's: what fits there need not fit here.
  CHECK_THAT(text.substr(0, backward), ContainsSubstring("\n| f64 |"));
  CHECK_THAT(text.substr(backward), ContainsSubstring("\n| f64 |"));
  CHECK_FALSE(text.substr(text.find("\n| f64 |"), 80) == text.substr(text.find("\n| f64 |", backward), 80));
}
