#include "request.hpp"

#include "entry/key.hpp"
#include "outcome.hpp"

namespace tiercel::python {

bool KeyText::assign(PyObject* key) {
  Py_ssize_t size = 0;
  const char* bytes = nullptr;
  if (PyUnicode_Check(key)) {
    bytes = PyUnicode_AsUTF8AndSize(key, &size);   // kept by the str itself
    if (bytes == nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
      PyErr_Clear();
      PyErr_Format(PyExc_ValueError,
                   "key: %R has lone surrogates and is not text in UTF-8; pass bytes for keys that are not text", key);
      return false;
    }
  } else if (PyBytes_Check(key)) {
    bytes = PyBytes_AS_STRING(key);
    size = PyBytes_GET_SIZE(key);
  } else {
    const bool several = PyList_Check(key) || PyTuple_Check(key) || PyAnySet_Check(key);
    PyErr_Format(PyExc_TypeError, "key: expected a str or bytes, not %.100s%s", Py_TYPE(key)->tp_name,
                 several ? "; several keys are given one by one, as in delete(*keys)" : "");
    return false;
  }
  if (size == 0) {
    PyErr_SetString(PyExc_ValueError, "key: it is empty");
    return false;
  }
  borrowed_ = {bytes, static_cast<std::size_t>(size)};
  if (is_canonical_key(borrowed_)) {
    held_ = nb::borrow(key);
  } else {
    owned_ = canonical_key(borrowed_);
  }
  return true;
}

PyObject* Request::finish(CacheCore&, Outcome&& outcome) { return outcome_object(std::move(outcome)); }

Outcome degraded(Outcome::Kind kind, ErrorCode code, const char* what) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.degraded = true;
  outcome.error = Error{code, what, ""};
  return outcome;
}

}  // namespace tiercel::python
