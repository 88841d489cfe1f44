// caught: the Error that a piece of code throws, as a value, so that a test can look at status and message
// together.
#pragma once

#include <ostream>
#include <string>

#include "base/error.h"

namespace attune {

struct Caught {
  Status status = ATTUNE_OK;  // ATTUNE_OK: nothing was thrown
  std::string message;

  bool operator==(const Caught&) const = default;
};

template <typename Body>
Caught caught(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.status(), error.what()};
  }
  return {};
}

// For Catch2's messages.
inline std::ostream& operator<<(std::ostream& stream, const Caught& error) {
  return stream << "status " << static_cast<int>(error.status) << ": " << error.message;
}

}  // namespace attune
