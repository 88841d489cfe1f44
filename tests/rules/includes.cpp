#include "rules/includes.h"

#include <regex>

namespace attune::rules {
namespace {

// Only these may know which machines there are; all others go through backend/ and compile/.
bool may_name_machines(std::string_view room) {
  return room == "capi" || room == "tuner" || room == "tools";
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Ranks parse_ranks(std::string_view text) {
  Ranks ranks;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::size_t comma = text.find(',');
    ranks.emplace(text.substr(0, colon), std::stoi(std::string(text.substr(colon + 1, comma - colon - 1))));
    text.remove_prefix(comma + 1);
  }
  return ranks;
}

std::string room_of(std::string_view path) {
  if (path.starts_with("lib/")) path.remove_prefix(4);
  const std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

std::string included_path(std::string_view line) {
  static const std::regex pattern(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  std::match_results<std::string_view::const_iterator> match;
  return std::regex_search(line.begin(), line.end(), match, pattern) ? match[1].str() : "";
}

std::string include_offence(const Ranks& ranks, std::string_view file_path, std::string_view included) {
  const std::string room = room_of(file_path);
  const std::string_view name = file_name(included);
  const bool is_cuda_source = file_path.starts_with("lib/cuda/") && file_path.ends_with(".cpp");
  if ((name == "cuda.h" || name == "nvrtc.h") && !is_cuda_source) {
    return std::string(name) + " is for lib/cuda/*.cpp only";
  }
  const std::string other = room_of(included);
  const auto from = ranks.find(room);
  const auto to = ranks.find(other);
  if (from == ranks.end() || to == ranks.end() || room == other) return "";
  if (to->second >= from->second) {
    return room + " (rank " + std::to_string(from->second) + ") includes " + other + " (rank " +
           std::to_string(to->second) + "): only lower ranks";
  }
  if ((other == "simt" || other == "cuda") && !may_name_machines(room)) {
    return room + " includes " + other + ": only capi, tuner and tools name a machine";
  }
  return "";
}

}  // namespace attune::rules
