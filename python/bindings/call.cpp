#include "call.hpp"

#include <structmember.h>

namespace tiercel::python {
namespace {

enum class State : unsigned char { created, running, suspended, closed };

struct Call {
  PyObject_VAR_HEAD CachedFunction* function;
  PyObject* names;         // of keyword arguments, or null
  PyObject* inner;         // the coroutine that answers, once it is no L1 hit
  PyObject* weakrefs;
  Py_ssize_t positional;
  State state;
  bool bound;              // args[0] came by __get__
  PyObject* args[1];       // as many as Py_SIZE says
};

PyTypeObject* call_type = nullptr;

Call* self_of(PyObject* self) { return reinterpret_cast<Call*>(self); }

// ---- the steps

// The awaitable's iterator: a coroutine is its own.
PyObject* iterator_of(PyObject* awaitable) {
  if (awaitable == nullptr || PyCoro_CheckExact(awaitable)) return awaitable;
  nb::object held = nb::steal(awaitable);
  const PyAsyncMethods* const methods = Py_TYPE(awaitable)->tp_as_async;
  if (methods != nullptr && methods->am_await != nullptr) return methods->am_await(awaitable);
  PyErr_Format(PyExc_TypeError, "object %.200s can't be used in 'await' expression", Py_TYPE(awaitable)->tp_name);
  return nullptr;
}

PyObject* straight(const Call* call) {
  PyObject* const function = call->function->facts->function.ptr();
  return iterator_of(
      PyObject_Vectorcall(function, call->args, static_cast<std::size_t>(call->positional), call->names));
}

// What answers a call that is no L1 hit: the policy's read_through, a coroutine.
PyObject* read_through(const Call* call, const Arguments& arguments, const std::string& key) {
  const WithReceiver all(nullptr, arguments.args, arguments.positional, arguments.names);
  nb::object text = key_text(key), positionals = all.tuple(), keywords = all.dict();
  if (!text.is_valid() || !positionals.is_valid() || !keywords.is_valid()) return nullptr;
  return PyObject_CallMethod(call->function->facts->policy.ptr(), "read", "OOO", text.ptr(), positionals.ptr(),
                             keywords.ptr());
}

// The first step: `value` set for a hit, else call->inner; neither with a Python error set.
void begin(Call* call, nb::object& value) {
  CachedFacts& facts = *call->function->facts;
  const Arguments arguments{call->args, call->positional, call->names};
  if (!is_off(facts)) {
    std::string key;
    if (!ensure_ready(facts)) return;
    if (call_key(facts, arguments, call->bound, key)) {
      value = find_value(facts, key);
      if (!value.is_valid() && PyErr_Occurred() == nullptr) call->inner = read_through(call, arguments, key);
      return;
    }
    if (PyErr_Occurred() != nullptr) return;
  }
  call->inner = straight(call);
}

void drop_arguments(Call* call) {
  for (Py_ssize_t i = 0; i < Py_SIZE(call); ++i) Py_CLEAR(call->args[i]);
  Py_CLEAR(call->names);
}

void finish(Call* call) {
  call->state = State::closed;
  Py_CLEAR(call->inner);
  drop_arguments(call);
}

PySendResult step(Call* call, PyObject* sent, PyObject** result) {
  *result = nullptr;
  const bool first = call->state == State::created;
  if (call->state == State::running) {
    PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    return PYGEN_ERROR;
  }
  if (call->state == State::closed) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return PYGEN_ERROR;
  }
  if (first && sent != Py_None) {
    PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
    return PYGEN_ERROR;
  }
  call->state = State::running;
  if (first) {
    nb::object value;
    begin(call, value);
    if (call->inner == nullptr) {
      finish(call);
      *result = value.release().ptr();
      return *result == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
    }
  }
  const PySendResult answer = PyIter_Send(call->inner, sent, result);
  if (answer == PYGEN_NEXT) call->state = State::suspended;
  else finish(call);
  return answer;
}

PySendResult send_slot(PyObject* self, PyObject* sent, PyObject** result) { return step(self_of(self), sent, result); }

// StopIteration(value), the value never spread as arguments or taken for an exception.
PyObject* stop_with(PyObject* value) {
  nb::object held = nb::steal(value);
  nb::object stop = nb::steal(PyObject_CallOneArg(PyExc_StopIteration, value));
  if (stop.is_valid()) PyErr_SetObject(PyExc_StopIteration, stop.ptr());
  return nullptr;
}

PyObject* send(PyObject* self, PyObject* sent) {
  PyObject* result = nullptr;
  const PySendResult answer = step(self_of(self), sent, &result);
  return answer == PYGEN_RETURN ? stop_with(result) : result;
}

PyObject* next(PyObject* self) { return send(self, Py_None); }

PyObject* throw_into(PyObject* self, PyObject* args) {
  Call* call = self_of(self);
  if (call->state == State::running) return PyErr_Format(PyExc_ValueError, "coroutine already executing");
  if (call->state == State::closed) return PyErr_Format(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
  // Not begun: it is raised where the function begins, as by any coroutine, and nothing of it runs.
  if (call->inner == nullptr && (call->inner = straight(call)) == nullptr) {
    finish(call);
    return nullptr;
  }
  call->state = State::running;
  nb::object method = nb::steal(PyObject_GetAttrString(call->inner, "throw"));
  PyObject* const yielded = method.is_valid() ? PyObject_Call(method.ptr(), args, nullptr) : nullptr;
  if (yielded != nullptr) call->state = State::suspended;
  else finish(call);
  return yielded;
}

PyObject* close(PyObject* self, PyObject*) {
  Call* call = self_of(self);
  if (call->state == State::running) return PyErr_Format(PyExc_ValueError, "coroutine already executing");
  nb::object done = nb::none();
  if (call->inner != nullptr) {
    call->state = State::running;
    done = nb::steal(PyObject_CallMethod(call->inner, "close", nullptr));
  }
  finish(call);
  return done.release().ptr();
}

PyObject* await_self(PyObject* self) { return Py_NewRef(self); }

// ---- its life

int traverse(PyObject* self, visitproc visit, void* arg) {
  const Call* call = self_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(call->function);
  Py_VISIT(call->names);
  Py_VISIT(call->inner);
  for (Py_ssize_t i = 0; i < Py_SIZE(call); ++i) Py_VISIT(call->args[i]);
  return 0;
}

// The function stays until the end: finalizers and debuggers ask for its name.
int clear(PyObject* self) {
  Py_CLEAR(self_of(self)->inner);
  drop_arguments(self_of(self));
  return 0;
}

// Dropped without having been awaited: said as for any coroutine.
void finalize(PyObject* self) {
  Call* call = self_of(self);
  if (call->state != State::created) return;
  call->state = State::closed;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  nb::object name = nb::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(call->function), "__qualname__"));
  if (!name.is_valid() ||
      PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%S' was never awaited", name.ptr()) < 0) {
    PyErr_WriteUnraisable(self);
  }
  PyErr_Restore(type, value, trace);
}

