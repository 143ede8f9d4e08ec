// Owns: what the bindings of single HTTP rules share: header lists read in, names of outcomes, bytes out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nanobind/nanobind.h>

#include "http/cache_control.hpp"
#include "http_request.hpp"

namespace tiercel::python {

namespace nb = nanobind;

// Views into Python's bytes: the list outlives the call.
class HeaderList {
 public:
  explicit HeaderList(nb::handle list) {
    if (!read_headers(list, fields_, keep_)) nb::raise_python_error();
  }
  operator http::Fields() const { return fields_; }
  const std::vector<http::Field>& fields() const { return fields_; }

 private:
  std::vector<http::Field> fields_;
  nb::object keep_;
};

inline std::string_view text_of(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }
inline nb::object to_bytes(std::string_view text) { return nb::bytes(text.data(), text.size()); }
template <class Text>
nb::object to_bytes_or_none(const std::optional<Text>& text) {
  return text ? to_bytes(*text) : nb::none();
}
inline nb::list to_list(const std::vector<std::string>& texts) {
  nb::list list;
  for (const std::string& text : texts) list.append(to_bytes(text));
  return list;
}
inline nb::list to_pairs(http::Fields fields) {
  nb::list list;
  for (const http::Field& field : fields) list.append(nb::make_tuple(to_bytes(field.name), to_bytes(field.value)));
  return list;
}
inline nb::object sentence_or_none(const char* sentence) {
  return *sentence == '\0' ? nb::none() : nb::object(nb::str(sentence));
}
http::Profile profile_named(std::string_view name);  // "safe" or "rfc"; raises ValueError

void bind_http_reading(nb::module_& m);   // HttpReading: the words of fields
void bind_http_reuse(nb::module_& m);     // HttpReuse: storing, serving, validating
void bind_http_resource(nb::module_& m);  // HttpResource: targets, keys, tags, Cache-Status

}  // namespace tiercel::python
