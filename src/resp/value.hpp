// Owns: a RESP3 value as parsed: a tree of views into the receive buffer, valid until the buffer is written to again.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tiercel::resp {

struct Value {
  enum class Type : std::uint8_t {
    null,
    boolean,
    integer,
    real,
    big_number,
    simple_string,
    bulk_string,
    verbatim_string,
    simple_error,
    bulk_error,
    array,
    map,
    set,
    push,
    oversized,      // a bulk longer than the limit: read past, its bytes not kept; `integer` is its length
  };
  Type type = Type::null;
  std::int64_t integer = 0;          // integer, boolean (0 or 1), oversized
  double real = 0;
  std::string_view text;             // strings, errors, big numbers
  std::vector<Value> items;          // array, set, push; map: key, value, key, value ...
  // Attributes are parsed and dropped.

  bool is_null() const { return type == Type::null; }
  bool is_error() const { return type == Type::simple_error || type == Type::bulk_error; }
  bool is_string() const {
    return type == Type::simple_string || type == Type::bulk_string || type == Type::verbatim_string;
  }
  bool is_ok() const { return type == Type::simple_string && text == "OK"; }
};

// A deep copy that owns its bytes, for a reply that outlives the buffer. Movable; views stay valid when moved.
class OwnedValue {
 public:
  explicit OwnedValue(const Value& value);
  const Value& get() const { return root_; }

 private:
  std::vector<std::vector<char>> texts_;
  Value root_;
};

}  // namespace tiercel::resp
