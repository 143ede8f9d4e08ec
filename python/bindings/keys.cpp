#include "keys.hpp"

namespace tiercel::python {
namespace {

PyTypeObject* as_type(const nb::object& type) { return reinterpret_cast<PyTypeObject*>(type.ptr()); }

bool copy_text(PyObject* text, std::string& out) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text, &size);
  if (data == nullptr) return false;
  out.assign(data, static_cast<std::size_t>(size));
  return true;
}

PyObject* own_key() {
  static PyObject* const name = PyUnicode_InternFromString("__cache_key__");
  return name;
}

}  // namespace

bool has_cache_key(PyTypeObject* type) { return _PyType_Lookup(type, own_key()) != nullptr; }

bool KeyPlan::read(PyObject* spec) {
  PyObject *function = nullptr, *prefix = nullptr, *parameters = nullptr, *parts = nullptr, *builder = nullptr;
  if (!PyArg_ParseTuple(spec, "UOO!OO", &function, &prefix, &PyList_Type, &parameters, &parts, &builder)) return false;
  if (!copy_text(function, function_) || (prefix != Py_None && !copy_text(prefix, prefix_))) return false;
  if (builder != Py_None) key_builder_ = nb::borrow(builder);
  return read_parameters(parameters) && (parts == Py_None || read_template(parts));
}

bool KeyPlan::read_parameters(PyObject* list) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject *name = nullptr, *default_value = nullptr, *bare = nullptr;
    int kind = 0, has_default = 0, in_key = 0;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "UiOpO!p", &name, &kind, &default_value, &has_default, &PyType_Type,
                          &bare, &in_key)) {
      return false;
    }
    PyObject* interned = Py_NewRef(name);
    PyUnicode_InternInPlace(&interned);
    Parameter parameter{nb::steal(interned), static_cast<ParameterKind>(kind), {}, nb::borrow(bare), in_key != 0};
    if (has_default != 0) parameter.default_value = nb::borrow(default_value);
    const bool positional = parameter.kind <= ParameterKind::positional_or_keyword;
    positional_ += positional ? 1 : 0;
    required_ += positional && has_default == 0 ? 1 : 0;
    plain_ = plain_ && positional;
    if (parameter.kind == ParameterKind::var_positional) rest_ = static_cast<int>(i);
    if (parameter.kind == ParameterKind::var_keyword) keywords_ = static_cast<int>(i);
    parameters_.push_back(std::move(parameter));
  }
  return true;
}

bool KeyPlan::read_template(PyObject* parts) {
  for (Py_ssize_t i = 0; i < PyList_Size(parts); ++i) {
    PyObject *text = nullptr, *path = nullptr, *bare = nullptr;
    TemplatePart part;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(parts, i), "UiO!O!", &text, &part.parameter, &PyTuple_Type, &path,
                          &PyType_Type, &bare))
      return false;
    if (!copy_text(text, part.text)) return false;
    for (Py_ssize_t j = 0; j < PyTuple_GET_SIZE(path); ++j) part.path.push_back(nb::borrow(PyTuple_GET_ITEM(path, j)));
    part.bare = nb::borrow(bare);
    template_.push_back(std::move(part));
  }
  return PyErr_Occurred() == nullptr;
}

bool KeyPlan::key(const Bound& bound, Receiver receiver, std::string& out) const {
  if (!template_.empty()) return key_of_template(bound, receiver, out);
  out += prefix_;
  return key_builder_.is_valid() ? key_of_builder(bound, receiver, out) : key_of_arguments(bound, receiver, out);
}

PyObject* KeyPlan::first_argument(const Bound& bound) const {
  if (parameters_.empty()) return nullptr;
  if (rest_ != 0) return bound[0];
  return PyTuple_GET_SIZE(bound[0]) == 0 ? nullptr : PyTuple_GET_ITEM(bound[0], 0);
}

