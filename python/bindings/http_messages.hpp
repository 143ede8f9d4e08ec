// Owns: the two ASGI messages of a stored response. What of them does not change with each hit is kept ready for a few hundred entries:
// the header list of the current second, and the body as the one bytes object. Under the GIL.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <nanobind/nanobind.h>

#include "http/stored.hpp"
#include "memory/entry.hpp"

namespace tiercel::python {

namespace nb = nanobind;

// Seconds since the epoch, moved on with the clock of tests.
std::int64_t wall_seconds();

class HttpMessages {
 public:
  explicit HttpMessages(bool mark);

  // (start, body) of an entry in L1; a null object if it is not a response. `head`: without the body.
  nb::object of_entry(const EntryRef& entry, bool head, std::int64_t now);
  // The same of bytes from elsewhere. `word`: HIT or STALE.
  nb::object of_response(const http::StoredResponse& response, bool head, const char* word, std::int64_t now) const;
  nb::object not_modified(const http::StoredResponse& response, std::int64_t now) const;

 private:
  struct Ready {
    std::int64_t second = -1;
    http::StoredResponse facts;  // without fields and body
    nb::object status, fixed, headers, body;
  };
  struct Slot {
    EntryRef entry;  // keeps the address from being another entry's
    std::shared_ptr<Ready> ready;
    std::size_t bytes = 0;
  };
  static constexpr std::size_t kSlots = 512;
  static constexpr std::size_t kReadyBytesMax = 16u << 20;

  std::shared_ptr<Ready> ready(const EntryRef& entry);
  void empty(Slot& slot);
  nb::list headers_of(nb::handle fixed, std::optional<std::int64_t> age, const char* word) const;
  nb::object pair(nb::handle status, nb::handle headers, nb::handle body) const;

  bool mark_;
  std::size_t ready_bytes_ = 0, hand_ = 0;
  std::array<Slot, kSlots> slots_;
  nb::object type_, status_, headers_, body_, start_, part_;  // the words of the messages, interned
  nb::object age_, x_cache_, hit_, stale_, nothing_;
};

}  // namespace tiercel::python
