// ArrayView: where an array lies and how, read from whatever Python object it is. It borrows.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "attune/attune.h"
#include "dlpack_abi.h"
#include "python.h"

namespace attune_python {

struct ArrayView {
  const char* name = "";  // of the argument, for messages
  void* data = nullptr;
  dlpack::Device device{};
  dlpack::DataType dtype{};
  int ndim = 0;
  std::array<int64_t, 4> shape{};
  std::array<int64_t, 4> stride{};  // in elements
  bool read_only = false;

  // "cuda:0", "cpu".
  std::string device_name() const;
  std::string dtype_name() const;
  std::string shape_text() const;
};

// Reads arrays. Remembers the last type, since all arrays of a call tend to be of one.
class ArrayReader {
 public:
  ~ArrayReader() { Py_XDECREF(reinterpret_cast<PyObject*>(type_)); }

  // `object` is a DLPack capsule, or of a type with __dlpack_c_exchange_api__. The view lives as long as the
  // object. Throws PythonError.
  ArrayView read(const char* name, PyObject* object);

  // The stream that the library of the last arrays works on; CUDA's default one when it does not say.
  CUstream_st* current_stream(dlpack::Device device) const;

 private:
  void learn_type(PyTypeObject* type);

  PyTypeObject* type_ = nullptr;
  const dlpack::ExchangeApi* api_ = nullptr;
};

// The dtype as the library names it. Throws PythonError (TypeError) for others.
attune_dtype library_dtype(const ArrayView& view);

}  // namespace attune_python
