// Python's stable ABI, so that one extension serves every Python from 3.10 on, and handles that clean up.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <memory>

namespace attune_python {

struct DropReference {
  void operator()(PyObject* object) const { Py_DECREF(object); }
};
// A reference that is ours.
using Reference = std::unique_ptr<PyObject, DropReference>;

// Lets other threads run Python while the library works.
class WithoutPython {
 public:
  WithoutPython() : state_(PyEval_SaveThread()) {}
  ~WithoutPython() { PyEval_RestoreThread(state_); }
  WithoutPython(const WithoutPython&) = delete;
  WithoutPython& operator=(const WithoutPython&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace attune_python
