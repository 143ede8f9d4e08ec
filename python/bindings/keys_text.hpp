// Owns: the text of one value in a key. Grammar and reasons: docs/reference/keys.md; shared vectors: tests/vectors/keys.json.
// Raw CPython calls: this runs on every hit, and no frame of ours is made for the types that keys usually hold.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tiercel::python {

namespace nb = nanobind;

inline constexpr std::size_t kKeyNestingMax = 64;
inline constexpr std::size_t kKeyTextBytesMax = 16u << 20;

// Where a text stands, and so what is quoted in it: nothing when it is the only argument; what separates arguments and what globs
// mean something by when it is one of several; commas, parentheses and equals signs too inside a container.
enum class Quote : unsigned char { none, argument, item };

void append_quoted(std::string& out, std::string_view text, Quote quote);
// A valid UTF-8 view of a str; nullopt-like (data() == nullptr) with no error set when it has lone surrogates, or with one set.
std::string_view utf8(PyObject* text);

struct TypeText;

class KeyWriter {
 public:
  explicit KeyWriter(std::string& out) : out_(out) {}

  // Appends the text of `value`; a value whose type is `bare` carries no tag. False: a Python error is set, or why() says why not.
  bool append(PyObject* value, PyTypeObject* bare, Quote quote);
  // *args and **kwargs: tags of their own, so that no value given elsewhere reads the same.
  bool append_rest(PyObject* tuple);
  bool append_keywords(PyObject* dict);

  // Why the last append was refused: a phrase that goes after "argument 'x' ", the empty string when a Python error is set instead.
  const std::string& why() const { return why_; }
  // The type at fault, as in the message; empty unless a type was the reason.
  const std::string& type_at_fault() const { return type_at_fault_; }

 private:
  bool append_rare(PyObject* value, PyTypeObject* bare, Quote quote);
  bool append_str(PyObject* value, bool bare, Quote quote);
  bool append_int(PyObject* value, bool bare, Quote quote);
  bool append_float(PyObject* value, bool bare, Quote quote);
  bool append_bytes(PyObject* value, bool bare);
  bool append_uuid(PyObject* value, bool bare, Quote quote);
  bool append_printed(char tag, PyObject* value, bool bare, Quote quote);
  bool append_datetime(PyObject* value, bool bare, Quote quote);
  bool append_scalar(PyTypeObject* type, PyObject* value, bool bare, Quote quote, bool& known);
  bool append_sequence(char tag, PyObject* value);
  bool append_set(char tag, PyObject* value);
  bool append_map(char tag, PyObject* value, bool sorted);
  bool append_described(const TypeText& type, PyObject* value, bool bare, Quote quote);
  bool append_fields(const TypeText& type, PyObject* value, bool bare);
  bool append_field(PyObject* name, PyObject* value, bool& first);
  bool append_enum(const TypeText& type, PyObject* value, bool bare, Quote quote);
  bool append_subclass(const TypeText& type, PyObject* value, bool bare, Quote quote);
  bool append_own_key(const TypeText& type, PyObject* value, bool bare, Quote quote);
  bool append_item(PyObject* value) { return append(value, &PyUnicode_Type, Quote::item); }
  bool append_joined(std::vector<std::string>& items, char tag, bool sorted);

  bool refuse(std::string why);
  bool refuse_type(PyTypeObject* type, std::string_view reason);
  bool enter(PyObject* value);
  void leave() { within_.pop_back(); }

  std::string& out_;
  std::string why_, type_at_fault_;
  std::vector<PyObject*> within_;  // the containers being written, for cycles
};

}  // namespace tiercel::python
