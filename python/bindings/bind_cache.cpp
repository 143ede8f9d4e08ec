// Owns: `_core.CacheCore`, the native methods of Cache. They take what Python gives and make operations of it; nothing happens yet.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "arguments.hpp"
#include "bind.hpp"
#include "cache_core.hpp"
#include "driver_core.hpp"
#include "entry/key.hpp"
#include "operation.hpp"
#include "outcome.hpp"
#include "verbs.hpp"

namespace tiercel::python {
namespace {

using namespace nb::literals;

nb::object operation(nb::handle cache, std::shared_ptr<Request> request) {
  nb::object made = nb::steal(make_operation(cache.ptr(), std::move(request)));
  if (!made.is_valid()) throw nb::python_error();
  return made;
}

void set_decoder(Decoder& decoder, nb::handle codec) {
  decoder.id = static_cast<CodecId>(nb::cast<int>(codec.attr("id")));
  decoder.decode = codec.attr("decode");
}

// cache.get(key, *, default=None, fresh=None, codec=None): by hand, because nanobind's dispatch costs half as much as the hit itself.
PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
  if (count != 1)
    return PyErr_Format(PyExc_TypeError, "get() takes one key; default, fresh and type are keywords (%zd given)",
                        count);
  auto request = std::make_shared<GetRequest>();
  if (!request->key.assign(arguments[0])) return nullptr;
  PyObject* fallback = Py_None;
  try {
    for (Py_ssize_t i = 0; keywords != nullptr && i < PyTuple_GET_SIZE(keywords); ++i) {
      PyObject* name = PyTuple_GET_ITEM(keywords, i);
      PyObject* value = arguments[count + i];
      if (PyUnicode_CompareWithASCIIString(name, "default") == 0) {
        fallback = value;
      } else if (PyUnicode_CompareWithASCIIString(name, "fresh") == 0) {
        request->fresh = fresh_of(value, self);
      } else if (PyUnicode_CompareWithASCIIString(name, "type") == 0) {
        if (value == Py_None) continue;
        request->codec = nb::handle(self).attr("_codec_for")(nb::handle(value));
        set_decoder(request->decoder, request->codec);
      } else {
        return PyErr_Format(PyExc_TypeError, "get() has no argument %R; there are default, fresh and type", name);
      }
    }
  } catch (nb::python_error& error) {
    error.restore();
    return nullptr;
  }
  request->fallback = nb::borrow(fallback);
  return make_operation(self, std::move(request));
}

nb::object read(nb::handle self, nb::handle key, nb::handle capture, nb::handle fresh) {
  auto request = std::make_shared<ReadRequest>();
  assign(request->key, key);
  request->options.capture = tags_of(capture);
  request->options.fresh = fresh_of(fresh, self);
  return operation(self, std::move(request));
}

nb::object load(nb::handle self, nb::handle key, nb::object loader, nb::handle tags, bool skip_value, bool behind,
                nb::handle fresh, double early, bool tags_of_result) {
  auto request = std::make_shared<LoadRequest>();
  assign(request->key, key);
  request->loader = std::move(loader);
  request->options = {.tags = tags_of(tags),
                      .skip_value = skip_value,
                      .fresh = fresh_of(fresh, self),
                      .behind = behind,
                      .early = early,
                      .outlive_callers = behind,
                      .tags_of_result = tags_of_result};
  return operation(self, std::move(request));
}

nb::object store(nb::handle self, nb::handle key, nb::bytes payload, int codec, nb::handle usable_for,
                 nb::handle fresh_for, nb::handle tags, nb::handle captured, nb::handle version) {
  auto request = std::make_shared<StoreRequest>();
  assign(request->key, key);
  request->payload.assign(payload.c_str(), payload.size());
  request->options.codec = static_cast<CodecId>(codec);
  request->options.usable_for = duration("usable_for", usable_for);
  request->options.fresh_for = duration("fresh_for", fresh_for);
  if (!request->options.fresh_for) request->options.fresh_for = request->options.usable_for;
  if (request->options.usable_for && *request->options.fresh_for > *request->options.usable_for) {
    throw nb::value_error("fresh_for: longer than usable_for");
  }
  request->options.tags = tags_of(tags);
  if (!captured.is_none()) request->options.captured = nb::cast<Captured&>(captured).stamps;
  request->options.version = version_of(version);
  return operation(self, std::move(request));
}

nb::object invalidate(nb::handle self, nb::handle keys, nb::handle tags, nb::handle version) {
  auto request = std::make_shared<InvalidateRequest>();
  request->keys = key_set(keys);
  request->tags = tag_set(tags);
  request->version = version_of(version);
  return operation(self, std::move(request));
}

nb::object begin_writing(nb::handle self, nb::handle keys, nb::handle tags, bool strict, bool wait) {
  auto request = std::make_shared<BeginWritingRequest>();
  request->keys = key_set(keys);
  request->tags = tag_set(tags);
  request->options = {.strict = strict, .wait = wait};
  return operation(self, std::move(request));
}

nb::object end_writing(nb::handle self, const DriverCore& begun_on, OperationId writing, nb::handle keys,
                       nb::handle tags) {
  auto request = std::make_shared<EndWritingRequest>();
  request->begun_on = begun_on.engine;
  request->writing = writing;
  request->keys = key_set(keys);
  request->tags = tag_set(tags);
  return operation(self, std::move(request));
}

nb::object invalidate_matching(nb::handle self, nb::handle pattern) {
  auto request = std::make_shared<InvalidateRequest>();
  request->what = InvalidateRequest::What::pattern;
  request->pattern = text("pattern", pattern, kPatternBytesMax);
  return operation(self, std::move(request));
}

nb::object clear(nb::handle self) {
  auto request = std::make_shared<InvalidateRequest>();
  request->what = InvalidateRequest::What::everything;
  return operation(self, std::move(request));
}

nb::object command(nb::handle self, nb::handle arguments, bool scan) {
  auto request = std::make_shared<CommandRequest>();
  request->scan = scan;
  for (nb::handle argument : nb::iter(arguments)) {
    const nb::bytes bytes = nb::cast<nb::bytes>(argument);
    request->arguments.emplace_back(bytes.c_str(), bytes.size());
  }
  if (request->arguments.empty()) throw nb::value_error("execute: no command");
  return operation(self, std::move(request));
}

nb::object find(const CacheCore& core, nb::handle key) {
  KeyText name;
  assign(name, key);
  const EntryRef entry = core.find(name.view());
  if (!entry) return nb::none();
  const std::string_view payload = entry->payload();
  return nb::make_tuple(static_cast<int>(entry->facts().codec), nb::bytes(payload.data(), payload.size()));
}

// What L1 knows of the key: for `explain`. None: nothing.
nb::object look(const CacheCore& core, nb::handle key) {
  KeyText name;
  assign(name, key);
  const Timestamp at = now();
  const std::optional<Seen> seen = core.alive() ? core.engine->look(name.view(), at) : std::nullopt;
  if (!seen) return nb::none();
  const auto seconds = [](Duration time) { return std::chrono::duration<double>(time).count(); };
  const auto left = [&](Timestamp until) -> nb::object {
    return until == kNever ? nb::none() : nb::object(nb::float_(seconds(until - at)));
  };
  nb::list tags;
  for (const std::string& tag : seen->tags) tags.append(tag);
  nb::dict made;
  made["serves"] = seen->serves;
  made["outage"] = seen->outage;
  made["tracked"] = seen->tracked;
  made["unsure_for"] = seconds(std::max(at - seen->as_of, Duration{0}));
  made["fresh_for"] = left(seen->facts.fresh_until);
  made["usable_for"] = left(seen->facts.usable_until);
  made["version"] = seen->facts.has_version ? nb::object(nb::int_(seen->facts.version)) : nb::none();
  made["tags"] = tags;
  made["tags_are"] = seen->tags_are;
  made["bytes"] = seen->bytes;
  return made;
}

PyMethodDef get_method = {"get", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(get)),
                          METH_FASTCALL | METH_KEYWORDS,
                          "get($self, key, *, default=None, fresh=None, type=None)\n--\n\n"
                          "The value, or `default`. A hit in memory is answered without leaving C++."};

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  CacheCore* core = nb::inst_ptr<CacheCore>(self);
  Py_VISIT(core->driver_object.ptr());
  Py_VISIT(core->untyped.decode.ptr());
  return 0;
}