void dealloc(PyObject* self) {
  Call* call = self_of(self);
  PyTypeObject* const type = Py_TYPE(self);
  if (call->state == State::created && PyObject_CallFinalizerFromDealloc(self) < 0) return;
  PyObject_GC_UnTrack(self);
  if (call->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  clear(self);
  Py_XDECREF(call->function);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

// ---- what debuggers and asyncio ask: while an inner coroutine answers, it is that one's frame and await

PyObject* of_function(PyObject* self, void* name) {
  return PyObject_GetAttrString(reinterpret_cast<PyObject*>(self_of(self)->function), static_cast<const char*>(name));
}

PyObject* of_inner(PyObject* self, void* name) {
  PyObject* const inner = self_of(self)->inner;
  return inner != nullptr && PyCoro_CheckExact(inner) ? PyObject_GetAttrString(inner, static_cast<const char*>(name))
                                                      : Py_NewRef(Py_None);
}

PyObject* is_running(PyObject* self, void*) { return PyBool_FromLong(self_of(self)->state == State::running); }
PyObject* is_suspended(PyObject* self, void*) { return PyBool_FromLong(self_of(self)->state == State::suspended); }
PyObject* origin(PyObject*, void*) { return Py_NewRef(Py_None); }

PyObject* repr(PyObject* self) {
  nb::object name = nb::steal(of_function(self, const_cast<char*>("__qualname__")));
  return name.is_valid() ? PyUnicode_FromFormat("<cached call of %U at %p>", name.ptr(), self) : nullptr;
}

template <class Function>
void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

PyGetSetDef properties[] = {{"__name__", of_function, nullptr, nullptr, const_cast<char*>("__name__")},
                            {"__qualname__", of_function, nullptr, nullptr, const_cast<char*>("__qualname__")},
                            {"cr_code", of_function, nullptr, nullptr, const_cast<char*>("__code__")},
                            {"cr_frame", of_inner, nullptr, nullptr, const_cast<char*>("cr_frame")},
                            {"cr_await", of_inner, nullptr, nullptr, const_cast<char*>("cr_await")},
                            {"cr_running", is_running, nullptr, nullptr, nullptr},
                            {"cr_suspended", is_suspended, nullptr, nullptr, nullptr},
                            {"cr_origin", origin, nullptr, nullptr, nullptr},
                            {}};

PyMethodDef methods[] = {{"send", send, METH_O, nullptr},
                         {"throw", throw_into, METH_VARARGS, nullptr},
                         {"close", close, METH_NOARGS, nullptr},
                         {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
                         {}};

PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(Call, weakrefs), READONLY, nullptr}, {}};

PyType_Slot slots[] = {
    {Py_tp_traverse, slot(traverse)}, {Py_tp_clear, slot(clear)},      {Py_tp_dealloc, slot(dealloc)},
    {Py_tp_finalize, slot(finalize)}, {Py_am_await, slot(await_self)}, {Py_am_send, slot(send_slot)},
    {Py_tp_iternext, slot(next)},     {Py_tp_repr, slot(repr)},        {Py_tp_getset, properties},
    {Py_tp_methods, methods},         {Py_tp_members, members},        {0, nullptr}};

PyType_Spec spec{"tiercel._core.Call", offsetof(Call, args), sizeof(PyObject*),
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* make_call(CachedFunction* function, PyObject* receiver, PyObject* const* args, Py_ssize_t positional,
                    PyObject* names) {
  const Py_ssize_t before = receiver == nullptr ? 0 : 1;
  const Py_ssize_t given = positional + (names == nullptr ? 0 : PyTuple_GET_SIZE(names));
  Call* call = PyObject_GC_NewVar(Call, call_type, before + given);
  if (call == nullptr) return nullptr;
  Py_INCREF(function);
  call->function = function;
  call->names = Py_XNewRef(names);
  call->inner = nullptr;
  call->weakrefs = nullptr;
  call->positional = before + positional;
  call->state = State::created;
  call->bound = before != 0;
  if (before != 0) call->args[0] = Py_NewRef(receiver);
  for (Py_ssize_t i = 0; i < given; ++i) call->args[before + i] = Py_NewRef(args[i]);
  PyObject_GC_Track(call);
  if (function->facts->plan().fits({call->args, call->positional, names})) return reinterpret_cast<PyObject*>(call);
  // The function says itself, and at the call, what does not fit. Should it take what its signature does not show, its own
  // coroutine goes straight through.
  PyObject* const own = PyObject_Vectorcall(function->facts->function.ptr(), call->args,
                                            static_cast<std::size_t>(call->positional), names);
  call->state = State::closed;
  Py_DECREF(call);
  return own;
}

bool make_call_type(PyObject* module) {
  call_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return call_type != nullptr && PyModule_AddObjectRef(module, "Call", reinterpret_cast<PyObject*>(call_type)) == 0;
}

}  // namespace tiercel::python
