// Containers, and classes described by tiercel._cached_types.
#include <algorithm>

#include "keys_text.hpp"
#include "keys_types.hpp"

namespace tiercel::python {
namespace {

PyTypeObject* as_type(const nb::object& type) { return reinterpret_cast<PyTypeObject*>(type.ptr()); }

// Whether a subclass' instance has attributes that its base' text would not show. -1: a Python error is set.
int has_own_state(PyObject* value) {
  nb::object attributes = nb::steal(PyObject_GetAttrString(value, "__dict__"));
  if (!attributes.is_valid()) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
    return 0;
  }
  return PyDict_Check(attributes.ptr()) && PyDict_GET_SIZE(attributes.ptr()) > 0 ? 1 : 0;
}

}  // namespace

bool KeyWriter::append_rare(PyObject* value, PyTypeObject* bare, Quote quote) {
  PyTypeObject* const type = Py_TYPE(value);
  if (PyErr_Occurred() != nullptr) return false;
  if (type == &PyList_Type) return append_sequence('l', value);
  if (type == &PyTuple_Type) return append_sequence('T', value);
  if (type == &PyDict_Type) return append_map('m', value, true);
  if (type == &PySet_Type) return append_set('S', value);
  if (type == &PyFrozenSet_Type) return append_set('F', value);
  const auto text = type_text(type);
  return text != nullptr && append_described(*text, value, type == bare, quote);
}

bool KeyWriter::append_sequence(char tag, PyObject* value) {
  // A tuple of its own: an item's __cache_key__() may change the list.
  nb::object items = nb::steal(PySequence_Tuple(value));
  if (!items.is_valid() || !enter(value)) return false;
  out_ += '~';
  out_ += tag;
  out_ += '(';
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.ptr()); ++i) {
    if (i > 0) out_ += ',';
    if (!append_item(PyTuple_GET_ITEM(items.ptr(), i))) return false;
  }
  out_ += ')';
  leave();
  return true;
}

// Elements in the order of their texts, which does not depend on hashes.
bool KeyWriter::append_set(char tag, PyObject* value) {
  nb::object items = nb::steal(PySequence_Tuple(value));
  if (!items.is_valid() || !enter(value)) return false;
  std::vector<std::string> texts;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.ptr()); ++i) {
    const std::size_t begin = out_.size();
    if (!append_item(PyTuple_GET_ITEM(items.ptr(), i))) return false;
    texts.push_back(out_.substr(begin));
    out_.resize(begin);
  }
  leave();
  return append_joined(texts, tag, true);
}

bool KeyWriter::append_map(char tag, PyObject* value, bool sorted) {
  nb::object pairs = nb::steal(PyDict_Items(value));
  if (!pairs.is_valid() || !enter(value)) return false;
  std::vector<std::string> texts;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs.ptr()); ++i) {
    nb::object pair = nb::borrow(PyList_GET_ITEM(pairs.ptr(), i));
    const std::size_t begin = out_.size();
    if (!append_item(PyTuple_GET_ITEM(pair.ptr(), 0))) return false;
    out_ += '=';
    if (!append_item(PyTuple_GET_ITEM(pair.ptr(), 1))) return false;
    texts.push_back(out_.substr(begin));
    out_.resize(begin);
  }
  leave();
  return append_joined(texts, tag, sorted);
}

bool KeyWriter::append_joined(std::vector<std::string>& items, char tag, bool sorted) {
  if (sorted) std::sort(items.begin(), items.end());
  out_ += '~';
  out_ += tag;
  out_ += '(';
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out_ += ',';
    out_ += items[i];
  }
  out_ += ')';
  return true;
}

bool KeyWriter::append_rest(PyObject* tuple) { return append_sequence('a', tuple); }
bool KeyWriter::append_keywords(PyObject* dict) { return append_map('k', dict, true); }