bool KeyPlan::key_of_arguments(const Bound& bound, Receiver receiver, std::string& out) const {
  const bool among_rest =
      receiver != Receiver::none && rest_ == 0;   // `def get(*args)`: the receiver is the first of them
  const std::size_t first = receiver == Receiver::none || among_rest ? 0 : 1;
  nb::object others;
  if (rest_ >= 0) others = nb::borrow(bound[static_cast<std::size_t>(rest_)]);
  if (among_rest && receiver == Receiver::given) {
    others = nb::steal(PyTuple_GetSlice(bound[0], 1, PY_SSIZE_T_MAX));
    if (!others.is_valid()) return false;
  }
  bool receiver_stands = false;
  if (receiver == Receiver::given && !key_of_receiver(first_argument(bound), out, receiver_stands)) return false;
  std::size_t standing = receiver_stands ? 1 : 0;
  for (std::size_t i = first; i < parameters_.size(); ++i) standing += parameters_[i].in_key ? 1 : 0;
  const Quote quote = standing > 1 ? Quote::argument : Quote::none;
  KeyWriter text(out);
  for (std::size_t i = first; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (!parameter.in_key) continue;
    const bool rest = static_cast<int>(i) == rest_, keywords = static_cast<int>(i) == keywords_;
    if ((rest && PyTuple_GET_SIZE(others.ptr()) == 0) || (keywords && PyDict_GET_SIZE(bound[i]) == 0)) continue;
    out += ':';
    const bool done = rest       ? text.append_rest(others.ptr())
                      : keywords ? text.append_keywords(bound[i])
                                 : text.append(bound[i], as_type(parameter.bare), quote);
    if (!done) return refuse(parameter, text, bound[i]);
  }
  return true;
}

// self and cls are left out, but an instance with __cache_key__() puts its value in.
bool KeyPlan::key_of_receiver(PyObject* receiver, std::string& out, bool& stands) const {
  stands = receiver != nullptr && parameters_[0].in_key && has_cache_key(Py_TYPE(receiver));
  if (!stands) return true;
  nb::object value = nb::steal(PyObject_CallMethodNoArgs(receiver, own_key()));
  if (!value.is_valid()) return false;
  out += ':';
  KeyWriter text(out);
  return text.append(value.ptr(), &PyUnicode_Type, Quote::argument) || refuse(parameters_[0], text, value.ptr());
}

bool KeyPlan::key_of_template(const Bound& bound, Receiver receiver, std::string& out) const {
  std::size_t fields = 0;
  for (const TemplatePart& part : template_) fields += part.parameter >= 0 ? 1 : 0;
  const Quote quote = fields > 1 ? Quote::argument : Quote::none;
  for (const TemplatePart& part : template_) {
    out += part.text;
    if (part.parameter < 0) continue;
    const auto at = static_cast<std::size_t>(part.parameter);
    if (bound[at] == nullptr || (receiver == Receiver::left_out && at == 0)) {
      PyErr_Format(PyExc_TypeError,
                   "%s(): the key needs '%U', which is not known through the class; call it on an instance",
                   function_.c_str(), parameters_[at].name.ptr());
      return false;
    }
    nb::object value = nb::borrow(bound[at]);
    for (const nb::object& name : part.path) {
      value = nb::steal(PyObject_GetAttr(value.ptr(), name.ptr()));
      if (!value.is_valid()) return false;
    }
    if (!append_part(part, value.ptr(), quote, out)) return false;
  }
  return true;
}

// What the grammar does not know, a template may still name, if the class says itself how it reads as text.
bool KeyPlan::append_part(const TemplatePart& part, PyObject* value, Quote quote, std::string& out) const {
  const std::size_t before = out.size();
  KeyWriter text(out);
  if (text.append(value, as_type(part.bare), quote)) return true;
  const Parameter& parameter = parameters_[static_cast<std::size_t>(part.parameter)];
  const bool has_text = Py_TYPE(value)->tp_str != PyBaseObject_Type.tp_str;
  if (PyErr_Occurred() != nullptr || text.type_at_fault().empty() || !has_text) return refuse(parameter, text, value);
  out.resize(before);
  nb::object printed = nb::steal(PyObject_Str(value));
  if (!printed.is_valid()) return false;
  return text.append(printed.ptr(), &PyUnicode_Type, quote) || refuse(parameter, text, value);
}

