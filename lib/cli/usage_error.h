// UsageError: the arguments are wrong, as opposed to the work having failed. Programs end with exit code 2.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace attune {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws a UsageError whose message is formatted: say what was given and what may be.
template <typename... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace attune
