// Owns: the arguments of Cache's methods as Python gives them, to what the engine takes; or an error that names the argument.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>

#include "base/time.hpp"
#include "request.hpp"

namespace tiercel::python {

// All throw nb::python_error, or nanobind's own errors, which become TypeError and ValueError.
void assign(KeyText& key, nb::handle given);
// fresh: how old an answer may be. None: as old as the cache promises; "now" and seconds are read here, all else by `cache._parse_fresh`.
std::optional<Duration> fresh_of(nb::handle given, nb::handle cache);
// nullopt for None; ValueError for what is no unsigned number of 64 bits.
std::optional<std::uint64_t> version_of(nb::handle given);
std::string text(const char* what, nb::handle given, std::size_t bytes_max);
// At most 64, each once.
std::vector<std::string> tags_of(nb::handle given);
// Canonical keys, each once and in order; and tags likewise, of any number.
std::vector<std::string> key_set(nb::handle given);
std::vector<std::string> tag_set(nb::handle given);
// nullopt for None.
std::optional<Duration> duration(const char* what, nb::handle seconds);

}  // namespace tiercel::python