int clear_references(PyObject* self) {
  CacheCore* core = nb::inst_ptr<CacheCore>(self);
  core->attach(nb::none());
  core->untyped.decode.reset();
  return 0;
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear_references)},
                       {0, nullptr}};

}  // namespace

void bind_cache(nb::module_& m) {
  const nb::tuple none = nb::make_tuple();
  auto core = nb::class_<CacheCore>(m, "CacheCore", nb::type_slots(slots), nb::is_weak_referenceable());
  core.def(nb::init<>())
      .def_rw("_enabled", &CacheCore::enabled)
      .def_prop_ro("_alive", &CacheCore::alive)
      .def_prop_ro("_driver",
                   [](const CacheCore& c) { return c.driver_object.is_valid() ? c.driver_object : nb::none(); })
      .def("_set_untyped", [](CacheCore& c, nb::handle codec) { set_decoder(c.untyped, codec); })
      .def("_attach", &CacheCore::attach, "driver"_a.none())
      .def("_abandon", &CacheCore::abandon)
      .def("_find", &find, "key"_a.none())
      .def("_look", &look, "key"_a.none())
      .def("_expect_changes",
           [](CacheCore& c) {
             if (c.alive()) c.engine->expect_changes(now());
           })
      .def("_forget",
           [](CacheCore& c, nb::handle key) {
             KeyText name;
             assign(name, key);
             if (c.alive()) c.engine->forget(name.view());
           })
      .def("_count_decode_failure",
           [](CacheCore& c) {
             if (c.alive()) c.engine->count_decode_failure();
           })
      .def("_count_verify_failure",
           [](CacheCore& c) {
             if (c.alive()) c.engine->count_verify_failure();
           })
      .def("_stats", [](const CacheCore& c) { return c.alive() ? stats_dict(c.engine->stats()) : nb::dict(); });
  // Methods that need the Cache object itself, to make operations that keep it alive.
  core.attr("_read") = nb::cpp_function(&read, nb::name("_read"), nb::scope(core), nb::is_method(), "key"_a.none(),
                                        nb::kw_only(), "capture"_a = none, "fresh"_a = nb::none());
  core.attr("_load") =
      nb::cpp_function(&load, nb::name("_load"), nb::scope(core), nb::is_method(), "key"_a.none(), "load"_a,
                       nb::kw_only(), "tags"_a = none, "skip_value"_a = false, "behind"_a = false,
                       "fresh"_a = nb::none(), "early"_a = 0.0, "tags_of_result"_a = false);
  core.attr("_store") =
      nb::cpp_function(&store, nb::name("_store"), nb::scope(core), nb::is_method(), "key"_a.none(), "payload"_a,
                       nb::kw_only(), "codec"_a, "usable_for"_a.none(), "fresh_for"_a = nb::none(), "tags"_a = none,
                       "captured"_a = nb::none(), "version"_a = nb::none());
  core.attr("_invalidate") = nb::cpp_function(&invalidate, nb::name("_invalidate"), nb::scope(core), nb::is_method(),
                                              "keys"_a, "tags"_a, "version"_a = nb::none());
  core.attr("_begin_writing") = nb::cpp_function(&begin_writing, nb::name("_begin_writing"), nb::scope(core),
                                                 nb::is_method(), "keys"_a, "tags"_a, "strict"_a, "wait"_a);
  core.attr("_end_writing") = nb::cpp_function(&end_writing, nb::name("_end_writing"), nb::scope(core), nb::is_method(),
                                               "begun_on"_a, "writing"_a, "keys"_a, "tags"_a);
  core.attr("_invalidate_matching") = nb::cpp_function(&invalidate_matching, nb::name("_invalidate_matching"),
                                                       nb::scope(core), nb::is_method(), "pattern"_a);
  core.attr("_clear") = nb::cpp_function(&clear, nb::name("_clear"), nb::scope(core), nb::is_method());
  core.attr("_command") = nb::cpp_function(&command, nb::name("_command"), nb::scope(core), nb::is_method(),
                                           "arguments"_a, "scan"_a = false);
  core.attr("_connect") =
      nb::cpp_function([](nb::handle self) { return operation(self, std::make_shared<ConnectRequest>()); },
                       nb::name("_connect"), nb::scope(core), nb::is_method());
  nb::object descriptor = nb::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(core.ptr()), &get_method));
  if (!descriptor.is_valid()) throw nb::python_error();
  core.attr("get") = descriptor;
  m.def(
      "canonical_key",
      [](nb::handle key) {
        KeyText name;
        assign(name, key);
        return nb::bytes(name.view().data(), name.view().size());
      },
      "key"_a.none());
}

}  // namespace tiercel::python
