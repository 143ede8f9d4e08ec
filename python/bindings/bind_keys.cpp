// Owns: keys as Python sees them: `tiercel.escape`.
#include <nanobind/nanobind.h>

#include <string_view>

#include "bind.hpp"
#include "entry/key.hpp"

namespace tiercel::python {

void bind_keys(nb::module_& m) {
  m.def(
      "escape",
      [](nb::str text) {
        Py_ssize_t size = 0;
        const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
        if (data == nullptr) throw nb::python_error();
        const std::string quoted = escape_glob({data, static_cast<std::size_t>(size)});
        return nb::steal<nb::str>(
            PyUnicode_DecodeUTF8(quoted.data(), static_cast<Py_ssize_t>(quoted.size()), "strict"));
      },
      nb::arg("text"),
      "The text with the characters that globs mean something by quoted, so that as a pattern it matches itself alone.");
}

}  // namespace tiercel::python
