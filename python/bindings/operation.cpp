#include "operation.hpp"

#include <new>
#include <utility>

#include "driver_core.hpp"
#include "python_calls.hpp"
#include "waiter.hpp"

namespace tiercel::python {
namespace {

struct Operation {
  PyObject_HEAD enum class State : std::uint8_t { created, waiting, ended };
  PyObject* cache;
  Waiter* waiter;
  std::shared_ptr<Request> request;
  State state;
};

PyTypeObject* operation_type = nullptr;

Operation* as_operation(PyObject* object) { return reinterpret_cast<Operation*>(object); }

void end(Operation* operation) {
  operation->state = Operation::State::ended;
  operation->request.reset();
  // A failure refers, by its traceback, to the load, and that to the waiter: a circle that the collector does not see.
  if (operation->waiter != nullptr) Py_CLEAR(operation->waiter->failure);
  Py_CLEAR(operation->waiter);
}

PySendResult failed(Operation* operation, PyObject** result) {
  end(operation);
  *result = nullptr;
  return PYGEN_ERROR;
}

// The waiter has ended: its outcome as the caller's value.
PySendResult finish(Operation* operation, PyObject** result) {
  Waiter* waiter = operation->waiter;
  if (waiter->state == Waiter::State::cancelled) {
    PyErr_SetNone(names().cancelled_error);
    return failed(operation, result);
  }
  if (waiter->failure != nullptr) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(waiter->failure)), waiter->failure);
    return failed(operation, result);
  }
  const std::shared_ptr<Request> request = operation->request;
  *result = request->finish(*nb::inst_ptr<CacheCore>(operation->cache), std::move(waiter->outcome));
  end(operation);
  return *result != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
}

PySendResult wait(Operation* operation, PyObject** result) {
  if (operation->waiter->state != Waiter::State::pending) return finish(operation, result);
  operation->waiter->blocking = true;
  *result = Py_NewRef(reinterpret_cast<PyObject*>(operation->waiter));
  return PYGEN_NEXT;
}

// Makes sure that there is an engine, and that it is this process' own.
bool has_engine(Operation* operation, CacheCore& core) {
  if (core.alive()) return true;
  const nb::object begun = nb::steal(PyObject_CallMethod(operation->cache, "_begin", nullptr));
  return begun.is_valid();
}

// Makes sure that the engine's owner is a loop that runs.
bool has_owner(CacheCore& core, PyObject* home) {
  if (core.driver->owner.is(home)) return true;
  const nb::object adopted = nb::steal(PyObject_CallMethod(core.driver_object.ptr(), "_adopt", "O", home));
  return adopted.is_valid();
}

PySendResult start(Operation* operation, PyObject* home, PyObject** result) {
  CacheCore* core = nb::inst_ptr<CacheCore>(operation->cache);
  operation->state = Operation::State::waiting;
  if (!has_engine(operation, *core)) return failed(operation, result);
  if (PyObject* answer = operation->request->immediately(*core)) {
    end(operation);
    *result = answer;
    return PYGEN_RETURN;
  }
  if (PyErr_Occurred()) return failed(operation, result);
  nb::object running;
  if (home == nullptr && core->driver->wakes_here()) home = core->driver->owner.ptr();
  if (home == nullptr) {
    running = nb::steal(PyObject_CallNoArgs(names().get_running_loop));
    if (running.is_valid() && running.is_none())
      PyErr_SetString(PyExc_RuntimeError, "no running event loop: await it in one");
    if (!running.is_valid() || running.is_none()) return failed(operation, result);
    home = running.ptr();
  }
  if (!has_owner(*core, home) || !operation->request->before_submit(core->driver_object.ptr()))
    return failed(operation, result);
  operation->waiter = core->driver->submit(operation->request, home);
  return operation->waiter == nullptr ? failed(operation, result) : wait(operation, result);
}

PySendResult send(PyObject* self, PyObject*, PyObject** result) {
  Operation* operation = as_operation(self);
  if (operation->state == Operation::State::waiting) return wait(operation, result);
  if (operation->state == Operation::State::created) return start(operation, nullptr, result);
  PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
  *result = nullptr;
  return PYGEN_ERROR;
}

// PySendResult to what generators' methods return: StopIteration for the value.
PyObject* yielded(PySendResult outcome, PyObject* value) {
  if (outcome != PYGEN_RETURN) return value;
  if (PyTuple_Check(value) || PyExceptionInstance_Check(value)) {  // SetObject would unpack or adopt these
    PyObject* stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop != nullptr) PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
  } else {
    PyErr_SetObject(PyExc_StopIteration, value);
  }
  Py_DECREF(value);
  return nullptr;
}

PyObject* iterate(PyObject* self) {
  PyObject* value = nullptr;
  const PySendResult outcome = send(self, Py_None, &value);
  return yielded(outcome, value);
}

