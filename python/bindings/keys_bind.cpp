// Binding arguments to parameters, as a call does: positional, keywords, defaults, * and **.
#include "keys.hpp"

namespace tiercel::python {

bool KeyPlan::fits(const Arguments& arguments) const {
  const auto given = static_cast<std::size_t>(arguments.positional);
  if (arguments.names == nullptr && plain_) return required_ <= given && given <= positional_;
  Bound bound(size());
  return bind(arguments, Receiver::given, bound);
}

bool KeyPlan::bind(const Arguments& arguments, Receiver receiver, Bound& bound) const {
  const std::size_t first = receiver == Receiver::left_out ? 1 : 0;
  const auto given = static_cast<std::size_t>(arguments.positional);
  const std::size_t taken = std::min(given, positional_ > first ? positional_ - first : 0);
  for (std::size_t i = 0; i < taken; ++i) bound[first + i] = arguments.args[i];
  if (taken < given && rest_ < 0) return false;
  if (rest_ >= 0) {
    nb::object rest = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(given - taken)));
    if (!rest.is_valid()) return false;
    for (std::size_t i = taken; i < given; ++i) {
      PyTuple_SET_ITEM(rest.ptr(), static_cast<Py_ssize_t>(i - taken), Py_NewRef(arguments.args[i]));
    }
    bound[static_cast<std::size_t>(rest_)] = bound.keep(std::move(rest));
  }
  PyObject* gathered = nullptr;
  if (keywords_ >= 0) {
    nb::object keywords = nb::steal(PyDict_New());
    if (!keywords.is_valid()) return false;
    gathered = bound[static_cast<std::size_t>(keywords_)] = bound.keep(std::move(keywords));
  }
  return (arguments.names == nullptr || take_keywords(arguments, bound, gathered)) && fill_defaults(first, bound);
}

bool KeyPlan::take_keywords(const Arguments& arguments, Bound& bound, PyObject* gathered) const {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(arguments.names); ++i) {
    PyObject* const name = PyTuple_GET_ITEM(arguments.names, i);
    PyObject* const value = arguments.args[arguments.positional + i];
    const int at = find(name);
    if (at >= 0) {
      if (bound[static_cast<std::size_t>(at)] != nullptr) return false;   // given twice
      bound[static_cast<std::size_t>(at)] = value;
    } else if (gathered == nullptr || PyDict_SetItem(gathered, name, value) < 0) {
      return false;
    }
  }
  return true;
}

bool KeyPlan::fill_defaults(std::size_t first, Bound& bound) const {
  for (std::size_t i = first; i < parameters_.size(); ++i) {
    if (bound[i] != nullptr) continue;
    if (!parameters_[i].default_value.is_valid()) return false;
    bound[i] = parameters_[i].default_value.ptr();
  }
  return true;
}

// The parameter a keyword names, or -1. Names are interned, so identity decides nearly always.
int KeyPlan::find(PyObject* name) const {
  const auto takes_keyword = [](const Parameter& parameter) {
    return parameter.kind == ParameterKind::positional_or_keyword || parameter.kind == ParameterKind::keyword_only;
  };
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].name.ptr() == name && takes_keyword(parameters_[i])) return static_cast<int>(i);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (takes_keyword(parameters_[i]) && PyUnicode_Compare(parameters_[i].name.ptr(), name) == 0)
      return static_cast<int>(i);
  }
  return -1;
}

PyObject* KeyPlan::named(const Bound& bound) const {
  nb::object names = nb::steal(PyDict_New());
  if (!names.is_valid()) return nullptr;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (bound[i] != nullptr && PyDict_SetItem(names.ptr(), parameters_[i].name.ptr(), bound[i]) < 0) return nullptr;
  }
  return names.release().ptr();
}

}  // namespace tiercel::python
