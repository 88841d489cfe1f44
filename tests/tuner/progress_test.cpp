#include <memory>

#include "support/catch.h"
#include "tuner/progress.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

TuneProgress at(size_t done, double elapsed) {
  return {.stage = "compile",
          .done = done,
          .total = 20,
          .elapsed_seconds = elapsed,
          .eta_seconds = 2,
          .candidate = "A=1: ok"};
}

// What is written for these updates.
std::string written(bool rewrite, const std::vector<TuneProgress>& updates) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  Progress progress(file.get(), rewrite);
  for (const TuneProgress& update : updates)
    progress.update(update);
  progress.clear();
  std::rewind(file.get());
  std::string text(10000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

}  // namespace

TEST_CASE("progress says how far, how long and what was last") {
  CHECK(progress_line(at(12, 3.1)) == "compile 12/20, 3.1 s, 2.0 s left: A=1: ok");
  TuneProgress unknown = at(1, 0.5);
  unknown.eta_seconds = 0;
  unknown.candidate.clear();
  CHECK(progress_line(unknown) == "compile 1/20, 0.5 s");
}

TEST_CASE("on a terminal the line is rewritten and taken away at the end") {
  const std::string text = written(true, {at(1, 0.1), at(2, 0.2)});
  CHECK(text.find('\n') == std::string::npos);
  CHECK_THAT(text, ContainsSubstring("\r\x1b[Kcompile 2/20"));
  CHECK(text.substr(text.size() - 4) == "\r\x1b[K");
}

TEST_CASE("elsewhere lines are few: one in some seconds and one at the end") {
  CHECK(written(false, {at(1, 0.1), at(2, 0.2), at(3, 6), at(4, 7), at(20, 8)}) ==
        "compile 3/20, 6.0 s, 2.0 s left: A=1: ok\ncompile 20/20, 8.0 s, 2.0 s left: A=1: ok\n");
}
