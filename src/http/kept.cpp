// What is kept of a message. See kept.hpp.
#include "http/kept.hpp"

#include <algorithm>

#include "http/cache_control.hpp"

namespace tiercel::http {

namespace {

bool ends_here(std::string_view name) {
  for (const char* dropped :
       {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "age", "x-cache"}) {
    if (equal_ignoring_case(name, dropped)) return true;
  }
  return equal_ignoring_case(name, kTargetedField) ||
         (name.size() > 6 && equal_ignoring_case(name.substr(0, 6), "proxy-"));
}

}  // namespace

bool less_ignoring_case(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) < lower(y);
  });
}

std::vector<Field> kept_fields(Fields response) {
  std::vector<std::string_view> named;
  each_line(response, "connection", [&](std::string_view line) {
    each_element(line, [&](std::string_view element) { named.push_back(element); });
  });
  std::sort(named.begin(), named.end(), less_ignoring_case);
  std::vector<Field> kept;
  for (const Field& field : response) {
    if (!ends_here(field.name) && !std::binary_search(named.begin(), named.end(), field.name, less_ignoring_case))
      kept.push_back(field);
  }
  return kept;
}

}  // namespace tiercel::http
