// Owns: tiercel._core, the extension module.
#include "bind.hpp"

NB_MODULE(_core, m) {
  // A forked child leaves its parent's engine as it is, for good: that is not a leak worth a warning at exit.
  nanobind::set_leak_warnings(false);
  tiercel::python::bind_engine(m);
  tiercel::python::bind_keys(m);
  tiercel::python::bind_records(m);
  tiercel::python::bind_cached(m);
  tiercel::python::bind_http(m);
}
