#include "python_calls.hpp"

namespace tiercel::python {
namespace {

Names loaded{};

PyObject* attribute(const char* module, const char* name) {
  PyObject* imported = PyImport_ImportModule(module);
  if (imported == nullptr) return nullptr;
  PyObject* found = PyObject_GetAttrString(imported, name);
  Py_DECREF(imported);
  return found;
}

}  // namespace

const Names& names() { return loaded; }

void write_unraisable(PyObject* where) {
  if (PyErr_Occurred()) PyErr_WriteUnraisable(where);
}

bool load_names() {
  loaded.call_soon = PyUnicode_InternFromString("call_soon");
  loaded.call_soon_threadsafe = PyUnicode_InternFromString("call_soon_threadsafe");
  loaded.call_later = PyUnicode_InternFromString("call_later");
  loaded.cancel = PyUnicode_InternFromString("cancel");
  loaded.context_keyword = Py_BuildValue("(s)", "context");
  loaded.get_running_loop = attribute("asyncio", "_get_running_loop");
  loaded.cancelled_error = attribute("asyncio", "CancelledError");
  loaded.invalid_state_error = attribute("asyncio", "InvalidStateError");
  loaded.loading = PyContextVar_New("tiercel.loading", nullptr);
  loaded.asks_for = PyUnicode_InternFromString("asks_for");
  return loaded.loading && loaded.asks_for && loaded.call_soon && loaded.call_soon_threadsafe && loaded.call_later &&
         loaded.cancel && loaded.context_keyword && loaded.get_running_loop && loaded.cancelled_error &&
         loaded.invalid_state_error;
}

}  // namespace tiercel::python
