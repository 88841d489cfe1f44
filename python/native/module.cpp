// The module attune._native: the C API of attune as the package needs it.
#include <dlfcn.h>

#include <utility>

#include "buffer_object.h"
#include "context_object.h"

namespace attune_python {
namespace {

PyObject* version(PyObject*, PyObject*) {
  const int number = attune_version();
  return Py_BuildValue("(iii)", number / 10000, number / 100 % 100, number % 100);
}

PyObject* library_path(PyObject*, PyObject*) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&attune_version), &info) == 0 || !info.dli_fname) Py_RETURN_NONE;
  return PyUnicode_DecodeFSDefault(info.dli_fname);
}

PyMethodDef kFunctions[] = {
    {"version", version, METH_NOARGS, "The loaded library's version, (major, minor, patch)."},
    {"library_path", library_path, METH_NOARGS, "The file that was loaded."},
    {nullptr, nullptr, 0, nullptr}};

bool add_constants(PyObject* module) {
  const std::pair<const char*, long> constants[] = {{"MASK_NONE", ATTUNE_MASK_NONE},
                                                    {"MASK_CAUSAL", ATTUNE_MASK_CAUSAL},
                                                    {"MASK_CAUSAL_TOP_LEFT", ATTUNE_MASK_CAUSAL_TOP_LEFT},
                                                    {"FORWARD", ATTUNE_FORWARD},
                                                    {"BACKWARD", ATTUNE_BACKWARD},
                                                    {"F16", ATTUNE_F16},
                                                    {"BF16", ATTUNE_BF16},
                                                    {"F32", ATTUNE_F32},
                                                    {"F64", ATTUNE_F64},
                                                    {"PLAN_DETERMINISTIC", ATTUNE_PLAN_DETERMINISTIC},
                                                    {"TUNING_OFF", ATTUNE_TUNING_OFF}};
  for (const auto& [name, value] : constants) {
    if (PyModule_AddIntConstant(module, name, value) != 0) return false;
  }
  const Reference statuses(PyDict_New());
  if (!statuses) return false;
#define ATTUNE_ADD_STATUS(name, value, text)                                             \
  {                                                                                      \
    const Reference description(PyUnicode_FromString(text));                             \
    const Reference key(PyLong_FromLong(value));                                         \
    if (!description || !key) return false;                                              \
    if (PyDict_SetItem(statuses.get(), key.get(), description.get()) != 0) return false; \
  }
  ATTUNE_STATUS_MAP(ATTUNE_ADD_STATUS)
#undef ATTUNE_ADD_STATUS
  return PyModule_AddObjectRef(module, "STATUS_TEXTS", statuses.get()) == 0;
}

PyModuleDef kModule = {PyModuleDef_HEAD_INIT,
                       "attune._native",
                       "The C API of attune as the package needs it.",
                       -1,
                       kFunctions,
                       nullptr,
                       nullptr,
                       nullptr,
                       nullptr};

}  // namespace
}  // namespace attune_python

PyMODINIT_FUNC PyInit__native() {
  using namespace attune_python;
  Reference module(PyModule_Create(&kModule));
  if (!module || !add_context_type(module.get()) || !add_buffer_type(module.get()) ||
      !add_constants(module.get()))
    return nullptr;
  return module.release();
}