bool KeyWriter::append_described(const TypeText& type, PyObject* value, bool bare, Quote quote) {
  switch (type.kind) {
    case TypeText::Kind::own_key:
      return append_own_key(type, value, bare, quote);
    case TypeText::Kind::enumeration:
    case TypeText::Kind::flag:
      return append_enum(type, value, bare, quote);
    case TypeText::Kind::fields:
      return append_fields(type, value, bare);
    case TypeText::Kind::subclass:
      return append_subclass(type, value, bare, quote);
    case TypeText::Kind::unkeyable:
      break;
  }
  return refuse_type(Py_TYPE(value), "an object of type");
}

bool KeyWriter::append_own_key(const TypeText& type, PyObject* value, bool bare, Quote quote) {
  nb::object key = nb::steal(PyObject_CallMethod(value, "__cache_key__", nullptr));
  if (!key.is_valid() || !enter(value)) return false;
  if (!bare) {
    out_ += "~o(";
    out_ += type.name;
    out_ += ',';
  }
  if (!append(key.ptr(), &PyUnicode_Type, bare ? quote : Quote::item)) return false;
  if (!bare) out_ += ')';
  leave();
  return true;
}

// Bare, an enumeration's member is its value, as a person would write it; tagged, its name, which every member has.
bool KeyWriter::append_enum(const TypeText& type, PyObject* value, bool bare, Quote quote) {
  const bool by_value = bare || type.kind == TypeText::Kind::flag;
  nb::object content = nb::steal(PyObject_GetAttrString(value, by_value ? "_value_" : "_name_"));
  if (!content.is_valid()) return false;
  if (bare && type.base.is_valid()) return append(content.ptr(), as_type(type.base), quote);
  out_ += "~e(";
  out_ += type.name;
  out_ += ',';
  if (!append_item(content.ptr())) return false;
  out_ += ')';
  return true;
}

bool KeyWriter::append_subclass(const TypeText& type, PyObject* value, bool bare, Quote quote) {
  const int stateful = has_own_state(value);
  if (stateful < 0) return false;
  if (stateful > 0) return refuse_type(Py_TYPE(value), "an object with attributes of its own, of type");
  if (!bare) {
    out_ += "~o(";
    out_ += type.name;
    out_ += ',';
  }
  PyTypeObject* const base = as_type(type.base);
  bool known = true;
  bool done = append_scalar(base, value, bare || base == &PyUnicode_Type, bare ? quote : Quote::item, known);
  if (!known) {
    if (base == &PyList_Type) done = append_sequence('l', value);
    else if (base == &PyTuple_Type) done = append_sequence('T', value);
    else if (base == &PyDict_Type) done = append_map('m', value, false);   // an OrderedDict's order is part of it
    else if (base == &PySet_Type) done = append_set('S', value);
    else done = append_set('F', value);
  }
  if (done && !bare) out_ += ')';
  return done;
}

bool KeyWriter::append_fields(const TypeText& type, PyObject* value, bool bare) {
  if (!enter(value)) return false;
  out_ += "~o(";
  bool first = bare;
  if (!bare) out_ += type.name;
  for (const nb::object& name : type.fields) {
    nb::object field = nb::steal(PyObject_GetAttr(value, name.ptr()));
    if (!field.is_valid() || !append_field(name.ptr(), field.ptr(), first)) return false;
  }
  if (type.rest.is_valid()) {
    nb::object rest = nb::steal(PyObject_GetAttr(value, type.rest.ptr()));
    if (!rest.is_valid()) return false;
    if (PyDict_Check(rest.ptr()) && PyDict_GET_SIZE(rest.ptr()) > 0) {
      if (!first) out_ += ',';
      if (!append_map('m', rest.ptr(), true)) return false;
    }
  }
  out_ += ')';
  leave();
  return true;
}

bool KeyWriter::append_field(PyObject* name, PyObject* value, bool& first) {
  if (!first) out_ += ',';
  first = false;
  append_quoted(out_, utf8(name), Quote::item);
  out_ += '=';
  return append_item(value);
}

}  // namespace tiercel::python
