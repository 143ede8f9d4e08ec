// Owns: Call, what calling an async cached function gives: a collections.abc.Coroutine. Nothing happens until it is awaited; then an
// L1 hit is answered at once, and anything else by an inner coroutine, to which send, throw and close are passed on.
#pragma once

#include "cached_function.hpp"

namespace tiercel::python {

bool make_call_type(PyObject* module);  // false: a Python error is set

// A new Call, or null: the arguments do not fit, and the function's own TypeError is set. `receiver` may be null.
PyObject* make_call(CachedFunction* function, PyObject* receiver, PyObject* const* args, Py_ssize_t positional,
                    PyObject* names);

}  // namespace tiercel::python
