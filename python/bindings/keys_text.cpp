// Scalars, and which kind a value is of. Containers and described classes: keys_containers.cpp.
#include "keys_text.hpp"

#include <datetime.h>

#include <array>
#include <charconv>
#include <memory>

#include "keys_types.hpp"

namespace tiercel::python {
namespace {

constexpr std::size_t kDecimalBitsMax = 4096;   // beyond: hexadecimal, because Python refuses to print long decimals

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char byte : bytes) {
    out += digits[static_cast<unsigned char>(byte) >> 4];
    out += digits[static_cast<unsigned char>(byte) & 15];
  }
}

void append_tag(std::string& out, char tag) {
  out += '~';
  out += tag;
}

// A str with lone surrogates has no UTF-8. Its bytes as Python's "surrogatepass" gives them, all but letters and digits quoted:
// after ~s no other text looks like that, because only texts that are empty or begin with ~ are tagged.
bool append_surrogates(std::string& out, PyObject* text) {
  nb::object bytes = nb::steal(PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass"));
  if (!bytes.is_valid()) return false;
  append_tag(out, 's');
  for (const char byte :
       std::string_view(PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr())))) {
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) {
      out += byte;
      continue;
    }
    constexpr std::string_view digits = "0123456789ABCDEF";
    out += '%';
    out += digits[static_cast<unsigned char>(byte) >> 4];
    out += digits[static_cast<unsigned char>(byte) & 15];
  }
  return true;
}

bool load_datetime() {
  if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
  return PyDateTimeAPI != nullptr;
}

}  // namespace

bool KeyWriter::append(PyObject* value, PyTypeObject* bare, Quote quote) {
  PyTypeObject* const type = Py_TYPE(value);
  if (out_.size() > kKeyTextBytesMax) return refuse("is longer than 16 MiB as text");
  if (type == &PyUnicode_Type) return append_str(value, type == bare, quote);
  if (type == &PyLong_Type) return append_int(value, type == bare, quote);
  if (value == Py_None) {
    out_ += '~';
    return true;
  }
  bool known = true;
  const bool done = append_scalar(type, value, type == bare, quote, known);
  return known ? done : append_rare(value, bare, quote);
}

// `type`: the exact scalar, which for a subclass is its base.
bool KeyWriter::append_scalar(PyTypeObject* type, PyObject* value, bool bare, Quote quote, bool& known) {
  if (type == &PyUnicode_Type) return append_str(value, bare, quote);
  if (type == &PyLong_Type) return append_int(value, bare, quote);
  if (type == &PyBool_Type) {
    out_ += bare ? (value == Py_True ? "True" : "False") : (value == Py_True ? "~b1" : "~b0");
    return true;
  }
  if (type == &PyFloat_Type) return append_float(value, bare, quote);
  if (type == &PyBytes_Type) return append_bytes(value, bare);
  const KnownTypes* const types = known_types();
  if (types == nullptr || !load_datetime()) return false;
  if (type == types->uuid) return append_uuid(value, bare, quote);
  if (type == types->decimal) return append_printed('n', value, bare, quote);
  if (type == PyDateTimeAPI->DateTimeType) return append_datetime(value, bare, quote);
  if (type == PyDateTimeAPI->DateType) return append_printed('D', value, bare, quote);
  if (type == PyDateTimeAPI->TimeType) return append_datetime(value, bare, quote);
  if (type == PyDateTimeAPI->DeltaType) return append_printed('p', value, bare, quote);
  known = false;
  return false;
}

bool KeyWriter::append_str(PyObject* value, bool bare, Quote quote) {
  const std::string_view text = utf8(value);
  if (text.data() == nullptr) return PyErr_Occurred() == nullptr && append_surrogates(out_, value);
  if (!bare || text.empty() || text.front() == '~') append_tag(out_, 's');
  append_quoted(out_, text, quote);
  return true;
}

