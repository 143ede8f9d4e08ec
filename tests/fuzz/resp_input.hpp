// Owns: one input of the RESP3 fuzz target, as a function that the unit tests call too.
//
// The first byte chooses how the rest is cut into pieces. Whatever the bytes are: whole and in pieces they must give
// the same values and the same end, every view must be readable, and what is held must stay within the limits. A
// violation aborts.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "resp/parser.hpp"

namespace tiercel::test {

// A value as text that tells everything about it.
inline std::string described(const resp::Value& value) {
  using Type = resp::Value::Type;
  const auto with_items = [&](std::string opening) {
    for (const auto& item : value.items) opening += " " + described(item);
    return opening + ")";
  };
  switch (value.type) {
    case Type::null:
      return "null";
    case Type::boolean:
      return value.integer != 0 ? "true" : "false";
    case Type::integer:
      return std::to_string(value.integer);
    case Type::real:
      return "real:" + std::to_string(value.real);
    case Type::big_number:
      return "big:" + std::string(value.text);
    case Type::simple_string:
      return "+" + std::string(value.text);
    case Type::bulk_string:
      return "$" + std::string(value.text);
    case Type::verbatim_string:
      return "=" + std::string(value.text);
    case Type::simple_error:
      return "-" + std::string(value.text);
    case Type::bulk_error:
      return "!" + std::string(value.text);
    case Type::array:
      return with_items("array(");
    case Type::map:
      return with_items("map(");
    case Type::set:
      return with_items("set(");
    case Type::push:
      return with_items("push(");
    case Type::oversized:
      return "oversized:" + std::to_string(value.integer);
  }
  return "of no type";
}

inline void write_into(resp::Parser& parser, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto room = parser.prepare();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    parser.commit(count);
    bytes.remove_prefix(count);
  }
}

// Every value in `bytes`, a line each, and how it ended: "more" or "error". `piece` bytes at a time.
inline std::string read_in_pieces(std::string_view bytes, std::size_t piece, const resp::Limits& limits) {
  resp::Parser parser(limits);
  std::string told;
  while (!bytes.empty()) {
    write_into(parser, bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    auto next = parser.next();
    for (; next == resp::Parser::Next::value; next = parser.next()) told += described(parser.value()) + "\n";
    if (next == resp::Parser::Next::error) return told + "error: " + parser.error().what;
  }
  return told + "more";
}

inline void resp_input(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  resp::Limits small;
  small.bulk_bytes_max = 32;
  small.message_bytes_max = 256;
  small.line_bytes_max = 64;
  small.items_max = 64;
  small.depth_max = 8;
  const std::string_view bytes(reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1);
  const std::size_t piece = 1 + input[0] % 64;
  for (const auto& limits : {small, resp::Limits{}}) {
    const std::string whole = read_in_pieces(bytes, bytes.size(), limits);
    const std::string pieces = read_in_pieces(bytes, piece, limits);
    if (whole == pieces) continue;
    std::fprintf(stderr, "whole: %s\nin pieces of %zu: %s\n", whole.c_str(), piece, pieces.c_str());
    std::abort();
  }
}

}  // namespace tiercel::test
