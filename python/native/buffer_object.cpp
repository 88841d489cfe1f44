#include "buffer_object.h"

#include <memory>
#include <vector>

namespace attune_python {
namespace {

// The memory, shared by the Buffer and all that took it over.
struct Memory {
  Memory(ContextObject* owner, size_t bytes) : owner(owner) {
    check(attune_memory_allocate(&data, owner->state->context, bytes));
    Py_INCREF(reinterpret_cast<PyObject*>(owner));
  }
  ~Memory() {
    // After close() the context cannot be asked, and its memory is gone with the process.
    if (owner->state->context) {
      // close() is kept out while a call is counted. Freeing waits for the device, whose work may itself wait
      // for Python.
      const ContextUse use(owner);
      const WithoutPython unlocked;
      attune_memory_free(use->context, data);
    }
    Py_DECREF(reinterpret_cast<PyObject*>(owner));
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  ContextObject* owner;
  void* data = nullptr;
};

struct BufferState {
  std::shared_ptr<Memory> memory;
  std::vector<int64_t> shape, strides;
  dlpack::DataType dtype;
};

struct BufferObject {
  PyObject_HEAD BufferState* state;
};

BufferState& state_of(PyObject* self) {
  return *reinterpret_cast<BufferObject*>(self)->state;
}

struct Exported {
  dlpack::ManagedTensor managed{};
  BufferState state;
};

// Consumers may let go on any thread, without Python's lock.
void delete_exported(dlpack::ManagedTensor* managed) {
  if (!Py_IsInitialized()) return;  // at exit a library may outlive the interpreter; the process frees all
  const PyGILState_STATE lock = PyGILState_Ensure();
  delete static_cast<Exported*>(managed->context);
  PyGILState_Release(lock);
}

// A capsule that was taken over has another name by then.
void destroy_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, "dltensor")) return;
  auto* managed = static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
  managed->deleter(managed);
}

PyObject* buffer_dlpack(PyObject* self, PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    auto exported = std::make_unique<Exported>(Exported{.state = state_of(self)});
    BufferState& state = exported->state;
    exported->managed = {.tensor = {.data = state.memory->data,
                                    .device = state.memory->owner->state->device,
                                    .ndim = static_cast<int32_t>(state.shape.size()),
                                    .dtype = state.dtype,
                                    .shape = state.shape.data(),
                                    .strides = state.strides.data(),
                                    .byte_offset = 0},
                         .context = exported.get(),
                         .deleter = delete_exported};
    PyObject* capsule = PyCapsule_New(&exported->managed, "dltensor", destroy_capsule);
    if (capsule) exported.release();
    return capsule;
  });
}

PyObject* buffer_dlpack_device(PyObject* self, PyObject*) {
  const dlpack::Device device = state_of(self).memory->owner->state->device;
  return Py_BuildValue("(ii)", static_cast<int>(device.type), static_cast<int>(device.id));
}

void buffer_dealloc(PyObject* self) {
  delete reinterpret_cast<BufferObject*>(self)->state;
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(reinterpret_cast<PyObject*>(type));
}

PyMethodDef kMethods[] = {
    {"__dlpack__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(buffer_dlpack)),
     METH_VARARGS | METH_KEYWORDS, "The memory as a DLPack capsule; the work on it is done."},
    {"__dlpack_device__", buffer_dlpack_device, METH_NOARGS, "DLPack's device type and number."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot kSlots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(buffer_dealloc)},
                        {Py_tp_methods, kMethods},
                        {Py_tp_doc, const_cast<char*>("Memory of a context.")},
                        {0, nullptr}};

PyType_Spec kSpec = {"attune._native.Buffer", sizeof(BufferObject), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, kSlots};

dlpack::DataType dlpack_dtype(int dtype) {
  switch (dtype) {
    case ATTUNE_F16:
      return {dlpack::kFloat, 16, 1};
    case ATTUNE_BF16:
      return {dlpack::kBfloat, 16, 1};
    case ATTUNE_F32:
      return {dlpack::kFloat, 32, 1};
    case ATTUNE_F64:
      return {dlpack::kFloat, 64, 1};
    default:
      raise_invalid("dtype " + std::to_string(dtype) + " is unknown");
  }
}

std::vector<int64_t> shape_of(PyObject* tuple) {
  std::vector<int64_t> shape;
  for (Py_ssize_t axis = 0; axis < PyTuple_Size(tuple); ++axis) {
    shape.push_back(PyLong_AsLongLong(PyTuple_GetItem(tuple, axis)));
    if (PyErr_Occurred()) throw PythonError();
  }
  return shape;
}

}  // namespace

PyObject* context_buffer(PyObject* self, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject* tuple = nullptr;
    int dtype = 0;
    if (!PyArg_ParseTuple(arguments, "O!i:buffer", &PyTuple_Type, &tuple, &dtype)) return nullptr;
    auto* owner = reinterpret_cast<ContextObject*>(self);
    const ContextUse use(owner);
    auto state = std::make_unique<BufferState>(BufferState{
        .memory = nullptr, .shape = shape_of(tuple), .strides = {}, .dtype = dlpack_dtype(dtype)});
    state->strides.resize(state->shape.size());
    int64_t elements = 1;
    for (size_t axis = state->shape.size(); axis-- > 0;) {
      state->strides[axis] = elements;
      elements *= state->shape[axis];
    }
    state->memory = std::make_shared<Memory>(owner, static_cast<size_t>(elements) * (state->dtype.bits / 8));
    const Reference module(PyImport_ImportModule("attune._native"));
    const Reference type(module ? PyObject_GetAttrString(module.get(), "Buffer") : nullptr);
    if (!type) return nullptr;
    auto* type_object = reinterpret_cast<PyTypeObject*>(type.get());
    PyObject* buffer = reinterpret_cast<allocfunc>(PyType_GetSlot(type_object, Py_tp_alloc))(type_object, 0);
    if (buffer) reinterpret_cast<BufferObject*>(buffer)->state = state.release();
    return buffer;
  });
}

bool add_buffer_type(PyObject* module) {
  const Reference type(PyType_FromSpec(&kSpec));
  return type && PyModule_AddObjectRef(module, "Buffer", type.get()) == 0;
}

}  // namespace attune_python
