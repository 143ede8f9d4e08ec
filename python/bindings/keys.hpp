// Owns: the key of one call of a decorated function. A KeyPlan is made at decoration and holds what is known by then: parameters,
// their defaults and annotations, which of them stand in the key. A call binds its arguments to it and asks for the text.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>
#include <vector>

#include "keys_text.hpp"

namespace tiercel::python {

namespace nb = nanobind;

// inspect's numbers.
enum class ParameterKind : unsigned char {
  positional_only,
  positional_or_keyword,
  var_positional,
  keyword_only,
  var_keyword
};

struct Parameter {
  nb::object name;  // interned
  ParameterKind kind;
  nb::object default_value;  // null: required
  nb::object bare;  // the type that needs no tag
  bool in_key;
};

// Text, or a parameter and the attributes to follow from it: `user:{order.user_id}`.
struct TemplatePart {
  std::string text;
  int parameter = -1;  // -1: text alone
  std::vector<nb::object> path;
  nb::object bare;
};

// Arguments as vectorcall gives them; `args` holds `positional` values, then those of `names`.
struct Arguments {
  PyObject* const* args;
  Py_ssize_t positional;
  PyObject* names;  // tuple of str, or null
};

// A call's arguments by parameter: borrowed, but for what * and ** gather.
class Bound {
 public:
  explicit Bound(std::size_t size) : size_(size) {
    if (size > kInline) more_.resize(size, nullptr);
  }
  PyObject*& operator[](std::size_t i) { return size_ > kInline ? more_[i] : few_[i]; }
  PyObject* operator[](std::size_t i) const { return size_ > kInline ? more_[i] : few_[i]; }
  PyObject* keep(nb::object owned) {
    owned_[owned_[0].is_valid() ? 1 : 0] = std::move(owned);
    return owned_[owned_[1].is_valid() ? 1 : 0].ptr();
  }

 private:
  static constexpr std::size_t kInline = 12;
  std::size_t size_;
  PyObject* few_[kInline] = {};
  std::vector<PyObject*> more_;
  nb::object owned_[2];  // at most one * and one **
};

// How the receiver of a method comes: as the first argument, or not at all (`UserService.get_by_id.invalidate("42")`).
enum class Receiver : unsigned char { none, given, left_out };

// Whether instances put a value of their own into keys.
bool has_cache_key(PyTypeObject* type);

class KeyPlan {
 public:
  // From Python: (function name, prefix or None, [(name, kind, default, has_default, bare, in_key)], template or None, key_builder or None).
  // False: a Python error is set.
  bool read(PyObject* spec);

  // False, without a Python error unless memory ran out: the arguments do not fit.
  bool bind(const Arguments& arguments, Receiver receiver, Bound& bound) const;
  // Whether they fit, told without binding where that is plain.
  bool fits(const Arguments& arguments) const;
  // Appends the key. False: a Python error is set.
  bool key(const Bound& bound, Receiver receiver, std::string& out) const;
  // name -> value, without a receiver left out; for tags. A new reference.
  PyObject* named(const Bound& bound) const;

  std::size_t size() const { return parameters_.size(); }
  // Whether a receiver with __cache_key__() stands in the key.
  bool asks_receiver() const {
    return template_.empty() && !key_builder_.is_valid() && !parameters_.empty() && parameters_[0].in_key;
  }
  // The first argument: a method's receiver, also where it is the first of *args. Borrowed; null if there is none.
  PyObject* first_argument(const Bound& bound) const;
  int visit(visitproc visit, void* arg) const;
  void clear();

 private:
  bool read_parameters(PyObject* list);
  bool read_template(PyObject* parts);
  bool take_keywords(const Arguments& arguments, Bound& bound, PyObject* gathered) const;
  bool fill_defaults(std::size_t first, Bound& bound) const;
  int find(PyObject* name) const;

  bool key_of_arguments(const Bound& bound, Receiver receiver, std::string& out) const;
  bool key_of_receiver(PyObject* receiver, std::string& out, bool& stands) const;
  bool key_of_template(const Bound& bound, Receiver receiver, std::string& out) const;
  bool append_part(const TemplatePart& part, PyObject* value, Quote quote, std::string& out) const;
  bool key_of_builder(const Bound& bound, Receiver receiver, std::string& out) const;
  nb::object call_builder(const Bound& bound, Receiver receiver) const;
  bool refuse(const Parameter& parameter, const KeyWriter& text, PyObject* value) const;

  std::string function_, prefix_;
  std::vector<Parameter> parameters_;
  std::vector<TemplatePart> template_;
  nb::object key_builder_;
  std::size_t required_ = 0, positional_ = 0;  // positional parameters without a default, and all of them
  bool plain_ = true;  // positional parameters alone, so that counting tells whether arguments fit
  int rest_ = -1, keywords_ = -1;  // the * and the ** parameter
};

}  // namespace tiercel::python
