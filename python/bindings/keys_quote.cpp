// Owns: percent-encoding of texts in keys.
#include <array>

#include "keys_text.hpp"

namespace tiercel::python {
namespace {

constexpr unsigned char kInArgument = 1, kInItem = 2;

constexpr std::array<unsigned char, 256> quoted_bytes() {
  std::array<unsigned char, 256> table{};
  for (unsigned byte = 0; byte < 0x20; ++byte) table[byte] = kInArgument | kInItem;
  table[0x7f] = kInArgument | kInItem;
  for (const unsigned char byte : {':', '%', '~', '*', '?', '[', ']', '\\', '^'}) table[byte] = kInArgument | kInItem;
  for (const unsigned char byte : {',', '(', ')', '='}) table[byte] = kInItem;
  return table;
}

constexpr std::array<unsigned char, 256> kQuoted = quoted_bytes();

void append_percent(std::string& out, char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  out += '%';
  out += digits[value >> 4];
  out += digits[value & 15];
}

// U+0080 to U+009F, the control characters beyond ASCII, are C2 80 to C2 9F.
bool is_wide_control(std::string_view text, std::size_t at) {
  return text[at] == '\xc2' && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0;
}

}  // namespace

void append_quoted(std::string& out, std::string_view text, Quote quote) {
  if (quote == Quote::none) {
    out += text;
    return;
  }
  const unsigned char mask = quote == Quote::item ? kInItem : kInArgument;
  std::size_t clean = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool wide = is_wide_control(text, at);
    if (!wide && (kQuoted[static_cast<unsigned char>(text[at])] & mask) == 0) continue;
    out += text.substr(clean, at - clean);
    append_percent(out, text[at]);
    if (wide) append_percent(out, text[++at]);
    clean = at + 1;
  }
  out += text.substr(clean);
}

std::string_view utf8(PyObject* text) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text, &size);
  if (data != nullptr) return {data, static_cast<std::size_t>(size)};
  if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) PyErr_Clear();
  return {};
}

}  // namespace tiercel::python