bool KeyPlan::key_of_builder(const Bound& bound, Receiver receiver, std::string& out) const {
  nb::object result = call_builder(bound, receiver);
  if (!result.is_valid()) return false;
  out += ':';
  const std::size_t before = out.size();
  if (PyUnicode_Check(result.ptr())) {
    std::string text;
    if (!copy_text(result.ptr(), text)) return false;
    out += text;
  } else {
    KeyWriter text(out);
    const bool scalar = result.ptr() != Py_None && !PyTuple_Check(result.ptr()) && !PyList_Check(result.ptr()) &&
                        !PyDict_Check(result.ptr()) && !PyAnySet_Check(result.ptr());
    if (!scalar || !text.append(result.ptr(), Py_TYPE(result.ptr()), Quote::none) || out.compare(before, 1, "~") == 0) {
      if (PyErr_Occurred() == nullptr) {
        PyErr_Format(PyExc_TypeError, "%s(): key_builder returned %R; return the text of the key, a str",
                     function_.c_str(), result.ptr());
      }
      return false;
    }
  }
  if (out.size() > before) return true;
  PyErr_Format(PyExc_ValueError, "%s(): key_builder returned an empty text, which would be one key for all",
               function_.c_str());
  return false;
}

// By position what can be given by position, so that names in the builder are its own; a receiver that is not known is None.
nb::object KeyPlan::call_builder(const Bound& bound, Receiver receiver) const {
  nb::object args = nb::steal(PyList_New(0)), keywords = nb::steal(PyDict_New());
  if (!args.is_valid() || !keywords.is_valid()) return {};
  if (receiver == Receiver::left_out && rest_ == 0 && PyList_Append(args.ptr(), Py_None) != 0) return {};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    PyObject* const value = bound[i] == nullptr ? Py_None : bound[i];
    const ParameterKind kind = parameters_[i].kind;
    int failed = 0;
    if (kind == ParameterKind::var_positional) {
      failed = PyList_SetSlice(args.ptr(), PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, value);
    } else if (kind == ParameterKind::var_keyword) {
      failed = PyDict_Update(keywords.ptr(), value);
    } else if (kind == ParameterKind::keyword_only) {
      failed = PyDict_SetItem(keywords.ptr(), parameters_[i].name.ptr(), value);
    } else {
      failed = PyList_Append(args.ptr(), value);
    }
    if (failed != 0) return {};
  }
  nb::object tuple = nb::steal(PyList_AsTuple(args.ptr()));
  return tuple.is_valid() ? nb::steal(PyObject_Call(key_builder_.ptr(), tuple.ptr(), keywords.ptr())) : nb::object();
}

bool KeyPlan::refuse(const Parameter& parameter, const KeyWriter& text, PyObject* value) const {
  if (PyErr_Occurred() != nullptr) return false;
  const char* const type = text.type_at_fault().empty() ? Py_TYPE(value)->tp_name : text.type_at_fault().c_str();
  PyErr_Format(
      text.type_at_fault().empty() ? PyExc_ValueError : PyExc_TypeError,
      "%s(): no key can be made of argument '%U': it %s. Leave the argument out with exclude=[\"%U\"], name the key with "
      "key= or key_builder=, or give %s a method __cache_key__()",
      function_.c_str(), parameter.name.ptr(), text.why().c_str(), parameter.name.ptr(), type);
  return false;
}

int KeyPlan::visit(visitproc visit, void* arg) const {
  for (const Parameter& parameter : parameters_) {
    Py_VISIT(parameter.default_value.ptr());
    Py_VISIT(parameter.bare.ptr());
  }
  for (const TemplatePart& part : template_) Py_VISIT(part.bare.ptr());
  Py_VISIT(key_builder_.ptr());
  return 0;
}

void KeyPlan::clear() {
  parameters_.clear();
  template_.clear();
  key_builder_.reset();
}

}  // namespace tiercel::python
