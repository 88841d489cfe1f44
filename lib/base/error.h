// The one exception type of the library, and the C++ name of the public statuses.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "attune/attune.h"

namespace attune {

using Status = attune_status;

// Thrown for what a caller must hear of; outcomes that are expected are values instead. `capi` turns it into
// its status.
class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}

  Status status() const { return status_; }

 private:
  Status status_;
};

// Throws an Error whose message is formatted: say the reason and the numbers.
template <typename... Args>
[[noreturn]] void fail(Status status, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(status, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace attune
