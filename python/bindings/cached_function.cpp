// The life of a CachedFunction, and its call.
#include "cached_function.hpp"

#include <structmember.h>

#include "call.hpp"
#include "entry/key.hpp"

namespace tiercel::python {
namespace {

CachedFunction* self_of(PyObject* self) { return reinterpret_cast<CachedFunction*>(self); }

// A `def` function: the hit at once, everything else by the policy.
PyObject* call_now(CachedFacts& facts, PyObject* receiver, PyObject* const* args, Py_ssize_t positional,
                   PyObject* names) {
  const WithReceiver all(receiver, args, positional, names);
  const auto straight = [&] {
    return PyObject_Vectorcall(facts.function.ptr(), all.arguments().args,
                               static_cast<std::size_t>(all.arguments().positional), names);
  };
  if (is_off(facts)) return straight();
  std::string key;
  if (!ensure_ready(facts)) return nullptr;
  if (!call_key(facts, all.arguments(), receiver != nullptr, key)) {
    return PyErr_Occurred() != nullptr ? nullptr
                                       : straight();   // it does not fit: the function says so in its own words
  }
  nb::object value = find_value(facts, key);
  if (value.is_valid() || PyErr_Occurred() != nullptr) return value.release().ptr();
  nb::object text = key_text(key), positionals = all.tuple(), keywords = all.dict();
  if (!text.is_valid() || !positionals.is_valid() || !keywords.is_valid()) return nullptr;
  return PyObject_CallMethod(facts.policy.ptr(), "read_now", "OOO", text.ptr(), positionals.ptr(), keywords.ptr());
}

PyObject* call(CachedFunction* self, PyObject* receiver, PyObject* const* args, Py_ssize_t positional,
               PyObject* names) {
  CachedFacts& facts = *self->facts;
  return facts.is_async ? make_call(self, receiver, args, positional, names)
                        : call_now(facts, receiver, args, positional, names);
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, std::size_t count, PyObject* names) {
  return call(self_of(self), nullptr, args, PyVectorcall_NARGS(count), names);
}

PyObject* bound_vectorcall(PyObject* self, PyObject* const* args, std::size_t count, PyObject* names) {
  const auto* bound = reinterpret_cast<BoundCachedFunction*>(self);
  return call(bound->function, bound->receiver, args, PyVectorcall_NARGS(count), names);
}

// ---- CachedFunction(function, cache, policy, plan, is_async, is_method, early)

PyObject* make(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *function = nullptr, *cache = nullptr, *policy = nullptr, *plan = nullptr;
  int is_async = 0, is_method = 0;
  double early = 0;
  if (!PyArg_ParseTuple(args, "OOOOpp|d", &function, &cache, &policy, &plan, &is_async, &is_method, &early))
    return nullptr;
  auto facts = std::make_unique<CachedFacts>();
  if (!nb::try_cast<CacheCore*>(nb::handle(cache), facts->core) || facts->core == nullptr) {
    return PyErr_Format(PyExc_TypeError, "cached: expected a tiercel.Cache, not %R", cache);
  }
  facts->plans.push_back(std::make_unique<KeyPlan>());
  if (!facts->plans.back()->read(plan)) return nullptr;
  facts->function = nb::borrow(function);
  facts->cache = nb::borrow(cache);
  facts->policy = nb::borrow(policy);
  facts->is_async = is_async != 0;
  facts->early = early;
  facts->is_method = is_method != 0;
  auto* self = self_of(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->vectorcall = vectorcall;
  self->facts = facts.release();
  return reinterpret_cast<PyObject*>(self);
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  const CachedFunction* self = self_of(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->attributes);
  if (self->facts == nullptr) return 0;
  Py_VISIT(self->facts->function.ptr());
  Py_VISIT(self->facts->cache.ptr());
  Py_VISIT(self->facts->policy.ptr());
  Py_VISIT(self->facts->decoder.decode.ptr());
  for (const auto& plan : self->facts->plans) {
    if (const int stop = plan->visit(visit, arg); stop != 0) return stop;
  }
  return 0;
}

int clear(PyObject* object) {
  CachedFunction* self = self_of(object);
  Py_CLEAR(self->attributes);
  // Nothing is reset to null: a finalizer may still call this function. What is cleared is what can lead back to it.
  self->facts->ready = false;
  self->facts->bypass = true;
  nb::object policy = std::exchange(self->facts->policy, nb::none());
  nb::object decode = std::exchange(self->facts->decoder.decode, nb::none());
  nb::object function = std::exchange(self->facts->function, nb::none());
  for (const auto& plan : self->facts->plans) plan->clear();
  return 0;
}

void dealloc(PyObject* object) {
  CachedFunction* self = self_of(object);
  PyTypeObject* const type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  if (self->weakrefs != nullptr) PyObject_ClearWeakRefs(object);
  Py_CLEAR(self->attributes);
  delete self->facts;
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* get(PyObject* self, PyObject* instance, PyObject* owner) {
  if (instance != nullptr && instance != Py_None) return bind_receiver(self_of(self), instance, nullptr);
  const bool own_keys =
      owner != nullptr && PyType_Check(owner) && has_cache_key(reinterpret_cast<PyTypeObject*>(owner));
  return own_keys && self_of(self)->facts->is_method ? bind_receiver(self_of(self), nullptr, owner) : Py_NewRef(self);
}

PyObject* repr(PyObject* self) { return PyUnicode_FromFormat("<cached %R>", self_of(self)->facts->function.ptr()); }

// ---- what it shows of the function

PyObject* of_function(PyObject* self, void* name) {
  return PyObject_GetAttrString(self_of(self)->facts->function.ptr(), static_cast<const char*>(name));
}

PyObject* plain_function(PyObject* self, void*) {
  return PyObject_CallMethod(self_of(self)->facts->policy.ptr(), "plain", "O", self);
}

#define OF_FUNCTION(name) {name, of_function, nullptr, nullptr, const_cast<char*>(name)}
PyGetSetDef properties[] = {
    OF_FUNCTION("__annotations__"),
    OF_FUNCTION("__code__"),
    OF_FUNCTION("__defaults__"),
    OF_FUNCTION("__kwdefaults__"),
    OF_FUNCTION("__globals__"),
    OF_FUNCTION("__closure__"),
    // Since 3.12 and 3.14; before, AttributeError as for any function.
    OF_FUNCTION("__type_params__"),
    OF_FUNCTION("__annotate__"),
    {"function", plain_function, nullptr, "A plain function that does the same, for those who insist on one.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {}};
#undef OF_FUNCTION

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(CachedFunction, vectorcall), READONLY, nullptr},
                         {"__dictoffset__", T_PYSSIZET, offsetof(CachedFunction, attributes), READONLY, nullptr},
                         {"__weaklistoffset__", T_PYSSIZET, offsetof(CachedFunction, weakrefs), READONLY, nullptr},
                         {}};

template <class Function>
void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

// ---- the bound object

BoundCachedFunction* bound_of(PyObject* self) { return reinterpret_cast<BoundCachedFunction*>(self); }
PyTypeObject* function_type = nullptr;
PyTypeObject* bound_type = nullptr;

int bound_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(bound_of(self)->function);
  Py_VISIT(bound_of(self)->receiver);
  Py_VISIT(bound_of(self)->owner);
  return 0;
}

void bound_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (bound_of(self)->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  Py_XDECREF(bound_of(self)->function);
  Py_XDECREF(bound_of(self)->receiver);
  Py_XDECREF(bound_of(self)->owner);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

PyObject* of_what(PyObject* self) {
  return bound_of(self)->receiver != nullptr ? bound_of(self)->receiver : bound_of(self)->owner;
}

PyObject* bound_repr(PyObject* self) {
  return PyUnicode_FromFormat("<bound cached %R of %R>", bound_of(self)->function->facts->function.ptr(),
                              of_what(self));
}

Py_hash_t bound_hash(PyObject* self) {
  const Py_hash_t receiver = _Py_HashPointer(of_what(self));
  const Py_hash_t both = receiver ^ _Py_HashPointer(bound_of(self)->function);
  return both == -1 ? -2 : both;
}

PyObject* bound_compare(PyObject* self, PyObject* other, int operation) {
  if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(other) != bound_type) Py_RETURN_NOTIMPLEMENTED;
  const bool same = bound_of(self)->function == bound_of(other)->function && of_what(self) == of_what(other);
  return PyBool_FromLong(same == (operation == Py_EQ));
}

// As a method's own __get__: bound already. That it is there makes inspect.isroutine(), and by it FastAPI, see a function.
PyObject* bound_get(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }

PyObject* bound_attribute(PyObject* self, void* name) {
  return PyObject_GetAttrString(reinterpret_cast<PyObject*>(bound_of(self)->function), static_cast<const char*>(name));
}

// As methods do: what it has not itself, the function has.
PyObject* bound_getattr(PyObject* self, PyObject* name) {
  PyObject* const own = PyObject_GenericGetAttr(self, name);
  if (own != nullptr || PyErr_ExceptionMatches(PyExc_AttributeError) == 0) return own;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<PyObject*>(bound_of(self)->function), name);
}

// A bound method of the function itself: its signature is the one without the receiver.
PyObject* bound_wrapped(PyObject* self, void*) {
  if (bound_of(self)->receiver == nullptr) return bound_of(self)->function->facts->function.inc_ref().ptr();
  return PyMethod_New(bound_of(self)->function->facts->function.ptr(), bound_of(self)->receiver);
}

PyObject* bound_plain(PyObject* self, void*) {
  return PyObject_CallMethod(bound_of(self)->function->facts->policy.ptr(), "plain", "O", self);
}

#define OF_FUNCTION(name) {name, bound_attribute, nullptr, nullptr, const_cast<char*>(name)}
PyGetSetDef bound_properties[] = {
    OF_FUNCTION("__name__"),
    OF_FUNCTION("__qualname__"),
    OF_FUNCTION("__module__"),
    OF_FUNCTION("__doc__"),
    OF_FUNCTION("__annotations__"),
    OF_FUNCTION("__code__"),
    OF_FUNCTION("__defaults__"),
    OF_FUNCTION("__kwdefaults__"),
    OF_FUNCTION("__globals__"),
    OF_FUNCTION("__closure__"),
    OF_FUNCTION("__dict__"),
    {"__wrapped__", bound_wrapped, nullptr, nullptr, nullptr},
    {"function", bound_plain, nullptr, "A plain function that does the same, for those who insist on one.", nullptr},
    {}};
#undef OF_FUNCTION

PyMemberDef bound_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(BoundCachedFunction, vectorcall), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(BoundCachedFunction, weakrefs), READONLY, nullptr},
    {"__func__", T_OBJECT, offsetof(BoundCachedFunction, function), READONLY, nullptr},
    {"__self__", T_OBJECT, offsetof(BoundCachedFunction, receiver), READONLY, nullptr},
    {}};

