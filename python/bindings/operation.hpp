// Owns: `_core.Operation`, the awaitable of everything a cache is asked: a coroutine that looks in L1 when first sent to, and asks the
// engine only then. Nothing happens before it is awaited.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "request.hpp"

namespace tiercel::python {

bool make_operation_type(PyObject* module);
// A new reference; `cache` is the Cache object.
PyObject* make_operation(PyObject* cache, std::shared_ptr<Request> request);

}  // namespace tiercel::python
