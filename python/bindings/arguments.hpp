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
// fresh: None, "now", or seconds. Whatever is tighter than the promise goes round L1.
bool skips_memory(nb::handle fresh, double staleness);
std::string text(const char* what, nb::handle given, std::size_t bytes_max);
// At most 64, each once.
std::vector<std::string> tags_of(nb::handle given);
// nullopt for None.
std::optional<Duration> duration(const char* what, nb::handle seconds);

}  // namespace tiercel::python
