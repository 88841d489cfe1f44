#include "base/environment.h"

#include <cstdlib>
#include <set>
#include <string>

#include "base/files.h"
#include "support/catch.h"

using namespace attune;

namespace {

// Sets a variable, or unsets it for nullptr, and puts the old state back.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~ScopedVariable() { set(old_ ? old_->c_str() : nullptr); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  void set(const char* value) const { value ? ::setenv(name_, value, 1) : ::unsetenv(name_); }

  const char* name_;
  std::optional<std::string> old_;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// A row of the table in docs/tuning.md; Markdown wants bars inside a cell escaped.
std::string documented_row(const EnvironmentEntry& entry) {
  return "| `" + std::string(entry.name) + "` | " + replaced(entry.values, "|", "\\|") + " | " +
         replaced(entry.meaning, "|", "\\|") + " |";
}

size_t occurrences(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("the table has at most eight variables, each once and with its texts") {
  std::set<std::string> names;
  std::set<EnvironmentVariable> variables;
  for (const EnvironmentEntry& entry : environment_table()) {
    INFO(entry.name);
    CHECK(std::string(entry.name).starts_with("ATTUNE_"));
    CHECK(std::string(entry.values).size() > 0);
    CHECK(std::string(entry.meaning).size() > 0);
    CHECK(std::string(entry.meaning).find('\n') == std::string::npos);
    names.insert(entry.name);
    variables.insert(entry.variable);
  }
  CHECK(names.size() == environment_table().size());
  CHECK(variables.size() == environment_table().size());
  CHECK(environment_table().size() <= 8);
}

TEST_CASE("every variable of the table is read under its name") {
  for (const EnvironmentEntry& entry : environment_table()) {
    INFO(entry.name);
    const ScopedVariable unset(entry.name, nullptr);
    CHECK_FALSE(environment_value(entry.variable).has_value());
    const ScopedVariable set(entry.name, "a value, with = and spaces");
    CHECK(environment_value(entry.variable) == "a value, with = and spaces");
  }
}

TEST_CASE("empty means unset, except for ATTUNE_CACHE_DIR, where it means memory only") {
  for (const EnvironmentEntry& entry : environment_table()) {
    INFO(entry.name);
    const ScopedVariable empty(entry.name, "");
    const std::optional<std::string> value = environment_value(entry.variable);
    if (entry.variable == EnvironmentVariable::cache_dir) {
      CHECK(value == "");
    } else {
      CHECK_FALSE(value.has_value());
    }
  }
}

TEST_CASE("docs/tuning.md holds the environment table, word for word") {
  const std::optional<std::string> document =
      read_file(std::filesystem::path(ATTUNE_SOURCE_DIR) / "docs" / "tuning.md");
  REQUIRE(document.has_value());
  for (const EnvironmentEntry& entry : environment_table()) {
    INFO("docs/tuning.md lacks this line: " << documented_row(entry));
    CHECK(occurrences(*document, documented_row(entry) + "\n") == 1);
  }
  CHECK(occurrences(*document, "\n| `ATTUNE_") == environment_table().size());
}
