// Context.forward and Context.backward: from Python's arrays to attune_plan_execute.
#include "context_object.h"
#include "problem_of_arrays.h"

namespace attune_python {
namespace {

// What every call is given after its arrays, in this order.
struct CallTail {
  static constexpr Py_ssize_t kCount = 6;

  CallOptions options;
  PyObject* stream = nullptr;  // an integer, or None: the one the arrays' library works on
  // Called with q and a number of bytes for an array of bytes where q is. None: there is no workspace, which
  // backward wants and forward does without.
  PyObject* allocate = nullptr;
};

int64_t integer_of(PyObject* object) {
  const long long value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred()) throw PythonError();
  return value;
}

bool truth_of(PyObject* object) {
  const int truth = PyObject_IsTrue(object);
  if (truth < 0) throw PythonError();
  return truth != 0;
}

double scale_of(PyObject* object) {
  if (object == Py_None) return 0;  // the library's default
  const double scale = PyFloat_AsDouble(object);
  if (scale == -1 && PyErr_Occurred()) throw PythonError();
  if (scale == 0) raise_invalid("scale = 0 makes all scores equal: the mean of v is cheaper by other means");
  return scale;
}

CallTail tail_of(PyObject* const* arguments) {
  CallTail tail;
  tail.options.mask = static_cast<attune_mask>(integer_of(arguments[0]));
  tail.options.scale = scale_of(arguments[1]);
  tail.options.bshd = truth_of(arguments[2]);
  tail.options.flags = static_cast<uint64_t>(integer_of(arguments[3]));
  tail.stream = arguments[4];
  tail.allocate = arguments[5];
  return tail;
}

void require_count(const char* function, Py_ssize_t count, Py_ssize_t wanted) {
  if (count == wanted) return;
  raise_type(std::string(function) + " takes " + std::to_string(wanted) + " arguments, not " +
             std::to_string(count));
}

void execute(ContextState& state, const Problem& problem, PyObject* q, const CallTail& tail) {
  // Before anything lets another thread in, which might read arrays of another library.
  CUstream_st* stream = tail.stream == Py_None ? state.reader.current_stream(problem.device())
                                               : reinterpret_cast<CUstream_st*>(integer_of(tail.stream));
  const ReadyPlan ready = state.plans.find_or_make(state.context, problem.key());
  Reference workspace;
  void* data = nullptr;
  const bool is_given = tail.allocate != Py_None;
  if (ready.workspace_bytes > 0 && !is_given && problem.key().operation == ATTUNE_BACKWARD) {
    raise_invalid("allocate is None, and a workspace of " + std::to_string(ready.workspace_bytes) +
                  " bytes is wanted");
  }
  if (ready.workspace_bytes > 0 && is_given) {
    const Reference bytes(PyLong_FromSize_t(ready.workspace_bytes));
    workspace.reset(bytes ? PyObject_CallFunctionObjArgs(tail.allocate, q, bytes.get(), nullptr) : nullptr);
    if (!workspace) throw PythonError();
    data = state.reader.read("workspace", workspace.get()).data;
  }
  attune_status status = ATTUNE_OK;
  {
    // The workspace is fresh memory at every call, which serves as it is.
    const WithoutPython unlocked;
    status = attune_plan_execute(ready.plan, &problem.args(), data, data ? ready.workspace_bytes : 0, stream);
  }
  check(status);
}

}  // namespace

// forward(q, k, v, o, lse | None, mask, scale | None, bshd, flags, stream | None, allocate | None)
PyObject* context_forward(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    require_count("Context.forward", count, 5 + CallTail::kCount);
    const ContextUse state(reinterpret_cast<ContextObject*>(self));
    const CallTail tail = tail_of(arguments + 5);
    ArrayReader& reader = state->reader;
    Problem problem(ATTUNE_FORWARD, tail.options, state->device);
    problem.set_inputs(reader.read("q", arguments[0]), reader.read("k", arguments[1]),
                       reader.read("v", arguments[2]));
    problem.set_o(reader.read("o", arguments[3]), true);
    if (arguments[4] != Py_None) problem.set_lse(reader.read("lse", arguments[4]), true);
    execute(*state, problem, arguments[0], tail);
    Py_RETURN_NONE;
  });
}

// backward(dout, dlse | None, q, k, v, o, lse, dq | None, dk | None, dv | None, mask, scale | None, bshd,
// flags, stream | None, allocate | None)
PyObject* context_backward(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    require_count("Context.backward", count, 10 + CallTail::kCount);
    const ContextUse state(reinterpret_cast<ContextObject*>(self));
    const CallTail tail = tail_of(arguments + 10);
    ArrayReader& reader = state->reader;
    Problem problem(ATTUNE_BACKWARD, tail.options, state->device);
    problem.set_inputs(reader.read("q", arguments[2]), reader.read("k", arguments[3]),
                       reader.read("v", arguments[4]));
    problem.set_o(reader.read("o", arguments[5]), false);
    problem.set_lse(reader.read("lse", arguments[6]), false);
    problem.set_dout(reader.read("dout", arguments[0]));
    if (arguments[1] != Py_None) problem.set_dlse(reader.read("dlse", arguments[1]));
    if (arguments[7] != Py_None) problem.set_dq(reader.read("dq", arguments[7]));
    if (arguments[8] != Py_None) problem.set_dk(reader.read("dk", arguments[8]));
    if (arguments[9] != Py_None) problem.set_dv(reader.read("dv", arguments[9]));
    execute(*state, problem, arguments[2], tail);
    Py_RETURN_NONE;
  });
}

}  // namespace attune_python
