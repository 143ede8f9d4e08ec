// Owns: decorated functions as Python sees them: CachedFunction, BoundCachedFunction, Call.
#include "bind.hpp"
#include "call.hpp"

namespace tiercel::python {

void bind_cached(nb::module_& m) {
  if (!make_cached_types(m.ptr()) || !make_call_type(m.ptr())) throw nb::python_error();
}

}  // namespace tiercel::python
