#include "capi/boundary.h"

#include <cxxabi.h>

#include <new>
#include <string>

#include "base/error.h"

namespace attune {
namespace {

struct LastError {
  std::string text;
  // Takes the text's place when there is not even memory for that.
  const char* fixed = "";
};

LastError& last_error() {
  thread_local LastError error;
  return error;
}

void keep(const char* message) noexcept {
  LastError& error = last_error();
  try {
    error.text = message;
    error.fixed = nullptr;
  } catch (...) {
    error.fixed = "out of host memory, also for the message";
  }
}

}  // namespace

const char* last_error_message() noexcept {
  const LastError& error = last_error();
  return error.fixed ? error.fixed : error.text.c_str();
}

attune_status report_current_exception() {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    // NOTE: a thread that is cancelled, or that exits in the log callback (CPython does that when it shuts
    // down). It unwinds by an exception that must not be stopped.
    throw;
  } catch (const Error& error) {
    keep(error.what());
    return error.status();
  } catch (const std::bad_alloc&) {
    keep("out of host memory");
    return ATTUNE_ERROR_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    keep(error.what());
  } catch (...) {
    keep("an exception of unknown type");
  }
  return ATTUNE_ERROR_INTERNAL;
}

}  // namespace attune
