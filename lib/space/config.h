// Parameter, Config and ConfigSpace: the tunables of a family, a value for each, and all that is allowed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attune {

struct Parameter {
  std::string name;         // as in the template: "BLOCK_M"
  std::vector<int> values;  // allowed, ascending
  std::string meaning;      // one line
};

// A value for each parameter of a family, in the family's order.
class Config {
 public:
  Config() = default;
  Config(std::initializer_list<std::pair<std::string, int>> values) : values_(values) {}

  // Throws Error (INTERNAL) naming the parameter when it is not there.
  int at(std::string_view name) const;
  std::optional<int> find(std::string_view name) const;
  void set(std::string_view name, int value);
  const std::vector<std::pair<std::string, int>>& values() const { return values_; }
  bool empty() const { return values_.empty(); }

  bool operator==(const Config&) const = default;

 private:
  std::vector<std::pair<std::string, int>> values_;
};

// "BLOCK_M=128 BLOCK_N=64 WARPS=4".
std::string to_string(const Config& config);

// The inverse; nothing when the text is not of that form (database rows are hostile input).
std::optional<Config> config_from_string(std::string_view text);

// A rule between parameters. Returns true when the config may stand; `name` says what is asked for, for
// people.
struct Constraint {
  std::string name;
  std::function<bool(const Config&)> holds;
};

class ConfigSpace {
 public:
  ConfigSpace(std::vector<Parameter> parameters, std::vector<Constraint> constraints);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  // Every combination that meets every constraint, in lexicographic order of parameters and values.
  std::vector<Config> enumerate() const;
  // Empty when `config` gives every parameter an allowed value and meets the constraints; else why not.
  std::string reject_reason(const Config& config) const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Constraint> constraints_;
};

}  // namespace attune