PyType_Slot slots[] = {{Py_tp_new, slot(make)},
                       {Py_tp_traverse, slot(traverse)},
                       {Py_tp_clear, slot(clear)},
                       {Py_tp_dealloc, slot(dealloc)},
                       {Py_tp_call, slot(PyVectorcall_Call)},
                       {Py_tp_descr_get, slot(get)},
                       {Py_tp_repr, slot(repr)},
                       {Py_tp_getset, properties},
                       {Py_tp_members, members},
                       {Py_tp_methods, cached_function_methods()},
                       {0, nullptr}};

PyType_Slot bound_slots[] = {{Py_tp_traverse, slot(bound_traverse)}, {Py_tp_dealloc, slot(bound_dealloc)},
                             {Py_tp_call, slot(PyVectorcall_Call)},  {Py_tp_descr_get, slot(bound_get)},
                             {Py_tp_repr, slot(bound_repr)},         {Py_tp_getattro, slot(bound_getattr)},
                             {Py_tp_hash, slot(bound_hash)},         {Py_tp_richcompare, slot(bound_compare)},
                             {Py_tp_getset, bound_properties},       {Py_tp_members, bound_members},
                             {Py_tp_methods, bound_methods()},       {0, nullptr}};

constexpr unsigned kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL;
PyType_Spec spec{"tiercel._core.CachedFunction", sizeof(CachedFunction), 0, kFlags, slots};
PyType_Spec bound_spec{"tiercel._core.BoundCachedFunction", sizeof(BoundCachedFunction), 0,
                       kFlags | Py_TPFLAGS_DISALLOW_INSTANTIATION, bound_slots};

}  // namespace

PyTypeObject* cached_function_type() { return function_type; }

PyObject* bind_receiver(CachedFunction* function, PyObject* receiver, PyObject* owner) {
  auto* bound = PyObject_GC_New(BoundCachedFunction, bound_type);
  if (bound == nullptr) return nullptr;
  bound->vectorcall = bound_vectorcall;
  bound->weakrefs = nullptr;
  bound->function = function;
  bound->receiver = Py_XNewRef(receiver);
  bound->owner = Py_XNewRef(owner);
  Py_INCREF(function);
  PyObject_GC_Track(bound);
  return reinterpret_cast<PyObject*>(bound);
}

bool make_cached_types(PyObject* module) {
  function_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  bound_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&bound_spec));
  return function_type != nullptr && bound_type != nullptr &&
         PyModule_AddObjectRef(module, "CachedFunction", reinterpret_cast<PyObject*>(function_type)) == 0 &&
         PyModule_AddObjectRef(module, "BoundCachedFunction", reinterpret_cast<PyObject*>(bound_type)) == 0;
}

}  // namespace tiercel::python
