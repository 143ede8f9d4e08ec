#include "waiter.hpp"

#include <new>

#include "driver_core.hpp"
#include "python_calls.hpp"

namespace tiercel::python {
namespace {

PyTypeObject* waiter_type = nullptr;

Waiter* as_waiter(PyObject* object) { return reinterpret_cast<Waiter*>(object); }
PyObject* as_object(Waiter* waiter) { return reinterpret_cast<PyObject*>(waiter); }

// Tells one callback through the loop. A closed loop has nobody left to tell.
void schedule(Waiter* waiter, PyObject* callback, PyObject* context) {
  const bool here = waiter->driver->owner.is(waiter->home);
  PyObject* arguments[] = {waiter->home, callback, as_object(waiter), context};
  const bool has_context = context != nullptr;
  PyObject* done = PyObject_VectorcallMethod(here ? names().call_soon : names().call_soon_threadsafe, arguments, 3,
                                             has_context ? names().context_keyword : nullptr);
  if (done == nullptr) PyErr_Clear();
  Py_XDECREF(done);
}

void failed_callback(Waiter* waiter, PyObject* callback) {
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) || PyErr_ExceptionMatches(PyExc_SystemExit)) {
    return waiter->driver->interrupt();
  }
  PyErr_WriteUnraisable(callback);
}

// Runs one callback as the loop's Handle would: in its context, errors to the loop's handler.
void run(Waiter* waiter, PyObject* callback, PyObject* context) {
  if (context != nullptr && PyContext_Enter(context) != 0) {
    PyErr_Clear();   // entered already: somebody runs in it right now
    return schedule(waiter, callback, context);
  }
  PyObject* done = PyObject_CallOneArg(callback, as_object(waiter));
  if (done == nullptr) failed_callback(waiter, callback);
  Py_XDECREF(done);
  if (context != nullptr && PyContext_Exit(context) != 0) PyErr_WriteUnraisable(callback);
}

void tell(Waiter* waiter, bool direct) {
  direct = direct && waiter->driver->wakes_here() && waiter->driver->owner.is(waiter->home);
  PyObject* callback = std::exchange(waiter->callback, nullptr);
  PyObject* context = std::exchange(waiter->context, nullptr);
  PyObject* more = std::exchange(waiter->more, nullptr);
  if (callback != nullptr) direct ? run(waiter, callback, context) : schedule(waiter, callback, context);
  for (Py_ssize_t i = 0; more != nullptr && i < PyList_GET_SIZE(more); ++i) {
    PyObject* pair = PyList_GET_ITEM(more, i);
    PyObject* own_context = PyTuple_GET_ITEM(pair, 1);
    schedule(waiter, PyTuple_GET_ITEM(pair, 0), own_context == Py_None ? nullptr : own_context);
  }
  Py_XDECREF(callback);
  Py_XDECREF(context);
  Py_XDECREF(more);
}

