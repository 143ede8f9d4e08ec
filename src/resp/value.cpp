#include "resp/value.hpp"

#include <algorithm>

namespace tiercel::resp {
namespace {

// Recursion is bounded by the parser's depth_max. Each text gets a block of its own: a vector's bytes stay where they
// are when it moves.
Value copy_of(const Value& from, std::vector<std::vector<char>>& texts) {
  Value to;
  to.type = from.type;
  to.integer = from.integer;
  to.real = from.real;
  if (!from.text.empty()) {
    const auto& text = texts.emplace_back(from.text.begin(), from.text.end());
    to.text = {text.data(), text.size()};
  }
  to.items.reserve(from.items.size());
  for (const auto& item : from.items) to.items.push_back(copy_of(item, texts));
  return to;
}

}  // namespace

OwnedValue::OwnedValue(const Value& value) : root_(copy_of(value, texts_)) {}

}  // namespace tiercel::resp
