#include "outcome.hpp"

#include "cache_core.hpp"

namespace tiercel::python {
namespace {

nb::object bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }

nb::object seconds_left(Timestamp until) {
  if (until == kNever) return nb::none();
  return nb::float_(std::max(0.0, std::chrono::duration<double>(until - now()).count()));
}

nb::object of_entry(const Outcome& outcome, nb::object (*value)(const Entry&)) {
  return outcome.entry ? value(*outcome.entry) : nb::none();
}

// As one item of a reply too: who reads it raises it.
nb::object error_object(std::string_view text) {
  nb::object words = nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
  if (!words.is_valid()) throw nb::python_error();
  return nb::borrow(PyExc_ValueError)(words);
}

nb::object list_of(const std::vector<resp::Value>& items) {
  nb::list list;
  for (const resp::Value& item : items) list.append(reply_object(item));
  return list;
}

nb::object dict_of(const std::vector<resp::Value>& items) {
  nb::dict dict;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) dict[reply_object(items[i])] = reply_object(items[i + 1]);
  return dict;
}

}  // namespace

const char* name_of(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::hit:
      return "hit";
    case Outcome::Kind::miss:
      return "miss";
    case Outcome::Kind::loaded:
      return "loaded";
    case Outcome::Kind::load_failed:
      return "load_failed";
    case Outcome::Kind::run_loader:
      return "run_loader";
    case Outcome::Kind::stored:
      return "stored";
    case Outcome::Kind::not_stored:
      return "not_stored";
    case Outcome::Kind::invalidated:
      return "invalidated";
    case Outcome::Kind::announced:
      return "announced";
    case Outcome::Kind::pending:
      return "pending";
    case Outcome::Kind::reply:
      return "reply";
    case Outcome::Kind::ready:
      return "ready";
    case Outcome::Kind::error:
      return "error";
  }
  return "error";
}

PyObject* outcome_object(Outcome&& outcome) {
  try {
    return nb::cast(std::move(outcome)).release().ptr();
  } catch (nb::python_error& error) {
    error.restore();
    return nullptr;
  }
}

nb::object reply_object(const resp::Value& value) {
  using Type = resp::Value::Type;
  switch (value.type) {
    case Type::null:
      return nb::none();
    case Type::boolean:
      return nb::bool_(value.integer != 0);
    case Type::integer:
      return nb::int_(value.integer);
    case Type::real:
      return nb::float_(value.real);
    case Type::big_number: {
      nb::object text = nb::str(value.text.data(), value.text.size());
      return nb::steal(PyLong_FromUnicodeObject(text.ptr(), 10));
    }
    case Type::simple_string:
    case Type::bulk_string:
    case Type::verbatim_string:
      return bytes_of(value.text);
    case Type::simple_error:
    case Type::bulk_error:
      return error_object(value.text);
    case Type::array:
    case Type::set:
    case Type::push:
      return list_of(value.items);   // a list for sets too: their items may be lists
    case Type::map:
      return dict_of(value.items);
    case Type::oversized:
      return error_object("a reply longer than value_bytes_max");
  }
  return nb::none();
}

void bind_outcome(nb::module_& m) {
  nb::class_<Captured>(m, "Captured").def("__len__", [](const Captured& captured) { return captured.stamps.size(); });
  m.def("run_loader_outcome", [] {
    Outcome outcome;
    outcome.kind = Outcome::Kind::run_loader;
    outcome.degraded = true;
    return outcome;
  });
  nb::class_<Outcome>(m, "Outcome")
      .def_prop_ro("kind", [](const Outcome& o) { return name_of(o.kind); })
      .def_ro("stale", &Outcome::stale)
      .def_ro("refresh_wanted", &Outcome::refresh_wanted)
      .def_ro("led", &Outcome::led)
      .def_ro("degraded", &Outcome::degraded)
      .def_ro("from_memory", &Outcome::from_memory)
      .def_ro("held", &Outcome::held)
      .def_ro("flight", &Outcome::flight)
      .def_ro("count", &Outcome::count)
      .def_prop_ro("captured", [](const Outcome& o) { return Captured{o.captured}; })
      .def_prop_ro("payload",
                   [](const Outcome& o) { return of_entry(o, [](const Entry& e) { return bytes_of(e.payload()); }); })
      .def_prop_ro("codec", [](const Outcome& o) { return o.entry ? static_cast<int>(o.entry->facts().codec) : 0; })
      .def_prop_ro("version",
                   [](const Outcome& o) {
                     return of_entry(o, [](const Entry& e) -> nb::object {
                       return e.facts().has_version ? nb::object(nb::int_(e.facts().version)) : nb::none();
                     });
                   })
      .def_prop_ro("usable_for",
                   [](const Outcome& o) {
                     return of_entry(o, [](const Entry& e) { return seconds_left(e.facts().usable_until); });
                   })
      .def_prop_ro("fresh_for",
                   [](const Outcome& o) {
                     return of_entry(o, [](const Entry& e) { return seconds_left(e.facts().fresh_until); });
                   })
      .def_prop_ro("reply", [](const Outcome& o) { return o.reply ? reply_object(o.reply->get()) : nb::none(); })
      .def_prop_ro("reply_is_error", [](const Outcome& o) { return o.reply && o.reply->get().is_error(); })
      .def_prop_ro("error",
                   [](const Outcome& o) { return o.error ? nb::object(nb::cast(o.error->message())) : nb::none(); })
      .def_prop_ro("error_code",
                   [](const Outcome& o) { return o.error ? nb::object(nb::cast(name_of(o.error->code))) : nb::none(); })
      .def("__repr__", [](const Outcome& o) {
        return std::string("<Outcome ") + name_of(o.kind) + (o.error ? ": " + o.error->message() : std::string()) + ">";
      });
}

}  // namespace tiercel::python
