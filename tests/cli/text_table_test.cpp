#include "cli/text_table.h"
#include "base/error.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("columns are aligned, numbers at their end") {
  TextTable table({{"name"}, {"µs", true}, {"remark"}});
  table.add_row({"a", "12.5", ""});
  table.add_row({"longer", "3", "x"});
  CHECK(table.text(" ") ==
        " name      µs  remark\n"
        " a       12.5\n"
        " longer     3  x\n");
}

TEST_CASE("columns without a single value are left out") {
  TextTable table({{"nothing"}, {"name"}, {"none", true}});
  table.add_row({"", "a", ""});
  CHECK(table.text() == "name\na\n");
}

TEST_CASE("a row has as many cells as the table has columns") {
  TextTable table({{"one"}});
  CHECK(table.empty());
  CHECK_THROWS_AS(table.add_row({"a", "b"}), Error);
}

TEST_CASE("width is counted in characters, not in bytes") {
  CHECK(display_width("µs") == 2);
  CHECK(display_width("") == 0);
  CHECK(shorten("abcdef", 6) == "abcdef");
  CHECK(shorten("abcdefg", 6) == "abc...");
  CHECK(shorten("µµµµµµµ", 6) == "µµµ...");
}
