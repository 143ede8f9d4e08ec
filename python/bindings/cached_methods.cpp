// The methods of CachedFunction and of its bound object: key, invalidate, refresh, uncached; and what the policy sets.
#include "cached_function.hpp"
#include "entry/key.hpp"

namespace tiercel::python {

WithReceiver::WithReceiver(PyObject* receiver, PyObject* const* args, Py_ssize_t positional, PyObject* names)
    : arguments_{args, positional, names} {
  if (receiver == nullptr) return;
  const Py_ssize_t count = positional + (names == nullptr ? 0 : PyTuple_GET_SIZE(names));
  all_.reserve(static_cast<std::size_t>(count) + 1);
  all_.push_back(receiver);
  all_.insert(all_.end(), args, args + count);
  arguments_ = {all_.data(), positional + 1, names};
}

nb::object WithReceiver::tuple() const {
  nb::object tuple = nb::steal(PyTuple_New(arguments_.positional));
  for (Py_ssize_t i = 0; tuple.is_valid() && i < arguments_.positional; ++i) {
    PyTuple_SET_ITEM(tuple.ptr(), i, Py_NewRef(arguments_.args[i]));
  }
  return tuple;
}

nb::object WithReceiver::dict() const {
  if (arguments_.names == nullptr) return nb::none();
  nb::object dict = nb::steal(PyDict_New());
  for (Py_ssize_t i = 0; dict.is_valid() && i < PyTuple_GET_SIZE(arguments_.names); ++i) {
    if (PyDict_SetItem(dict.ptr(), PyTuple_GET_ITEM(arguments_.names, i), arguments_.args[arguments_.positional + i]) <
        0)
      return {};
  }
  return dict;
}

bool ensure_ready(CachedFacts& facts) {
  if (facts.ready) return true;
  if (facts.policy.is_none()) return true;   // being collected
  nb::object done = nb::steal(PyObject_CallMethod(facts.policy.ptr(), "complete", nullptr));
  if (done.is_valid()) facts.ready = true;   // and never false again: another thread may have completed it
  return done.is_valid();
}

bool call_key(const CachedFacts& facts, const Arguments& arguments, Receiver receiver, std::string& key) {
  const KeyPlan& plan = facts.plan();
  Bound bound(plan.size());
  if (!plan.bind(arguments, receiver, bound)) return false;
  key.reserve(96);
  if (!plan.key(bound, receiver, key)) return false;
  if (!is_canonical_key(key)) key = canonical_key(key);
  return true;
}

nb::object find_value(const CachedFacts& facts, const std::string& key) {
  const EntryRef entry = facts.core->find(key);
  if (!entry) return {};
  nb::object value = facts.decoder(entry->facts().codec, entry->payload());
  if (value.is_valid()) return value;
  if (PyErr_Occurred() != nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return {};   // KeyboardInterrupt is nobody's damaged entry
    PyErr_Clear();
  }
  if (const std::shared_ptr<Engine> engine = facts.core->engine; engine != nullptr) {
    engine->count_decode_failure();
    engine->forget(key);
  }
  return {};
}

nb::object key_text(const std::string& key) {
  return nb::steal(PyUnicode_DecodeUTF8(key.data(), static_cast<Py_ssize_t>(key.size()), "strict"));
}

namespace {

// A method's target: the function, and the receiver if it came bound.
struct Target {
  PyObject* object;        // what the method was called on
  CachedFacts& facts;
  PyObject* receiver;
};

Target target_of(PyObject* self) {
  if (Py_TYPE(self) == cached_function_type()) return {self, *reinterpret_cast<CachedFunction*>(self)->facts, nullptr};
  auto* bound = reinterpret_cast<BoundCachedFunction*>(self);
  return {self, *bound->function->facts, bound->receiver};
}

using Method = PyObject* (*)(const Target&, PyObject* const*, Py_ssize_t, PyObject*);

template <Method method>
PyObject* on_target(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return method(target_of(self), args, count, names);
}

// The policy says, in inspect's words, why the arguments do not fit.
PyObject* misfit(const Target& target, const char* method, const WithReceiver& all, Receiver receiver) {
  if (PyErr_Occurred() != nullptr) return nullptr;
  nb::object positionals = all.tuple(), keywords = all.dict();
  if (!positionals.is_valid() || !keywords.is_valid()) return nullptr;
  return PyObject_CallMethod(target.facts.policy.ptr(), "misfit", "sOOi", method, positionals.ptr(), keywords.ptr(),
                             receiver == Receiver::left_out ? 1 : 0);
}

// The whole text, as a person would have written it; canonical only where something is looked up.
bool whole_key(const CachedFacts& facts, const Arguments& arguments, Receiver receiver, std::string& key) {
  Bound bound(facts.plan().size());
  return facts.plan().bind(arguments, receiver, bound) && facts.plan().key(bound, receiver, key);
}

nb::object key_of(const Target& target, const char* method, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (!ensure_ready(target.facts)) return {};
  const WithReceiver all(target.receiver, args, count, names);
  Receiver receiver = receiver_of(target.facts, target.receiver != nullptr);
  if (receiver == Receiver::given && target.receiver == nullptr) receiver = Receiver::left_out;
  std::string key;
  if (whole_key(target.facts, all.arguments(), receiver, key)) return key_text(key);
  misfit(target, method, all, receiver);
  return {};
}

PyObject* key(const Target& target, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return key_of(target, "key", args, count, names).release().ptr();
}

PyObject* invalidate(const Target& target, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  nb::object text = key_of(target, "invalidate", args, count, names);
  return text.is_valid() ? PyObject_CallMethod(target.facts.policy.ptr(), "invalidate", "O", text.ptr()) : nullptr;
}

// The arguments to run the function with. Through the class a method's receiver must be given, but a classmethod's can be found:
// since Python 3.13 `classmethod` no longer binds what it wraps through __get__.
nb::object receiver_to_run(const Target& target, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (target.receiver != nullptr) return nb::borrow(target.receiver);
  if (!target.facts.is_method || target.facts.plan().fits({args, count, names})) return nb::none();
  return nb::steal(PyObject_CallMethod(target.facts.policy.ptr(), "owner", nullptr));
}

PyObject* uncached(const Target& target, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  nb::object receiver = receiver_to_run(target, args, count, names);
  if (!receiver.is_valid()) return nullptr;
  const WithReceiver all(receiver.is_none() ? nullptr : receiver.ptr(), args, count, names);
  const Arguments& arguments = all.arguments();
  return PyObject_Vectorcall(target.facts.function.ptr(), arguments.args,
                             static_cast<std::size_t>(arguments.positional), names);
}

PyObject* refresh(const Target& target, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (is_off(target.facts)) return uncached(target, args, count, names);
  if (!ensure_ready(target.facts)) return nullptr;
  nb::object receiver = receiver_to_run(target, args, count, names);
  if (!receiver.is_valid()) return nullptr;
  const WithReceiver all(receiver.is_none() ? nullptr : receiver.ptr(), args, count, names);
  const Receiver how = receiver_of(target.facts, !receiver.is_none());
  std::string text;
  if (!whole_key(target.facts, all.arguments(), how, text)) return misfit(target, "refresh", all, how);
  nb::object key = key_text(text), positionals = all.tuple(), keywords = all.dict();
  if (!key.is_valid() || !positionals.is_valid() || !keywords.is_valid()) return nullptr;
  return PyObject_CallMethod(target.facts.policy.ptr(), "refresh", "OOO", key.ptr(), positionals.ptr(), keywords.ptr());
}

// ---- what Python's own protocols ask

PyObject* reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

PyObject* bound_reduce(PyObject* self, PyObject*) {
  const Target target = target_of(self);
  nb::object builtins = nb::steal(PyImport_ImportModule("builtins"));
  if (!builtins.is_valid()) return nullptr;
  nb::object getattr = nb::steal(PyObject_GetAttrString(builtins.ptr(), "getattr"));
  nb::object name = nb::steal(PyObject_GetAttrString(self, "__name__"));
  if (!getattr.is_valid() || !name.is_valid()) return nullptr;
  return Py_BuildValue("O(OO)", getattr.ptr(), target.receiver, name.ptr());
}

// Called when it stands directly in a class body: then the first parameter is the receiver, whatever its name.
PyObject* set_name(PyObject* self, PyObject*) {
  target_of(self).facts.is_method = true;
  Py_RETURN_NONE;
}

// ---- for the policy

PyObject* set_plan(PyObject* self, PyObject* spec) {
  auto plan = std::make_unique<KeyPlan>();
  if (!plan->read(spec)) return nullptr;
  target_of(self).facts.plans.push_back(std::move(plan));
  Py_RETURN_NONE;
}

PyObject* set_codec(PyObject* self, PyObject* codec) {
  nb::object id = nb::steal(PyObject_GetAttrString(codec, "id"));
  nb::object decode = nb::steal(PyObject_GetAttrString(codec, "decode"));
  if (!id.is_valid() || !decode.is_valid()) return nullptr;
  const long number = PyLong_AsLong(id.ptr());
  if (number == -1 && PyErr_Occurred() != nullptr) return nullptr;
  target_of(self).facts.decoder = {static_cast<CodecId>(number), std::move(decode)};
  Py_RETURN_NONE;
}

PyObject* give_up(PyObject* self, PyObject*) {
  target_of(self).facts.bypass = true;
  Py_RETURN_NONE;
}

// _bound(args, kwargs or None) -> {name: value} with defaults, for tags.
PyObject* bound_arguments(PyObject* self, PyObject* args) {
  PyObject *positionals = nullptr, *keywords = nullptr;
  if (!PyArg_ParseTuple(args, "O!O", &PyTuple_Type, &positionals, &keywords)) return nullptr;
  std::vector<PyObject*> all;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(positionals); ++i) all.push_back(PyTuple_GET_ITEM(positionals, i));
  nb::object names;
  if (keywords != Py_None) {
    nb::object list = nb::steal(PyDict_Keys(keywords));
    if (!list.is_valid()) return nullptr;
    names = nb::steal(PyList_AsTuple(list.ptr()));
    if (!names.is_valid()) return nullptr;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names.ptr()); ++i) {
      all.push_back(PyDict_GetItemWithError(keywords, PyTuple_GET_ITEM(names.ptr(), i)));
    }
  }
  const CachedFacts& facts = target_of(self).facts;
  Bound bound(facts.plan().size());
  if (!facts.plan().bind({all.data(), PyTuple_GET_SIZE(positionals), names.ptr()}, Receiver::given, bound)) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "the arguments do not fit");
    return nullptr;
  }
  return facts.plan().named(bound);
}

