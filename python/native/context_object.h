// _native.Context: a context of the library with its plans, as a Python object.
#pragma once

#include <exception>

#include "array_view.h"
#include "attune/attune.h"
#include "errors.h"
#include "plan_table.h"
#include "python.h"

namespace attune_python {

struct ContextState {
  attune_context_t context = nullptr;
  dlpack::Device device{};  // where its arrays lie
  PlanTable plans;
  ArrayReader reader;
  int calls_in_flight = 0;  // close() must not take the context from under them
};

struct ContextObject {
  PyObject_HEAD ContextState* state;
};

// The state of an open context, counted as in use. Throws PythonError when it is closed.
class ContextUse {
 public:
  explicit ContextUse(ContextObject* object);
  ~ContextUse() { --state_.calls_in_flight; }
  ContextUse(const ContextUse&) = delete;
  ContextUse& operator=(const ContextUse&) = delete;

  ContextState* operator->() const { return &state_; }
  ContextState& operator*() const { return state_; }

 private:
  ContextState& state_;
};

// Its methods forward() and backward(), in execution.cpp; called with positional arguments only, for speed.
PyObject* context_forward(PyObject* self, PyObject* const* arguments, Py_ssize_t count);
PyObject* context_backward(PyObject* self, PyObject* const* arguments, Py_ssize_t count);

// Adds the type to the module. False with an exception set.
bool add_context_type(PyObject* module);

// Runs `body`, turning PythonError and C++ exceptions into the NULL that Python expects.
template <typename Body>
PyObject* guarded(Body&& body) {
  try {
    return body();
  } catch (const PythonError&) {
    return nullptr;
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());  // the only other thing that is thrown here
    return nullptr;
  }
}

}  // namespace attune_python
