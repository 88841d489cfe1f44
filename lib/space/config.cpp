#include "space/config.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace attune {

int Config::at(std::string_view name) const {
  if (const std::optional<int> value = find(name)) return *value;
  fail(ATTUNE_ERROR_INTERNAL, "config \"{}\" has no parameter {}", to_string(*this), name);
}

std::optional<int> Config::find(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Config::set(std::string_view name, int value) {
  for (auto& [key, old] : values_) {
    if (key == name) {
      old = value;
      return;
    }
  }
  values_.emplace_back(name, value);
}

std::string to_string(const Config& config) {
  std::string text;
  for (const auto& [name, value] : config.values()) {
    if (!text.empty()) text += ' ';
    text += fmt::format("{}={}", name, value);
  }
  return text;
}

std::optional<Config> config_from_string(std::string_view text) {
  constexpr size_t kMaxParameters = 64;
  if (text.ends_with(' ')) return std::nullopt;
  Config config;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = item.substr(0, equals);
    const std::string_view digits = item.substr(equals + 1);
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    if (config.find(name) || config.values().size() == kMaxParameters) return std::nullopt;
    config.set(name, value);
  }
  if (config.empty()) return std::nullopt;
  return config;
}

ConfigSpace::ConfigSpace(std::vector<Parameter> parameters, std::vector<Constraint> constraints)
    : parameters_(std::move(parameters)), constraints_(std::move(constraints)) {}

std::vector<Config> ConfigSpace::enumerate() const {
  std::vector<Config> partial = {Config{}};
  for (const Parameter& parameter : parameters_) {
    std::vector<Config> extended;
    for (const Config& config : partial) {
      for (const int value : parameter.values) {
        extended.push_back(config);
        extended.back().set(parameter.name, value);
      }
    }
    partial = std::move(extended);
  }
  std::erase_if(partial, [&](const Config& config) {
    return !std::all_of(constraints_.begin(), constraints_.end(),
                        [&](const Constraint& c) { return c.holds(config); });
  });
  return partial;
}

std::string ConfigSpace::reject_reason(const Config& config) const {
  if (config.values().size() != parameters_.size()) {
    return fmt::format("{} parameters instead of {}", config.values().size(), parameters_.size());
  }
  for (const Parameter& parameter : parameters_) {
    const std::optional<int> value = config.find(parameter.name);
    if (!value) return fmt::format("parameter {} is missing", parameter.name);
    if (std::find(parameter.values.begin(), parameter.values.end(), *value) == parameter.values.end()) {
      return fmt::format("{} = {} is not one of {}", parameter.name, *value,
                         fmt::join(parameter.values, ", "));
    }
  }
  for (const Constraint& constraint : constraints_) {
    if (!constraint.holds(config)) return fmt::format("{} does not hold", constraint.name);
  }
  return {};
}

}  // namespace attune