PyObject* count_failure(PyObject* self, PyObject* what) {
  const std::shared_ptr<Engine> engine = target_of(self).facts.core->engine;
  if (engine == nullptr) Py_RETURN_NONE;
  if (PyObject_IsTrue(what) == 1) engine->count_decode_failure();
  else engine->count_verify_failure();
  Py_RETURN_NONE;
}

template <class Function>
PyCFunction as_method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
#define KEYED_METHODS                                                                                      \
  {"key", as_method(on_target<key>), kFast, "The key of a call with these arguments."},                    \
      {"invalidate", as_method(on_target<invalidate>), kFast,                                              \
       "Drops what is cached for these arguments, and fences loads in flight."},                           \
      {"refresh", as_method(on_target<refresh>), kFast, "Loads, stores and returns, whatever is cached."}, \
      {"uncached", as_method(on_target<uncached>), kFast,                                                  \
       "Calls the function itself: nothing is read, nothing stored."}

PyMethodDef methods[] = {KEYED_METHODS,
                         {"__reduce__", reduce, METH_NOARGS, nullptr},
                         {"__set_name__", set_name, METH_VARARGS, nullptr},
                         {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
                         {"_set_plan", set_plan, METH_O, nullptr},
                         {"_set_codec", set_codec, METH_O, nullptr},
                         {"_give_up", give_up, METH_NOARGS, nullptr},
                         {"_bound", bound_arguments, METH_VARARGS, nullptr},
                         {"_count_failure", count_failure, METH_O, "True: of decoding; False: of verifying."},
                         {}};
PyMethodDef bound_method_table[] = {KEYED_METHODS, {"__reduce__", bound_reduce, METH_NOARGS, nullptr}, {}};
#undef KEYED_METHODS

}  // namespace

PyMethodDef* cached_function_methods() { return methods; }
PyMethodDef* bound_methods() { return bound_method_table; }

}  // namespace tiercel::python
