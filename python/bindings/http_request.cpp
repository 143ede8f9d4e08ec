// Requests and decisions between Python and the rules. See http_request.hpp.
#include "http_request.hpp"

#include "http/reuse.hpp"
#include "http/stored.hpp"

namespace tiercel::python {

void OwnedFields::add(std::string_view name, std::string_view value) {
  bytes_.append(name);
  const auto name_end = static_cast<std::uint32_t>(bytes_.size());
  bytes_.append(value);
  ends_.emplace_back(name_end, static_cast<std::uint32_t>(bytes_.size()));
}

http::Fields OwnedFields::view() const {
  views_.clear();
  const std::string_view all = bytes_;
  std::uint32_t start = 0;
  for (const auto& [name_end, value_end] : ends_) {
    views_.push_back({all.substr(start, name_end - start), all.substr(name_end, value_end - name_end)});
    start = value_end;
  }
  return views_;
}

namespace {

bool view_of(PyObject* object, std::string_view& view) {
  if (!PyBytes_Check(object)) {
    PyErr_Format(PyExc_TypeError, "headers: names and values are bytes, not %s", Py_TYPE(object)->tp_name);
    return false;
  }
  view = {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
  return true;
}

}  // namespace

bool read_headers(nb::handle list, std::vector<http::Field>& fields, nb::object& keep) {
  fields.clear();
  if (!list.is_valid()) return true;
  keep = nb::steal(PySequence_Fast(list.ptr(), "headers: expected a list of pairs"));
  if (!keep.is_valid()) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(keep.ptr());
  PyObject** items = PySequence_Fast_ITEMS(keep.ptr());
  fields.reserve(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* pair = items[i];
    const bool usable = (PyTuple_Check(pair) || PyList_Check(pair)) && PySequence_Fast_GET_SIZE(pair) == 2;
    if (!usable) {
      PyErr_SetString(PyExc_TypeError, "headers: expected pairs (name, value) of bytes");
      return false;
    }
    PyObject** both = PySequence_Fast_ITEMS(pair);
    http::Field field;
    if (!view_of(both[0], field.name) || !view_of(both[1], field.value)) return false;
    fields.push_back(field);
  }
  return true;
}

std::string HttpDecision::encode(std::string_view body, bool head, bool reset_age) const {
  http::StoredResponse stored;
  stored.status = status;
  stored.is_public = decision.is_public;
  stored.head = head;
  stored.received = received;
  http::set_terms(stored, decision);
  const http::Fields fields = kept.view();
  stored.fields.assign(fields.begin(), fields.end());
  stored.body = body;
  stored.ageless = reset_age && decision.source != http::Source::response && http::has_field(fields, "cache-control");
  return http::encode(stored);
}

}  // namespace tiercel::python
