// Owns: what the world does to us, as a value. `Result<T>` is a T or an Error that says what happened, where, and what to do.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/require.hpp"

namespace tiercel {

enum class ErrorCode : unsigned char {
  away,  // no connection to the server, or it was lost
  slow,  // no reply within the budget, or too much is in flight
  protocol,  // bytes that are not RESP3, or a reply of an unexpected shape
  refused,  // the server refused the command (READONLY, OOM, NOPERM, ...)
  loading,  // the server is loading its data; it will come
  authentication,  // NOAUTH, WRONGPASS: needs the operator
  too_old,  // the server lacks what we need (RESP3, version 6.2)
  cluster,  // MOVED or ASK on a non-cluster URL
  too_large,  // longer than a limit
  superseded,  // something newer is there, which was kept
  damaged,  // bytes at rest that are not a record of ours
  closed,  // the cache was closed
};

const char* name_of(ErrorCode code);

struct Error {
  ErrorCode code;
  std::string what;  // what happened, in one clause
  std::string advice;  // what to do, in one clause; may be empty

  std::string message() const { return advice.empty() ? what : what + ": " + advice; }
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() {
    TIERCEL_REQUIRE(ok());
    return std::get<0>(state_);
  }
  const T& value() const {
    TIERCEL_REQUIRE(ok());
    return std::get<0>(state_);
  }
  const Error& error() const {
    TIERCEL_REQUIRE(!ok());
    return std::get<1>(state_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace tiercel
