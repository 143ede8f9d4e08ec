// Owns: the list of what the extension module binds; one function a file.
#pragma once

#include <nanobind/nanobind.h>

#include "cache/engine.hpp"

namespace tiercel::python {

namespace nb = nanobind;

void bind_engine(nb::module_& m);    // DriverCore, Outcome, Waiter, Operation; calls bind_cache
void bind_cache(nb::module_& m);     // CacheCore
void bind_keys(nb::module_& m);
void bind_records(nb::module_& m);
void bind_cached(nb::module_& m);
void bind_http(nb::module_& m);

nb::dict stats_dict(const EngineStats& stats);

}  // namespace tiercel::python
