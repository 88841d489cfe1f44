#include "context_object.h"

#include <memory>
#include <string>
#include <utility>

#include "buffer_object.h"

namespace attune_python {

ContextUse::ContextUse(ContextObject* object) : state_(*object->state) {
  if (!state_.context) raise_status(ATTUNE_ERROR_CONTEXT_LOST, "this context of attune was closed");
  ++state_.calls_in_flight;
}

namespace {

ContextObject* as_context(PyObject* self) {
  return reinterpret_cast<ContextObject*>(self);
}

// The device that DLPack calls by these numbers.
dlpack::Device device_of(const std::string& backend, const std::string& wanted) {
  if (backend != "cuda") return {dlpack::kCpu, 0};
  const size_t colon = wanted.find(':');
  return {dlpack::kCuda, colon == std::string::npos ? 0 : std::stoi(wanted.substr(colon + 1))};
}

attune_device_info info_of(attune_context_t context) {
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  check(attune_context_get_device_info(&info, context));
  return info;
}

void close(ContextState& state) {
  state.plans.clear();
  attune_context_destroy(std::exchange(state.context, nullptr));
}

struct CloseAndDelete {
  void operator()(ContextState* state) const {
    close(*state);
    delete state;
  }
};

PyObject* context_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    static const char* const kNames[] = {"device",         "cache_dir", "nvrtc", "tuning",
                                         "tuning_seconds", "check",     nullptr};
    const char *device = nullptr, *cache_dir = nullptr, *nvrtc = nullptr;
    int tuning = ATTUNE_TUNING_DEFAULT, checked = 0;
    double seconds = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|zzidp:Context", const_cast<char**>(kNames),
                                     &device, &cache_dir, &nvrtc, &tuning, &seconds, &checked))
      return nullptr;
    attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
    options.device = device;
    options.cache_dir = cache_dir;
    options.nvrtc_path = nvrtc;
    options.tuning = static_cast<attune_tuning>(tuning);
    options.tuning_seconds = seconds;
    options.check = checked;
    std::unique_ptr<ContextState, CloseAndDelete> state(new ContextState);
    attune_status status = ATTUNE_OK;
    {
      const WithoutPython unlocked;
      status = attune_context_create(&state->context, &options);
    }
    check(status);
    state->device = device_of(info_of(state->context).backend, device);
    const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
    PyObject* self = allocate(type, 0);
    if (!self) return nullptr;
    as_context(self)->state = state.release();
    return self;
  });
}

// NOTE: what was not closed is left to the end of the process. Kernels may still be at work, CUDA graphs may
// hold them, and when an interpreter ends the driver may be gone before its contexts.
void context_dealloc(PyObject* self) {
  if (as_context(self)->state && !as_context(self)->state->context) delete as_context(self)->state;
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(reinterpret_cast<PyObject*>(type));
}

PyObject* context_close(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    ContextState& state = *as_context(self)->state;
    if (state.calls_in_flight > 0)
      raise_status(ATTUNE_ERROR_INVALID_ARGUMENT,
                   "the context is in use by another thread and cannot be closed");
    if (state.context) close(state);
    Py_RETURN_NONE;
  });
}

PyObject* context_device_info(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const ContextUse state(as_context(self));
    const attune_device_info info = info_of(state->context);
    return Py_BuildValue("{s:s,s:s,s:s,s:i,s:L,s:L}", "backend", info.backend, "name", info.name, "arch",
                         info.arch, "multiprocessors", static_cast<int>(info.multiprocessors),
                         "shared_memory_per_block", static_cast<long long>(info.shared_memory_per_block),
                         "global_memory", static_cast<long long>(info.global_memory));
  });
}

PyObject* describe(const ReadyPlan& ready) {
  attune_match match = ATTUNE_MATCH_DEFAULT;
  const char* config = nullptr;
  uint64_t fingerprint = 0;
  check(attune_plan_get_match(ready.plan, &match));
  check(attune_plan_get_config(ready.plan, &config));
  check(attune_plan_get_fingerprint(ready.plan, &fingerprint));
  const PlanKey& key = ready.key;
  return Py_BuildValue(
      "{s:i,s:i,s:i,s:K,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:i,s:s,s:K,s:n}", "operation",
      static_cast<int>(key.operation), "dtype", static_cast<int>(key.dtype), "mask",
      static_cast<int>(key.mask), "flags", static_cast<unsigned long long>(key.flags), "heads_q",
      static_cast<long long>(key.heads_q), "heads_kv", static_cast<long long>(key.heads_kv), "head_dim",
      static_cast<long long>(key.head_dim), "head_dim_v", static_cast<long long>(key.head_dim_v), "max_batch",
      static_cast<long long>(key.batch), "max_seqlen_q", static_cast<long long>(key.seqlen_q),
      "max_seqlen_kv", static_cast<long long>(key.seqlen_kv), "match", static_cast<int>(match), "config",
      config, "fingerprint", static_cast<unsigned long long>(fingerprint), "workspace_bytes",
      static_cast<Py_ssize_t>(ready.workspace_bytes));
}

