#include "arguments.hpp"

#include <algorithm>
#include <cmath>

#include "entry/key.hpp"

namespace tiercel::python {

void assign(KeyText& key, nb::handle given) {
  if (!key.assign(given.ptr())) throw nb::python_error();
}

bool skips_memory(nb::handle fresh, double staleness) {
  if (fresh.is_none()) return false;
  if (PyUnicode_Check(fresh.ptr())) {
    if (PyUnicode_CompareWithASCIIString(fresh.ptr(), "now") == 0) return true;
  } else if (PyFloat_Check(fresh.ptr()) || (PyLong_Check(fresh.ptr()) && !PyBool_Check(fresh.ptr()))) {
    const double seconds = PyFloat_AsDouble(fresh.ptr());
    if (seconds == -1.0 && PyErr_Occurred()) throw nb::python_error();
    if (seconds >= 0) return seconds < staleness;
  }
  PyErr_Format(PyExc_ValueError, "fresh: expected \"now\", or seconds of 0 or more, not %R", fresh.ptr());
  throw nb::python_error();
}

std::string text(const char* what, nb::handle given, std::size_t bytes_max) {
  Py_ssize_t size = 0;
  const char* bytes = nullptr;
  if (PyUnicode_Check(given.ptr())) {
    bytes = PyUnicode_AsUTF8AndSize(given.ptr(), &size);
    if (bytes == nullptr) {
      PyErr_Clear();
      PyErr_Format(PyExc_ValueError, "%s: %R has lone surrogates and is not text in UTF-8", what, given.ptr());
      throw nb::python_error();
    }
  } else {
    PyErr_Format(PyExc_TypeError, "%s: expected a str, not %.100s", what, Py_TYPE(given.ptr())->tp_name);
    throw nb::python_error();
  }
  if (size == 0) PyErr_Format(PyExc_ValueError, "%s: it is empty", what);
  else if (static_cast<std::size_t>(size) > bytes_max)
    PyErr_Format(PyExc_ValueError, "%s: %zd bytes, the limit is %zu", what, size, bytes_max);
  if (PyErr_Occurred()) throw nb::python_error();
  return {bytes, static_cast<std::size_t>(size)};
}

std::vector<std::string> tags_of(nb::handle given) {
  if (PyUnicode_Check(given.ptr())) throw nb::type_error("tags: expected a list of str, not one str");
  std::vector<std::string> tags;
  for (nb::handle tag : nb::iter(given)) {
    std::string name = text("tags", tag, kTagBytesMax);
    if (std::find(tags.begin(), tags.end(), name) == tags.end()) tags.push_back(std::move(name));
  }
  if (tags.size() > kTagsMax) throw nb::value_error("tags: more than 64 for one entry");
  return tags;
}

std::optional<Duration> duration(const char* what, nb::handle seconds) {
  if (seconds.is_none()) return std::nullopt;
  const double value = PyFloat_AsDouble(seconds.ptr());
  if (value == -1.0 && PyErr_Occurred()) throw nb::python_error();
  if (!(value > 0) || value > 4e9) {
    PyErr_Format(PyExc_ValueError, "%s: %R is not a number of seconds above zero", what, seconds.ptr());
    throw nb::python_error();
  }
  return std::max(Duration{1}, Duration{std::llround(value * 1e6)});
}

}  // namespace tiercel::python
