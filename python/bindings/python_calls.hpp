// Owns: the Python names and objects that the native driver uses on every operation, looked up once at import.
#pragma once

#include <Python.h>

namespace tiercel::python {

struct Names {
  PyObject* call_soon;
  PyObject* call_soon_threadsafe;
  PyObject* call_later;
  PyObject* cancel;
  PyObject* context_keyword;       // ("context",)
  PyObject* get_running_loop;      // asyncio._get_running_loop: None outside of a loop
  PyObject* cancelled_error;
  PyObject* invalid_state_error;
  PyObject* loading;               // _core.loading, a ContextVar: the load in whose chain of calls this code runs
  PyObject* asks_for;              // "asks_for", what such a load is told before its chain waits for another
};

// Valid after load_names(); the references are kept for the life of the process.
const Names& names();
bool load_names();
// Reports the Python error, if there is one, where nobody can be told of it.
void write_unraisable(PyObject* where);

}  // namespace tiercel::python
