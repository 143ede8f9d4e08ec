// Owns: CachedFunction, what `@cached` makes of a function. Native, because a hit must not cost a Python frame: calling it makes a
// Call (call.hpp) or, for a `def` function, looks in L1 at once; whatever is not an L1 hit goes to the Python object `policy`
// (tiercel/_cached_read.py), which is also where its methods lead.
//
// Thread-safety: the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "cache_core.hpp"
#include "keys.hpp"

namespace tiercel::python {

struct CachedFacts {
  nb::object function;  // what was decorated
  nb::object cache;  // the tiercel.Cache ...
  CacheCore* core = nullptr;  // ... and its native part
  nb::object policy;
  Decoder decoder;  // of the return annotation; set by the policy before the first look-up
  // The last is in force. Earlier ones, made before all annotations could be resolved, stay: another thread may be writing a key.
  std::vector<std::unique_ptr<KeyPlan>> plans;
  double early = 0;  // LoadOptions::early of its calls: a hit whose refresh is due is the policy's to answer
  bool is_async = true;
  bool is_method = false;  // the first argument is the receiver, and stays out of the key
  bool is_method_by_place = false;  // ... by where it is written: its first parameter is not called self or cls
  bool ready = false;  // the policy has completed plan and codec
  bool bypass = false;  // found not cacheable: every call goes straight to the function

  const KeyPlan& plan() const { return *plans.back(); }
};

struct CachedFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* attributes;  // __dict__
  PyObject* weakrefs;
  CachedFacts* facts;
};

// What `service.get_by_id` gives; and `Service.get_by_id`, if instances of the class put __cache_key__() into keys: then it is bound to
// the class alone, so that it knows that it does not know the key.
struct BoundCachedFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* weakrefs;
  CachedFunction* function;
  PyObject* receiver;  // null: through the class
  PyObject* owner;  // null: by an instance
};

bool make_cached_types(PyObject* module);  // false: a Python error is set
PyTypeObject* cached_function_type();
PyObject* bind_receiver(CachedFunction* function, PyObject* receiver, PyObject* owner);  // one of them; a new reference
PyMethodDef* cached_function_methods();
PyMethodDef* bound_methods();

// A call's arguments with a receiver before them, where there is one.
class WithReceiver {
 public:
  WithReceiver(PyObject* receiver, PyObject* const* args, Py_ssize_t positional, PyObject* names);
  const Arguments& arguments() const { return arguments_; }
  nb::object tuple() const;  // positional ones; null with a Python error set
  nb::object dict() const;  // keywords, or None; null with a Python error set

 private:
  std::vector<PyObject*> all_;
  Arguments arguments_;
};

// How the receiver comes to the function, called with these arguments. False: a Python error is set.
bool receiver_in(const CachedFacts& facts, const Bound& bound, bool by_instance, Receiver& receiver);

// Completes the plan on first use. False: a Python error is set.
bool ensure_ready(CachedFacts& facts);
// The canonical key of a call, which came by an instance (`service.get(1)`) or not. False: a Python error is set, or none if the
// arguments do not fit.
bool call_key(const CachedFacts& facts, const Arguments& arguments, bool by_instance, std::string& key);
// The value of an L1 hit; null without a Python error: not a hit, or what is stored does not decode (counted, and dropped from L1).
nb::object find_value(const CachedFacts& facts, const std::string& key);
// Whether calls go straight to the function.
inline bool is_off(const CachedFacts& facts) { return facts.bypass || !facts.core->enabled; }
nb::object key_text(const std::string& key);

}  // namespace tiercel::python