PyObject* add_done_callback(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
  Waiter* waiter = as_waiter(self);
  const bool has_context = keywords != nullptr && PyTuple_GET_SIZE(keywords) == 1;
  if (count != 1) return PyErr_Format(PyExc_TypeError, "add_done_callback() takes one callback");
  PyObject* callback = arguments[0];
  PyObject* context = has_context && arguments[1] != Py_None ? arguments[1] : nullptr;
  if (waiter->state != Waiter::State::pending) {
    schedule(waiter, callback, context);
  } else if (waiter->callback == nullptr) {
    waiter->callback = Py_NewRef(callback);
    waiter->context = Py_XNewRef(context);
  } else {
    if (waiter->more == nullptr && (waiter->more = PyList_New(0)) == nullptr) return nullptr;
    PyObject* pair = PyTuple_Pack(2, callback, context != nullptr ? context : Py_None);
    const int failed = pair == nullptr ? -1 : PyList_Append(waiter->more, pair);
    Py_XDECREF(pair);
    if (failed != 0) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* remove_done_callback(PyObject* self, PyObject* callback) {
  Waiter* waiter = as_waiter(self);
  long removed = 0;
  if (waiter->callback != nullptr) {
    const int same = PyObject_RichCompareBool(waiter->callback, callback, Py_EQ);
    if (same < 0) return nullptr;
    if (same == 1) {
      Py_CLEAR(waiter->callback);
      Py_CLEAR(waiter->context);
      ++removed;
    }
  }
  for (Py_ssize_t i = waiter->more == nullptr ? 0 : PyList_GET_SIZE(waiter->more); i-- > 0;) {
    const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(PyList_GET_ITEM(waiter->more, i), 0), callback, Py_EQ);
    if (same < 0 || (same == 1 && PyList_SetSlice(waiter->more, i, i + 1, nullptr) != 0)) return nullptr;
    removed += same;
  }
  return PyLong_FromLong(removed);
}

PyObject* result(PyObject* self, PyObject*) {
  Waiter* waiter = as_waiter(self);
  if (waiter->state == Waiter::State::done) Py_RETURN_NONE;
  if (waiter->state == Waiter::State::pending) {
    PyErr_SetString(names().invalid_state_error, "this operation has not ended");
  } else if (waiter->cancel_message != nullptr) {
    PyErr_SetObject(names().cancelled_error, waiter->cancel_message);
  } else {
    PyErr_SetNone(names().cancelled_error);
  }
  return nullptr;
}

PyObject* cancel_method(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
  const Py_ssize_t given = count + (keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0);
  if (given > 1) return PyErr_Format(PyExc_TypeError, "cancel() takes a message");
  return PyBool_FromLong(cancel(as_waiter(self), given == 1 && arguments[0] != Py_None ? arguments[0] : nullptr));
}

PyObject* done(PyObject* self, PyObject*) { return PyBool_FromLong(as_waiter(self)->state != Waiter::State::pending); }
PyObject* cancelled(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_waiter(self)->state == Waiter::State::cancelled);
}
PyObject* get_loop(PyObject* self, PyObject*) { return Py_NewRef(as_waiter(self)->home); }

PyObject* exception(PyObject* self, PyObject*) {
  PyObject* nothing = result(self, nullptr);
  return nothing;
}

// The owner has not answered within the budget. A later answer finds nobody. False: it had answered this moment.
PyObject* give_up(PyObject* self, PyObject*) {
  Waiter* waiter = as_waiter(self);
  if (waiter->state != Waiter::State::pending) Py_RETURN_FALSE;
  waiter->request->given_up(*waiter->driver->engine);
  resolve(waiter, waiter->request->unanswered(), false);
  Py_RETURN_TRUE;
}

// The same for a load that has come to its end in the caller's own loop while the owner did not answer: its value is the answer.
PyObject* give_up_with(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  Waiter* waiter = as_waiter(self);
  if (count != 2) return PyErr_Format(PyExc_TypeError, "give_up_with(payload, codec)");
  char* bytes = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(arguments[0], &bytes, &size) != 0) return nullptr;
  const long codec = PyLong_AsLong(arguments[1]);
  if (codec == -1 && PyErr_Occurred()) return nullptr;
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  outcome.led = outcome.degraded = true;
  EntryFacts facts;
  facts.codec = static_cast<CodecId>(codec);
  outcome.entry = Entry::make("-", facts, {}, {bytes, static_cast<std::size_t>(size)});
  if (waiter->state != Waiter::State::pending) Py_RETURN_FALSE;
  resolve(waiter, std::move(outcome), false);
  Py_RETURN_TRUE;
}

PyObject* hear(PyObject* self, PyObject*) {
  as_waiter(self)->heard = true;
  Py_RETURN_NONE;
}

PyObject* get_blocking(PyObject* self, void*) { return PyBool_FromLong(as_waiter(self)->blocking); }
int set_blocking(PyObject* self, PyObject* value, void*) {
  const int truth = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (truth < 0) return -1;
  as_waiter(self)->blocking = truth != 0;
  return 0;
}
PyObject* get_heard(PyObject* self, void*) { return PyBool_FromLong(as_waiter(self)->heard); }
int set_heard(PyObject* self, PyObject* value, void*) {
  as_waiter(self)->heard = value == Py_True;
  return 0;
}
PyObject* get_home(PyObject* self, void*) { return Py_NewRef(as_waiter(self)->home); }
PyObject* get_id(PyObject* self, void*) { return PyLong_FromUnsignedLongLong(as_waiter(self)->id); }
PyObject* or_none(PyObject* object) { return Py_NewRef(object != nullptr ? object : Py_None); }
PyObject* get_load(PyObject* self, void*) { return or_none(as_waiter(self)->request->load()); }
PyObject* get_patient(PyObject* self, void*) { return PyBool_FromLong(as_waiter(self)->request->patient()); }
PyObject* get_key(PyObject* self, void*) { return as_waiter(self)->request->loaded_key().release().ptr(); }
PyObject* get_context(PyObject* self, void*) { return or_none(as_waiter(self)->request->context()); }

