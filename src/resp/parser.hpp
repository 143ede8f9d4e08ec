// Owns: the receive buffer of a connection, and the reading of RESP3 (and RESP2's nulls) out of it, in place and in
// pieces.
//
// Use: write into prepare(), say how much with commit(), call next() until it says `more` or `error`. The views in
// value() point into the buffer and are good until the next prepare(); value() itself until the next next().
//
// Cost: a reply is looked at once. What is incomplete is remembered (open aggregates, how far a line was searched, how
// much of a bulk is missing), so no way of cutting the bytes into pieces makes reading quadratic.
//
// Bounds: every number that the server announces is compared with a limit before anything is reserved for it. A bulk
// that is too long is not an error: it is read past, and comes out as Type::oversized with its length. Everything else
// that is wrong is an error of ErrorCode::protocol, after which the parser gives nothing more until reset(): bytes
// after a surprise mean nothing.
//
// Not taken: streamed strings and aggregates ($?, *?, and their like): no server sends them; they are a protocol error.
// Pushes inside other values likewise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "resp/value.hpp"

namespace tiercel::resp {

struct Limits {
  std::size_t bulk_bytes_max = (8u << 20) + 65536;  // longer: read past, Type::oversized
  // Of one reply: a bulk that would pass it is read past too; a reply twice as long is an error.
  std::size_t message_bytes_max = 256u << 20;
  std::uint64_t skipped_bytes_max = 1ull << 40;  // an announced length above this is no length
  std::size_t line_bytes_max = 64u << 10;  // simple strings, errors, big numbers
  std::size_t items_max = 1'000'000;  // of one reply, all levels together
  std::size_t depth_max = 32;
};

class Parser {
 public:
  enum class Next : std::uint8_t { value, more, error };

  explicit Parser(Limits limits = {});

  std::span<char> prepare();  // where to write what arrives; never empty
  void commit(std::size_t bytes);  // so many were written
  Next next();
  const Value& value() const { return value_; }  // after Next::value
  const Error& error() const { return *error_; }  // after Next::error
  void reset();  // a new connection: nothing received

  std::size_t buffered() const { return end_ - begin_; }  // received, and not yet part of a value given out
  std::size_t capacity() const { return capacity_; }

 private:
  enum class Step : std::uint8_t { leaf, opened, dropped, more, error };
  struct Open {  // an aggregate whose items are still coming
    Value value;
    std::uint64_t items_left = 0;
    bool attribute = false;
  };

  Next read_message();
  bool finish_element();
  Step read_element(Value& out);
  Step read_bulk(Value& out, Value::Type type);
  Step read_past(Value& out);
  Step open_aggregate(Value& out, Value::Type type, unsigned items_each, bool attribute);
  Step read_length(std::int64_t& length, std::size_t& header_bytes);
  Step read_integer(Value& out);
  Step read_text(Value& out, Value::Type type);
  Step read_big_number(Value& out);
  Step read_real(Value& out);
  Step read_boolean(Value& out);
  Step read_null(Value& out);
  Step read_line(std::string_view& line);
  Step fail(const char* what);
  void consume(std::size_t bytes) {
    at_ += bytes;
    reply_bytes_ += bytes;
  }
  void cut_out(std::size_t bytes);  // of what is at `at_`

  void make_room(std::size_t bytes);
  void move_to(char* base);
  void shrink_if_idle();

  Limits limits_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // where the reply now being read starts
  std::size_t at_ = 0;  // where its next element starts
  std::size_t reply_bytes_ = 0;  // of the reply now being read, without those of bulks too long by themselves
  std::size_t end_ = 0;  // behind the last byte received
  std::size_t searched_ = 0;  // bytes of the line at `at_` known to hold no line end
  std::size_t missing_ = 0;  // of the bulk at `at_`; 0: not known
  std::uint64_t skip_left_ = 0;  // of a bulk that is read past
  std::int64_t skip_length_ = 0;  // its whole length
  bool skipping_ = false;
  std::size_t items_left_;  // that this reply may still announce
  std::vector<Open> open_;
  Value value_;
  std::optional<Error> error_;
  std::size_t most_used_ = 0;  // bytes, since the buffer was last empty
  unsigned small_uses_ = 0;  // in a row
};

}  // namespace tiercel::resp
