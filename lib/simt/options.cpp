#include "simt/options.h"

#include <charconv>

#include "base/error.h"

namespace attune::simt {
namespace {

template <typename T>
T parse_number(std::string_view item, std::string_view value, T least, T most) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  if (!whole || !(number >= least && number <= most)) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "ATTUNE_SIMT: '{}': '{}' is not a number from {} to {}", item, value,
         least, most);
  }
  return number;
}

void parse_item(std::string_view item, SimtOptions& options) {
  const size_t equals = item.find('=');
  const std::string_view name = item.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
  if (name == "threads") {
    options.threads = parse_number<int>(item, value, 1, 1024);
  } else if (name == "seed") {
    options.seed = parse_number<uint64_t>(item, value, 0, UINT64_MAX);
  } else if (name == "limit") {
    options.limit_seconds = parse_number<double>(item, value, 0.001, 1e9);
  } else if (name == "cxx" && !value.empty()) {
    options.cxx = value;
  } else {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT,
         "ATTUNE_SIMT: '{}' is not one of threads=N, seed=N, limit=SECONDS, cxx=PATH", item);
  }
}

}  // namespace

SimtOptions parse_options(std::string_view text) {
  SimtOptions options;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    parse_item(text.substr(0, comma), options);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return options;
}

}  // namespace attune::simt
