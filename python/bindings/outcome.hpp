// Owns: `_core.Outcome`, how an operation ended, as Python reads it, and the Python form of raw replies.
#pragma once

#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "cache/engine.hpp"

namespace tiercel::python {

namespace nb = nanobind;

// The stamps of a miss, handed back to `_store` unread.
struct Captured {
  std::vector<TagStamp> stamps;
};

const char* name_of(Outcome::Kind kind);
// A new reference, or null with a Python error.
PyObject* outcome_object(Outcome&& outcome);
// A reply as redis-py users know it: bytes, int, float, bool, None, list, dict, set. Error replies inside become ValueError objects.
nb::object reply_object(const resp::Value& value);
void bind_outcome(nb::module_& m);

}  // namespace tiercel::python
