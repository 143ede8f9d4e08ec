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

// Called on an instance, a plain function that a class only names is the same call as f(instance), and has its key. Called through the class,
// what is no instance of it is refused: whoever uses the class as a namespace has forgotten @staticmethod, and key() could not know.
bool receiver_in(const CachedFacts& facts, const Bound& bound, bool by_instance, Receiver& receiver) {
  receiver = facts.is_method ? Receiver::given : Receiver::none;
  PyObject* const first = !by_instance && facts.is_method_by_place ? facts.plan().first_argument(bound) : nullptr;
  if (first == nullptr) return true;
  nb::object is_one = nb::steal(PyObject_CallMethod(facts.policy.ptr(), "is_receiver", "O", first));
  if (is_one.is_valid() && is_one.ptr() == Py_False) {
    PyErr_Format(
        PyExc_TypeError,
        "%U(): the first argument is no instance of the class it stands in; if it is a function of its own there, write "
        "@staticmethod above it",
        nb::cast<nb::str>(facts.policy.attr("name")).ptr());
    return false;
  }
  return is_one.is_valid();
}

namespace {

// The whole text, as a person would have written it; canonical only where something is looked up.
bool whole_key(const CachedFacts& facts, const Arguments& arguments, bool by_instance, std::string& key) {
  const KeyPlan& plan = facts.plan();
  Bound bound(plan.size());
  Receiver receiver{};
  return plan.bind(arguments, Receiver::given, bound) && receiver_in(facts, bound, by_instance, receiver) &&
         plan.key(bound, receiver, key);
}

}  // namespace

bool call_key(const CachedFacts& facts, const Arguments& arguments, bool by_instance, std::string& key) {
  key.reserve(96);
  if (!whole_key(facts, arguments, by_instance, key)) return false;
  if (!is_canonical_key(key)) key = canonical_key(key);
  return true;
}

nb::object find_value(const CachedFacts& facts, const std::string& key) {
  const EntryRef entry = facts.core->find(key, std::nullopt, facts.early);
  if (!entry) return {};
  nb::object value = facts.decoder(entry->facts().codec, entry->payload());
  if (value.is_valid()) return value;
  if (PyErr_Occurred() != nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return {};  // KeyboardInterrupt is nobody's damaged entry
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
  PyObject* object;  // what the method was called on
  CachedFacts& facts;
  PyObject* receiver;
  bool receiver_stands;  // not known, but what its __cache_key__() says would stand in the key
};

Target target_of(PyObject* self) {
  if (Py_TYPE(self) == cached_function_type()) {
    return {self, *reinterpret_cast<CachedFunction*>(self)->facts, nullptr, false};
  }
  const auto* bound = reinterpret_cast<BoundCachedFunction*>(self);
  return {self, *bound->function->facts, bound->receiver,
          bound->owner != nullptr && bound->function->facts->plan().asks_receiver()};
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

// Through the class, where the receiver is not known.
bool key_through_class(const Target& target, const Arguments& arguments, std::string& key) {
  const KeyPlan& plan = target.facts.plan();
  Bound bound(plan.size());
  return plan.bind(arguments, Receiver::left_out, bound) && plan.key(bound, Receiver::left_out, key);
}

nb::object no_receiver(const Target& target, const char* method) {
  const nb::object name = nb::steal(PyObject_GetAttrString(target.object, "__qualname__"));
  if (name.is_valid()) {
    PyErr_Format(
        PyExc_TypeError,
        "%S.%s(): what __cache_key__() of the instance says stands in the key, and through the class it is not "
        "known; call it on an instance",
        name.ptr(), method);
  }
  return {};
}

nb::object key_of(const Target& target, const char* method, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (!ensure_ready(target.facts)) return {};
  if (target.receiver_stands) return no_receiver(target, method);
  const WithReceiver all(target.receiver, args, count, names);
  const bool by_instance = target.receiver != nullptr, through_class = !by_instance && target.facts.is_method;
  std::string key;
  const bool made = through_class ? key_through_class(target, all.arguments(), key)
                                  : whole_key(target.facts, all.arguments(), by_instance, key);
  if (made) return key_text(key);
  misfit(target, method, all, through_class ? Receiver::left_out : Receiver::given);
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
  std::string text;
  if (!whole_key(target.facts, all.arguments(), !receiver.is_none(), text)) {
    return misfit(target, "refresh", all, Receiver::given);
  }
  nb::object key = key_text(text), positionals = all.tuple(), keywords = all.dict();
  if (!key.is_valid() || !positionals.is_valid() || !keywords.is_valid()) return nullptr;
  return PyObject_CallMethod(target.facts.policy.ptr(), "refresh", "OOO", key.ptr(), positionals.ptr(), keywords.ptr());
}

// ---- what Python's own protocols ask

PyObject* reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

PyObject* bound_reduce(PyObject* self, PyObject*) {
  const auto* bound = reinterpret_cast<BoundCachedFunction*>(self);
  nb::object builtins = nb::steal(PyImport_ImportModule("builtins"));
  if (!builtins.is_valid()) return nullptr;
  nb::object getattr = nb::steal(PyObject_GetAttrString(builtins.ptr(), "getattr"));
  nb::object name = nb::steal(PyObject_GetAttrString(self, "__name__"));
  if (!getattr.is_valid() || !name.is_valid()) return nullptr;
  return Py_BuildValue("O(OO)", getattr.ptr(), bound->receiver != nullptr ? bound->receiver : bound->owner, name.ptr());
}

// Called when a class names it. Written in that class' body it is a method, whatever its first parameter is called; a plain function
// that the class only names as well stays one.
PyObject* set_name(PyObject* self, PyObject* args) {
  PyObject *owner = nullptr, *name = nullptr;
  if (!PyArg_ParseTuple(args, "OO", &owner, &name)) return nullptr;
  CachedFacts& facts = target_of(self).facts;
  const nb::object belongs = nb::steal(PyObject_CallMethod(facts.policy.ptr(), "belongs_to", "O", owner));
  if (!belongs.is_valid()) return nullptr;
  if (belongs.ptr() == Py_True && !facts.is_method) facts.is_method = facts.is_method_by_place = true;
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
