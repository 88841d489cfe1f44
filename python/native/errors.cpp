#include "errors.h"

#include "python.h"

namespace attune_python {
namespace {

// The classes live in Python, where they can be documented; `make` is a function of attune/_errors.py.
[[noreturn]] void raise_made(const char* make, int status, const std::string& message) {
  const Reference module(PyImport_ImportModule("attune._errors"));
  if (!module) throw PythonError();
  const Reference error(PyObject_CallMethod(module.get(), make, "is", status, message.c_str()));
  if (!error) throw PythonError();
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
  throw PythonError();
}

}  // namespace

void raise_status(attune_status status, const std::string& message) {
  raise_made("error_of_status", status, message);
}

void raise_invalid(const std::string& message) {
  raise_made("error_of_status", ATTUNE_ERROR_INVALID_ARGUMENT, message);
}

void raise_type(const std::string& message) {
  raise_made("error_of_type", ATTUNE_ERROR_INVALID_ARGUMENT, message);
}

}  // namespace attune_python