PyObject* send_method(PyObject* self, PyObject* value) {
  if (as_operation(self)->state == Operation::State::created && value != Py_None) {
    return PyErr_Format(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
  }
  return iterate(self);
}

// send(None) with a home of the caller's choice: for threads that wait without a loop.
PyObject* begin_at(PyObject* self, PyObject* home) {
  Operation* operation = as_operation(self);
  if (operation->state != Operation::State::created) return iterate(self);
  PyObject* value = nullptr;
  const PySendResult outcome = start(operation, home, &value);
  return yielded(outcome, value);
}

// What L1 answers without asking anybody, or None; either way the operation has ended.
PyObject* if_immediate(PyObject* self, PyObject*) {
  Operation* operation = as_operation(self);
  CacheCore* core = nb::inst_ptr<CacheCore>(operation->cache);
  if (operation->state != Operation::State::created) return PyErr_Format(PyExc_RuntimeError, "the operation has begun");
  const std::shared_ptr<Request> request = operation->request;
  if (!has_engine(operation, *core)) return nullptr;
  end(operation);
  PyObject* answer = request->immediately(*core);
  return answer != nullptr || PyErr_Occurred() ? answer : Py_NewRef(Py_None);
}

void leave(Operation* operation) {
  if (operation->waiter != nullptr) {
    Waiter* waiter = std::exchange(operation->waiter, nullptr);
    drop_callbacks(waiter);  // nobody is left to be told
    const bool untaken = waiter->state == Waiter::State::done && waiter->request->lasts();
    if (untaken) waiter->driver->cancel_from_here(waiter->id);
    cancel(waiter, nullptr);
    Py_CLEAR(waiter->failure);
    Py_DECREF(waiter);
  }
  end(operation);
}

PyObject* throw_method(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  Operation* operation = as_operation(self);
  if (count < 1 || count > 3) return PyErr_Format(PyExc_TypeError, "throw() takes an exception");
  leave(operation);
  PyObject* type = arguments[0];
  PyObject* value = count > 1 && arguments[1] != Py_None ? arguments[1] : nullptr;
  PyObject* traceback = count > 2 && arguments[2] != Py_None ? arguments[2] : nullptr;
  if (PyExceptionInstance_Check(type)) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(type)), type);
  } else if (PyExceptionClass_Check(type)) {
    PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), Py_XNewRef(traceback));
  } else {
    PyErr_Format(PyExc_TypeError, "exceptions must derive from BaseException, not %.100s", Py_TYPE(type)->tp_name);
  }
  return nullptr;
}

PyObject* close_method(PyObject* self, PyObject*) {
  leave(as_operation(self));
  Py_RETURN_NONE;
}

PyObject* itself(PyObject* self) { return Py_NewRef(self); }

PyObject* repr(PyObject* self) {
  Operation* operation = as_operation(self);
  return PyUnicode_FromFormat("<tiercel %s at %p>", operation->request ? operation->request->name() : "operation",
                              self);
}

PyObject* get_name(PyObject* self, void*) {
  Operation* operation = as_operation(self);
  return PyUnicode_FromFormat("Cache.%s", operation->request ? operation->request->name() : "operation");
}
PyObject* get_running(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* get_frame(PyObject*, void*) { Py_RETURN_NONE; }  // what Task.print_stack looks for
PyObject* get_await(PyObject* self, void*) {
  Operation* operation = as_operation(self);
  return Py_NewRef(operation->waiter != nullptr ? reinterpret_cast<PyObject*>(operation->waiter) : Py_None);
}

void finalize(PyObject* self) {
  Operation* operation = as_operation(self);
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (operation->state == Operation::State::created &&
      PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine 'Cache.%s' was never awaited", operation->request->name()) !=
          0) {
    PyErr_WriteUnraisable(self);
  }
  if (operation->state == Operation::State::waiting) leave(operation);
  PyErr_Restore(type, value, traceback);
}

void dealloc(PyObject* self) {
  Operation* operation = as_operation(self);
  if (operation->state != Operation::State::ended && PyObject_CallFinalizerFromDealloc(self) != 0) return;
  operation->request.~shared_ptr();
  Py_CLEAR(operation->waiter);
  Py_CLEAR(operation->cache);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"send", send_method, METH_O, nullptr},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(throw_method)), METH_FASTCALL, nullptr},
    {"close", close_method, METH_NOARGS, nullptr},
    {"_begin_at", begin_at, METH_O, nullptr},
    {"_if_immediate", if_immediate, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef properties[] = {
    {"__name__", get_name, nullptr, nullptr, nullptr},      {"__qualname__", get_name, nullptr, nullptr, nullptr},
    {"cr_running", get_running, nullptr, nullptr, nullptr}, {"cr_frame", get_frame, nullptr, nullptr, nullptr},
    {"cr_code", get_frame, nullptr, nullptr, nullptr},      {"cr_await", get_await, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
                       {Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_iternext, reinterpret_cast<void*>(iterate)},
                       {Py_am_await, reinterpret_cast<void*>(itself)},
                       {Py_am_send, reinterpret_cast<void*>(send)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, properties},
                       {0, nullptr}};
PyType_Spec spec = {"tiercel._core.Operation", sizeof(Operation), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

bool make_operation_type(PyObject* module) {
  operation_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (operation_type == nullptr ||
      PyModule_AddObjectRef(module, "Operation", reinterpret_cast<PyObject*>(operation_type)) != 0)
    return false;
  nb::object coroutine = nb::steal(PyImport_ImportModule("collections.abc"));
  if (coroutine.is_valid()) coroutine = nb::steal(PyObject_GetAttrString(coroutine.ptr(), "Coroutine"));
  if (coroutine.is_valid())
    coroutine = nb::steal(PyObject_CallMethod(coroutine.ptr(), "register", "O", operation_type));
  return coroutine.is_valid();
}

PyObject* make_operation(PyObject* cache, std::shared_ptr<Request> request) {
  Operation* operation = PyObject_New(Operation, operation_type);
  if (operation == nullptr) return nullptr;
  operation->cache = Py_NewRef(cache);
  operation->waiter = nullptr;
  new (&operation->request) std::shared_ptr<Request>(std::move(request));
  operation->state = Operation::State::created;
  return reinterpret_cast<PyObject*>(operation);
}

}  // namespace tiercel::python
