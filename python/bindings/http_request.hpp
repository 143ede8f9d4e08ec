// Owns: an HTTP request as the middleware needs it beyond a hit: a scope read once, its headers copied, because applications write into scopes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>

#include "http/key.hpp"
#include "http/request.hpp"
#include "http/storable.hpp"
#include "http/variants.hpp"

namespace tiercel::python {

namespace nb = nanobind;

// Header pairs, and views of them. Movable: the views point into the heap, never into the object.
class OwnedFields {
 public:
  void add(std::string_view name, std::string_view value);
  http::Fields view() const;
  std::size_t size() const { return ends_.size(); }

 private:
  std::string bytes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ends_;  // of name and value
  mutable std::vector<http::Field> views_;
};

// The pairs of an ASGI header list, as views into Python's bytes: valid while the list is not changed. False: a Python error is set.
bool read_headers(nb::handle list, std::vector<http::Field>& fields, nb::object& keep);

struct HttpRequest {
  http::Method method = http::Method::get;
  http::Request facts;  // its `host` is not to be used: it points into the scope
  std::string key;  // empty: not looked up
  std::string path;  // decoded, as the application sees it
  std::string place;  // the same below root_path: what tags are made of
  std::string raw_place;  // its bytes, where anything in them is encoded
  OwnedFields headers;
  bool would_hit = false;  // something is stored that this request may not have because of its credentials

  bool looks() const { return facts.bypass == http::Bypass::none; }
};

struct HttpDecision {
  http::Decision decision;
  int status = 200;
  std::int64_t received = 0;
  http::ContentLength length;
  OwnedFields kept;

  std::string encode(std::string_view body, bool head, bool reset_age) const;
};

}  // namespace tiercel::python