void dealloc(PyObject* self) {
  Waiter* waiter = as_waiter(self);
  drop_callbacks(waiter);
  Py_CLEAR(waiter->cancel_message);
  Py_CLEAR(waiter->failure);
  Py_CLEAR(waiter->home);
  waiter->request.~shared_ptr();
  waiter->outcome.~Outcome();
  Py_CLEAR(waiter->driver_object);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* repr(PyObject* self) {
  static const char* const states[] = {"pending", "done", "cancelled"};
  Waiter* waiter = as_waiter(self);
  return PyUnicode_FromFormat("<tiercel %s %s>", waiter->request->name(), states[static_cast<int>(waiter->state)]);
}

template <class Function>
PyCFunction c_function(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {{"add_done_callback", c_function(add_done_callback), METH_FASTCALL | METH_KEYWORDS, nullptr},
                         {"remove_done_callback", remove_done_callback, METH_O, nullptr},
                         {"result", result, METH_NOARGS, nullptr},
                         {"exception", exception, METH_NOARGS, nullptr},
                         {"cancel", c_function(cancel_method), METH_FASTCALL | METH_KEYWORDS, nullptr},
                         {"done", done, METH_NOARGS, nullptr},
                         {"cancelled", cancelled, METH_NOARGS, nullptr},
                         {"get_loop", get_loop, METH_NOARGS, nullptr},
                         {"give_up", give_up, METH_NOARGS, nullptr},
                         {"give_up_with", c_function(give_up_with), METH_FASTCALL, nullptr},
                         {"hear", hear, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyGetSetDef properties[] = {{"_asyncio_future_blocking", get_blocking, set_blocking, nullptr, nullptr},
                            {"heard", get_heard, set_heard, nullptr, nullptr},
                            {"home", get_home, nullptr, nullptr, nullptr},
                            {"id", get_id, nullptr, nullptr, nullptr},
                            {"load", get_load, nullptr, nullptr, nullptr},
                            {"patient", get_patient, nullptr, nullptr, nullptr},
                            {"context", get_context, nullptr, nullptr, nullptr},
                            {"key", get_key, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, properties},
                       {0, nullptr}};
PyType_Spec spec = {"tiercel._core.Waiter", sizeof(Waiter), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

bool make_waiter_type(PyObject* module) {
  waiter_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return waiter_type != nullptr &&
         PyModule_AddObjectRef(module, "Waiter", reinterpret_cast<PyObject*>(waiter_type)) == 0;
}

Waiter* make_waiter(DriverCore& driver, PyObject* driver_object, PyObject* home, std::shared_ptr<Request> request) {
  Waiter* waiter = PyObject_New(Waiter, waiter_type);
  if (waiter == nullptr) return nullptr;
  waiter->driver = &driver;
  waiter->driver_object = Py_NewRef(driver_object);
  waiter->home = Py_NewRef(home);
  waiter->callback = waiter->context = waiter->more = waiter->cancel_message = waiter->failure = nullptr;
  waiter->id = 0;
  waiter->state = Waiter::State::pending;
  waiter->blocking = waiter->heard = false;
  new (&waiter->request) std::shared_ptr<Request>(std::move(request));
  new (&waiter->outcome) Outcome();
  return waiter;
}

void resolve(Waiter* waiter, Outcome&& outcome, bool direct) {
  if (waiter->state != Waiter::State::pending) return;
  waiter->state = Waiter::State::done;
  waiter->outcome = std::move(outcome);
  tell(waiter, direct);
}

bool cancel(Waiter* waiter, PyObject* message) {
  if (waiter->state != Waiter::State::pending) return false;
  Py_INCREF(waiter);
  waiter->state = Waiter::State::cancelled;
  waiter->cancel_message = Py_XNewRef(message);
  waiter->driver->cancel_operation(waiter);
  tell(waiter, false);
  Py_DECREF(waiter);
  return true;
}

void drop_callbacks(Waiter* waiter) {
  Py_CLEAR(waiter->callback);
  Py_CLEAR(waiter->context);
  Py_CLEAR(waiter->more);
}

}  // namespace tiercel::python
