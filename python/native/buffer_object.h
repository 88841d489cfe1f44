// _native.Buffer: memory of a context, for libraries whose arrays nobody else can make. They take it over by
// __dlpack__.
#pragma once

#include "context_object.h"

namespace attune_python {

// Context.buffer(shape, dtype): dense, not initialised.
PyObject* context_buffer(PyObject* self, PyObject* arguments);

// Adds the type to the module. False with an exception set.
bool add_buffer_type(PyObject* module);

}  // namespace attune_python
