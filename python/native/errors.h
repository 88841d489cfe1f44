// PythonError: what is thrown inside the extension while a Python exception is set, or is to be.
#pragma once

#include <string>

#include "attune/attune.h"

namespace attune_python {

// A Python exception is set already: unwind to the interpreter.
struct PythonError {};

// Sets the exception of attune/_errors.py that belongs to the status, and throws.
[[noreturn]] void raise_status(attune_status status, const std::string& message);
// The same for what the extension finds wrong itself: ValueError and TypeError, both attune.Error.
[[noreturn]] void raise_invalid(const std::string& message);
[[noreturn]] void raise_type(const std::string& message);

// Throws what a call of the library reported, with the library's message.
inline void check(attune_status status) {
  if (status != ATTUNE_OK) raise_status(status, attune_last_error_message());
}

}  // namespace attune_python
