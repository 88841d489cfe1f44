#include "array_view.h"

#include <algorithm>
#include <utility>

#include "errors.h"

namespace attune_python {
namespace {

constexpr const char* kApiCapsule = "dlpack_exchange_api";

std::string kind_of(const dlpack::DataType& dtype) {
  switch (dtype.code) {
    case 0:
      return "int";
    case 1:
      return "uint";
    case dlpack::kFloat:
      return "float";
    case dlpack::kBfloat:
      return "bfloat";
    case 5:
      return "complex";
    case 6:
      return "bool";
    default:
      return "dtype code " + std::to_string(dtype.code) + " of bits ";
  }
}

ArrayView view_of(const char* name, const dlpack::Tensor& tensor) {
  ArrayView view{.name = name, .device = tensor.device, .dtype = tensor.dtype, .ndim = tensor.ndim};
  if (tensor.ndim > 4)
    raise_invalid(std::string(name) + " has " + std::to_string(tensor.ndim) + " dimensions; 4 are wanted");
  view.data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  std::copy_n(tensor.shape, tensor.ndim, view.shape.begin());
  if (tensor.strides) {
    std::copy_n(tensor.strides, tensor.ndim, view.stride.begin());
    return view;
  }
  int64_t stride = 1;
  for (int axis = tensor.ndim - 1; axis >= 0; --axis) {
    view.stride[static_cast<size_t>(axis)] = stride;
    stride *= view.shape[static_cast<size_t>(axis)];
  }
  return view;
}

ArrayView view_of_capsule(const char* name, PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
    const auto* managed =
        static_cast<dlpack::VersionedTensor*>(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
    if (managed->version.major != 1) {
      raise_type(std::string(name) + ": its library speaks DLPack " + std::to_string(managed->version.major) +
                 ", and attune version 1");
    }
    ArrayView view = view_of(name, managed->tensor);
    view.read_only = (managed->flags & dlpack::kReadOnly) != 0;
    return view;
  }
  const auto* managed = static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
  if (!managed) throw PythonError();
  return view_of(name, managed->tensor);
}

}  // namespace

std::string ArrayView::device_name() const {
  switch (device.type) {
    case dlpack::kCpu:
    case dlpack::kCudaHost:
      return "cpu";
    case dlpack::kCuda:
      return "cuda:" + std::to_string(device.id);
    default:
      return "DLPack device type " + std::to_string(device.type);
  }
}

std::string ArrayView::dtype_name() const {
  return kind_of(dtype) + std::to_string(dtype.bits);
}

std::string ArrayView::shape_text() const {
  std::string text;
  for (int axis = 0; axis < ndim; ++axis)
    text += (axis > 0 ? ", " : "") + std::to_string(shape[static_cast<size_t>(axis)]);
  return "(" + text + ")";
}

namespace {

// The functions of an array's type; null when it has none that serve.
const dlpack::ExchangeApi* exchange_api_of(PyTypeObject* type) {
  const Reference capsule(
      PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__dlpack_c_exchange_api__"));
  if (!capsule) {
    PyErr_Clear();
    return nullptr;
  }
  if (!PyCapsule_IsValid(capsule.get(), kApiCapsule)) return nullptr;
  const auto* api = static_cast<dlpack::ExchangeApi*>(PyCapsule_GetPointer(capsule.get(), kApiCapsule));
  return api->version.major == 1 && api->tensor_from_object && api->current_stream ? api : nullptr;
}

}  // namespace

// NOTE: looking an attribute up may let another thread in, so both members change together, afterwards.
void ArrayReader::learn_type(PyTypeObject* type) {
  const dlpack::ExchangeApi* api = exchange_api_of(type);
  Py_INCREF(reinterpret_cast<PyObject*>(type));
  PyTypeObject* before = std::exchange(type_, type);
  api_ = api;
  Py_XDECREF(reinterpret_cast<PyObject*>(before));
}

ArrayView ArrayReader::read(const char* name, PyObject* object) {
  if (PyCapsule_CheckExact(object)) return view_of_capsule(name, object);
  if (Py_TYPE(object) != type_) learn_type(Py_TYPE(object));
  if (!api_) {
    const Reference type_name(PyObject_Str(reinterpret_cast<PyObject*>(Py_TYPE(object))));
    const char* text = type_name ? PyUnicode_AsUTF8AndSize(type_name.get(), nullptr) : nullptr;
    raise_type(std::string(name) + " is of " + (text ? text : "a type") +
               ", not an array that can be looked into");
  }
  dlpack::Tensor tensor{};
  if (api_->tensor_from_object(object, &tensor) != 0) throw PythonError();
  return view_of(name, tensor);
}

CUstream_st* ArrayReader::current_stream(dlpack::Device device) const {
  if (!api_ || device.type != dlpack::kCuda) return nullptr;
  void* stream = nullptr;
  if (api_->current_stream(device.type, device.id, &stream) != 0) throw PythonError();
  return static_cast<CUstream_st*>(stream);
}

attune_dtype library_dtype(const ArrayView& view) {
  if (view.dtype.lanes == 1 && view.dtype.code == dlpack::kBfloat && view.dtype.bits == 16)
    return ATTUNE_BF16;
  if (view.dtype.lanes == 1 && view.dtype.code == dlpack::kFloat) {
    if (view.dtype.bits == 16) return ATTUNE_F16;
    if (view.dtype.bits == 32) return ATTUNE_F32;
    if (view.dtype.bits == 64) return ATTUNE_F64;
  }
  raise_type(std::string(view.name) + " is of " + view.dtype_name() +
             "; attention takes float16, bfloat16, float32 and float64");
}

}  // namespace attune_python
