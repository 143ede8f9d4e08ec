// The two ASGI messages of a stored response. See http_messages.hpp.
#include "http_messages.hpp"

#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "cache_core.hpp"
#include "http/conditional.hpp"

namespace tiercel::python {

namespace {

nb::object interned(const char* text) { return nb::steal(PyUnicode_InternFromString(text)); }
nb::object bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }

nb::object header(nb::handle name, nb::handle value) { return nb::steal(PyTuple_Pack(2, name.ptr(), value.ptr())); }

std::optional<std::int64_t> age_of(const http::StoredResponse& response, std::int64_t now) {
  if (response.ageless) return std::nullopt;
  return http::current_age(response, now);
}

template <class Keep>
nb::list list_of(const http::StoredResponse& response, Keep keep) {
  nb::list list;
  for (const http::Field& field : response.fields) {
    if (keep(field.name)) list.append(header(bytes_of(field.name), bytes_of(field.value)));
  }
  return list;
}

}  // namespace

std::int64_t wall_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch() +
                                                          clock_shift())
      .count();
}

HttpMessages::HttpMessages(bool mark)
    : mark_(mark),
      type_(interned("type")),
      status_(interned("status")),
      headers_(interned("headers")),
      body_(interned("body")),
      start_(interned("http.response.start")),
      part_(interned("http.response.body")),
      age_(bytes_of("age")),
      x_cache_(bytes_of("x-cache")),
      hit_(bytes_of("HIT")),
      stale_(bytes_of("STALE")),
      nothing_(bytes_of("")) {}

// `fixed` and the headers of this moment, in a list of its own: middlewares outside write into what they are sent.
nb::list HttpMessages::headers_of(nb::handle fixed, std::optional<std::int64_t> age, const char* word) const {
  nb::list list = nb::steal<nb::list>(PyList_GetSlice(fixed.ptr(), 0, PyList_GET_SIZE(fixed.ptr())));
  if (age) list.append(header(age_, bytes_of(std::to_string(*age))));
  if (mark_) list.append(header(x_cache_, std::strcmp(word, "HIT") == 0 ? hit_ : stale_));
  return list;
}

nb::object HttpMessages::pair(nb::handle status, nb::handle headers, nb::handle body) const {
  PyObject* start = PyDict_New();
  PyObject* part = PyDict_New();
  const bool failed = start == nullptr || part == nullptr || PyDict_SetItem(start, type_.ptr(), start_.ptr()) < 0 ||
                      PyDict_SetItem(start, status_.ptr(), status.ptr()) < 0 ||
                      PyDict_SetItem(start, headers_.ptr(), headers.ptr()) < 0 ||
                      PyDict_SetItem(part, type_.ptr(), part_.ptr()) < 0 ||
                      PyDict_SetItem(part, body_.ptr(), body.ptr()) < 0;
  PyObject* both = failed ? nullptr : PyTuple_New(2);
  if (both == nullptr) {
    Py_XDECREF(start);
    Py_XDECREF(part);
    nb::raise_python_error();
  }
  PyTuple_SET_ITEM(both, 0, start);
  PyTuple_SET_ITEM(both, 1, part);
  return nb::steal(both);
}

void HttpMessages::empty(Slot& slot) {
  ready_bytes_ -= slot.bytes;
  const Slot dropped = std::exchange(slot, Slot{});  // freed when the slot is whole again
}

// Everything that allocates Python objects may run a finalizer, which may let another thread in here: a slot is only touched when all is made.
std::shared_ptr<HttpMessages::Ready> HttpMessages::ready(const EntryRef& entry) {
  Slot& slot = slots_[(reinterpret_cast<std::uintptr_t>(entry.get()) >> 5) % kSlots];
  if (slot.entry.get() == entry.get()) return slot.ready;
  const auto response = http::decode_response(entry->payload());
  if (!response) return nullptr;
  auto made = std::make_shared<Ready>();
  made->facts.received = response->received;
  made->facts.age = response->age;
  made->facts.ageless = response->ageless;
  made->status = nb::int_(response->status);
  made->fixed = list_of(*response, [](std::string_view) { return true; });
  made->body = bytes_of(response->body);
  empty(slot);
  // What is ready counts twice, here and in L1; and a slot keeps an entry alive that L1 has dropped.
  const std::size_t bytes = 2 * entry->payload().size();
  for (std::size_t steps = 0; ready_bytes_ + bytes > kReadyBytesMax && steps < kSlots; ++steps) {
    empty(slots_[hand_]);
    hand_ = (hand_ + 1) % kSlots;
  }
  ready_bytes_ += bytes;
  slot = Slot{entry, made, bytes};
  return made;
}

nb::object HttpMessages::of_entry(const EntryRef& entry, bool head, std::int64_t now) {
  const std::shared_ptr<Ready> now_ready = ready(entry);
  if (now_ready == nullptr) return {};
  if (now_ready->second != now) {
    now_ready->headers = headers_of(now_ready->fixed, age_of(now_ready->facts, now), "HIT");
    now_ready->second = now;
  }
  const nb::object headers = now_ready->headers;
  const nb::object list = nb::steal(PyList_GetSlice(headers.ptr(), 0, PyList_GET_SIZE(headers.ptr())));
  return pair(now_ready->status, list, head ? nothing_ : now_ready->body);
}

nb::object HttpMessages::of_response(const http::StoredResponse& response, bool head, const char* word,
                                     std::int64_t now) const {
  const nb::list fixed = list_of(response, [](std::string_view) { return true; });
  const nb::list list = headers_of(fixed, age_of(response, now), word);
  return pair(nb::int_(response.status), list, head ? nothing_ : bytes_of(response.body));
}

nb::object HttpMessages::not_modified(const http::StoredResponse& response, std::int64_t now) const {
  const nb::list fixed = list_of(response, http::is_in_not_modified);
  return pair(nb::int_(304), headers_of(fixed, age_of(response, now), "HIT"), nothing_);
}

}  // namespace tiercel::python
