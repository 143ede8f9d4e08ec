#include "arguments.hpp"

#include <algorithm>
#include <cmath>

#include "entry/key.hpp"

namespace tiercel::python {

void assign(KeyText& key, nb::handle given) {
  if (!key.assign(given.ptr())) throw nb::python_error();
}

std::optional<Duration> fresh_of(nb::handle given, nb::handle cache) {
  if (given.is_none()) return std::nullopt;
  if (PyUnicode_Check(given.ptr()) && PyUnicode_CompareWithASCIIString(given.ptr(), "now") == 0) return Duration{0};
  nb::object read;
  double seconds = PyFloat_CheckExact(given.ptr()) ? PyFloat_AS_DOUBLE(given.ptr()) : -1.0;
  if (!(seconds >= 0)) {
    read = cache.attr("_parse_fresh")(given);
    if (read.is_none()) return std::nullopt;
    seconds = nb::cast<double>(read);
  }
  return Duration{std::llround(std::min(seconds, 4e9) * 1e6)};
}

std::optional<std::uint64_t> version_of(nb::handle given) {
  if (given.is_none()) return std::nullopt;
  const bool is_int = PyLong_Check(given.ptr()) && !PyBool_Check(given.ptr());
  const std::uint64_t version = is_int ? PyLong_AsUnsignedLongLong(given.ptr()) : 0;
  if (is_int && !PyErr_Occurred()) return version;
  PyErr_Clear();
  PyErr_Format(PyExc_ValueError, "version: expected an int from 0 to 2**64 - 1, not %R", given.ptr());
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
  if (tags.size() > kTagsMax) {
    PyErr_Format(PyExc_ValueError, "tags: %zu of them; an entry carries at most %zu", tags.size(), kTagsMax);
    throw nb::python_error();
  }
  return tags;
}

namespace {

void drop_repeats(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace

std::vector<std::string> key_set(nb::handle given) {
  if (PyUnicode_Check(given.ptr()) || PyBytes_Check(given.ptr()))
    throw nb::type_error("keys: expected a list of keys, not one key");
  std::vector<std::string> keys;
  for (nb::handle key : nb::iter(given)) {
    KeyText name;
    assign(name, key);
    keys.emplace_back(name.view());
  }
  drop_repeats(keys);
  return keys;
}

std::vector<std::string> tag_set(nb::handle given) {
  if (PyUnicode_Check(given.ptr())) throw nb::type_error("tags: expected a list of str, not one str");
  std::vector<std::string> tags;
  for (nb::handle tag : nb::iter(given)) tags.push_back(text("tags", tag, kTagBytesMax));
  drop_repeats(tags);
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