PyObject* context_plans(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const ContextUse state(as_context(self));
    Reference list(PyList_New(0));
    if (!list) return nullptr;
    for (const ReadyPlan& ready : state->plans.all()) {
      const Reference description(describe(ready));
      if (!description || PyList_Append(list.get(), description.get()) != 0) return nullptr;
    }
    return list.release();
  });
}

PyObject* context_tune(PyObject* self, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    static const char* const kNames[] = {
        "operation",  "dtype",     "mask",         "flags",         "heads_q", "heads_kv", "head_dim",
        "head_dim_v", "max_batch", "max_seqlen_q", "max_seqlen_kv", "seconds", "force",    nullptr};
    int operation = 0, dtype = 0, mask = 0, force = 0;
    unsigned long long flags = 0;
    long long heads_q = 0, heads_kv = 0, head_dim = 0, head_dim_v = 0, batch = 0, seqlen_q = 0, seqlen_kv = 0;
    double seconds = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "$iiiKLLLLLLLdp:tune", const_cast<char**>(kNames),
                                     &operation, &dtype, &mask, &flags, &heads_q, &heads_kv, &head_dim,
                                     &head_dim_v, &batch, &seqlen_q, &seqlen_kv, &seconds, &force))
      return nullptr;
    const ContextUse state(as_context(self));
    const attune_attention_desc desc =
        desc_of(rounded_up({.operation = static_cast<attune_operation>(operation),
                            .dtype = static_cast<attune_dtype>(dtype),
                            .mask = static_cast<attune_mask>(mask),
                            .flags = flags,
                            .heads_q = heads_q,
                            .heads_kv = heads_kv,
                            .head_dim = head_dim,
                            .head_dim_v = head_dim_v,
                            .batch = batch,
                            .seqlen_q = seqlen_q,
                            .seqlen_kv = seqlen_kv}));
    attune_tune_options options = ATTUNE_TUNE_OPTIONS_INIT;
    options.seconds = seconds;
    options.force = force;
    attune_status status = ATTUNE_OK;
    {
      const WithoutPython unlocked;
      status = attune_context_tune(state->context, &desc, &options);
    }
    check(status);
    Py_RETURN_NONE;
  });
}

PyObject* context_synchronize(PyObject* self, PyObject* stream) {
  return guarded([&]() -> PyObject* {
    const ContextUse state(as_context(self));
    const unsigned long long value = PyLong_AsUnsignedLongLong(stream);
    if (PyErr_Occurred()) throw PythonError();
    attune_status status = ATTUNE_OK;
    {
      const WithoutPython unlocked;
      status = attune_stream_synchronize(state->context, reinterpret_cast<CUstream_st*>(value));
    }
    check(status);
    Py_RETURN_NONE;
  });
}

PyObject* context_closed(PyObject* self, void*) {
  return PyBool_FromLong(as_context(self)->state->context == nullptr);
}

PyMethodDef kMethods[] = {
    {"forward", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(context_forward)), METH_FASTCALL,
     "forward(q, k, v, o, lse, mask, scale, bshd, flags, stream, allocate): attention into o and lse."},
    {"backward", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(context_backward)), METH_FASTCALL,
     "backward(dout, dlse, q, k, v, o, lse, dq, dk, dv, mask, scale, bshd, flags, stream, allocate): "
     "gradients."},
    {"tune", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(context_tune)),
     METH_VARARGS | METH_KEYWORDS, "Tunes for the class of problems of a description."},
    {"buffer", context_buffer, METH_VARARGS, "buffer(shape, dtype): memory of the context."},
    {"synchronize", context_synchronize, METH_O, "Waits for a stream's work."},
    {"plans", context_plans, METH_NOARGS, "The plans made so far, each as a dict."},
    {"device_info", context_device_info, METH_NOARGS, "What the context runs on, as a dict."},
    {"close", context_close, METH_NOARGS, "Destroys the plans and the context; later calls raise."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef kProperties[] = {{"closed", context_closed, nullptr, "Whether close() was called.", nullptr},
                             {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot kSlots[] = {
    {Py_tp_new, reinterpret_cast<void*>(context_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(context_dealloc)},
    {Py_tp_methods, kMethods},
    {Py_tp_getset, kProperties},
    {Py_tp_doc, const_cast<char*>("Context(device, ...): a context of the library, and its plans.")},
    {0, nullptr}};

PyType_Spec kSpec = {"attune._native.Context", sizeof(ContextObject), 0, Py_TPFLAGS_DEFAULT, kSlots};

}  // namespace

bool add_context_type(PyObject* module) {
  const Reference type(PyType_FromSpec(&kSpec));
  return type && PyModule_AddObjectRef(module, "Context", type.get()) == 0;
}

}  // namespace attune_python
