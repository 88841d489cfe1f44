// boundary: the catch-all between C++ and C. Every public function runs in one; no exception crosses it.
#pragma once

#include <utility>

#include "attune/attune.h"

namespace attune {

// The message of the last failing call on this thread; never null.
const char* last_error_message() noexcept;

// For the catch block of a boundary: keeps the message of the exception in flight and returns its status.
attune_status report_current_exception();

template <typename Body>
attune_status boundary(Body&& body) {
  try {
    std::forward<Body>(body)();
    return ATTUNE_OK;
  } catch (...) {
    return report_current_exception();
  }
}

}  // namespace attune