bool KeyWriter::append_int(PyObject* value, bool bare, Quote) {
  if (!bare) append_tag(out_, 'i');
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow == 0) {
    if (number == -1 && PyErr_Occurred() != nullptr) return false;
    std::array<char, 24> digits;
    out_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
    return true;
  }
  nb::object bits = nb::steal(PyObject_CallMethod(value, "bit_length", nullptr));
  if (!bits.is_valid()) return false;
  const int base = PyLong_AsSize_t(bits.ptr()) > kDecimalBitsMax ? 16 : 10;
  nb::object text = nb::steal(PyNumber_ToBase(value, base));
  if (!text.is_valid()) return false;
  out_ += utf8(text.ptr());
  return true;
}

bool KeyWriter::append_float(PyObject* value, bool bare, Quote) {
  if (!bare) append_tag(out_, 'f');
  const std::unique_ptr<char, void (*)(void*)> text(
      PyOS_double_to_string(PyFloat_AS_DOUBLE(value), 'r', 0, Py_DTSF_ADD_DOT_0, nullptr), PyMem_Free);
  if (text == nullptr) return false;
  out_ += text.get();
  return true;
}

bool KeyWriter::append_bytes(PyObject* value, bool bare) {
  // Empty bytes are tagged even where bytes are annotated, as an empty str is: no argument is without a text.
  const std::string_view bytes(PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
  if (!bare || bytes.empty()) append_tag(out_, 'x');
  append_hex(out_, bytes);
  return true;
}

// uuid.UUID.__str__ is Python code; the digits of its number are not.
bool KeyWriter::append_uuid(PyObject* value, bool bare, Quote) {
  nb::object number = nb::steal(PyObject_GetAttrString(value, "int"));
  if (!number.is_valid()) return false;
  nb::object bytes = nb::steal(PyObject_CallMethod(number.ptr(), "to_bytes", "is", 16, "big"));
  if (!bytes.is_valid() || PyBytes_GET_SIZE(bytes.ptr()) != 16) return false;
  if (!bare) append_tag(out_, 'u');
  const std::string_view all(PyBytes_AS_STRING(bytes.ptr()), 16);
  const char* separator = "";
  std::size_t at = 0;
  for (const std::size_t size : {4u, 2u, 2u, 2u, 6u}) {
    out_ += separator;
    append_hex(out_, all.substr(at, size));
    at += size;
    separator = "-";
  }
  return true;
}

// What str(value) gives.
bool KeyWriter::append_printed(char tag, PyObject* value, bool bare, Quote quote) {
  nb::object text = nb::steal(PyObject_Str(value));
  if (!text.is_valid()) return false;
  if (!bare) append_tag(out_, tag);
  append_quoted(out_, utf8(text.ptr()), quote);
  return true;
}

// str(value), and "/1" when fold is set: the second of two equal times when the clocks go back.
bool KeyWriter::append_datetime(PyObject* value, bool bare, Quote quote) {
  const bool dated = PyDateTime_Check(value);
  if (!append_printed(dated ? 'd' : 't', value, bare, quote)) return false;
  if ((dated ? PyDateTime_DATE_GET_FOLD(value) : PyDateTime_TIME_GET_FOLD(value)) != 0) out_ += "/1";
  return true;
}

bool KeyWriter::refuse(std::string why) {
  why_ = std::move(why);
  return false;
}

bool KeyWriter::refuse_type(PyTypeObject* type, std::string_view reason) {
  nb::object name = nb::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__qualname__"));
  if (!name.is_valid()) return false;
  type_at_fault_ = utf8(name.ptr());
  return refuse("holds " + std::string(reason) + " " + type_at_fault_);
}

bool KeyWriter::enter(PyObject* value) {
  for (PyObject* const outer : within_) {
    if (outer == value) return refuse("contains itself");
  }
  if (within_.size() >= kKeyNestingMax) return refuse("is nested deeper than 64 levels");
  within_.push_back(value);
  return true;
}

}  // namespace tiercel::python
