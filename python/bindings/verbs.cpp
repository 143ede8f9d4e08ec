#include "verbs.hpp"

#include "outcome.hpp"
#include "python_calls.hpp"

namespace tiercel::python {
namespace {

PyObject* outcome_of_hit(EntryRef entry) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::hit;
  outcome.from_memory = true;
  outcome.entry = std::move(entry);
  return outcome_object(std::move(outcome));
}

PyObject* disabled(Outcome::Kind kind) {
  return outcome_object(degraded(kind, ErrorCode::closed, "caching is turned off (TIERCEL_ENABLED=0)"));
}

Outcome owner_is_slow(Outcome::Kind kind) {
  return degraded(kind, ErrorCode::slow, "the event loop that owns the cache did not answer within op_timeout");
}

void forget(Engine& engine, const std::vector<std::string>& keys, const std::vector<std::string>& tags) {
  for (const std::string& key : keys) engine.forget(key);
  for (const std::string& tag : tags) engine.forget_tag(tag);
}

}  // namespace

// ---- get

PyObject* GetRequest::immediately(CacheCore& core) {
  if (!core.enabled) return Py_NewRef(fallback.ptr());
  const EntryRef entry = core.find(key.view(), fresh);
  return entry ? value_of(core, *entry) : nullptr;
}

OperationId GetRequest::submit(Engine& engine, Timestamp now) {
  return engine.read(key.view(), {.capture = {}, .fresh = fresh}, now);
}

PyObject* GetRequest::finish(CacheCore& core, Outcome&& outcome) {
  if (outcome.kind == Outcome::Kind::hit && !outcome.stale && outcome.entry) {
    if (PyObject* value = value_of(core, *outcome.entry)) return value;
    if (PyErr_Occurred()) return nullptr;
  }
  return Py_NewRef(fallback.ptr());
}

// Null without a Python error: of another codec, or damaged. Both are misses; the damaged is counted and leaves L1.
PyObject* GetRequest::value_of(CacheCore& core, const Entry& entry) const {
  nb::object value = decoder_of(core)(entry.facts().codec, entry.payload());
  if (value.is_valid()) return value.release().ptr();
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return nullptr;
    PyErr_Clear();
    core.engine->count_decode_failure();
    core.engine->forget(key.view());
  } else if (entry.facts().codec == CodecId::raw) {
    return PyBytes_FromStringAndSize(entry.payload().data(), static_cast<Py_ssize_t>(entry.payload().size()));
  }
  return nullptr;
}

Outcome GetRequest::unanswered() const { return owner_is_slow(Outcome::Kind::miss); }

// ---- read

PyObject* ReadRequest::immediately(CacheCore& core) {
  if (!core.enabled) return disabled(Outcome::Kind::miss);
  EntryRef entry = core.find(key.view(), options.fresh);
  return entry ? outcome_of_hit(std::move(entry)) : nullptr;
}

OperationId ReadRequest::submit(Engine& engine, Timestamp now) { return engine.read(key.view(), options, now); }
Outcome ReadRequest::unanswered() const { return owner_is_slow(Outcome::Kind::miss); }

// ---- get_or_load

PyObject* LoadRequest::immediately(CacheCore& core) {
  if (!core.enabled) return disabled(Outcome::Kind::run_loader);
  if (options.skip_value) return nullptr;
  EntryRef entry = core.find(key.view(), options.fresh, options.early);
  return entry ? outcome_of_hit(std::move(entry)) : nullptr;
}

// Within a load, that load is told first: a chain of calls that comes back to its own beginning would wait for itself.
bool LoadRequest::before_submit(PyObject* driver) {
  PyObject* load_within = nullptr;
  if (PyContextVar_Get(names().loading, nullptr, &load_within) != 0) return false;
  const nb::object within = nb::steal(load_within);
  if (within.is_valid()) {
    const nb::object asked = loaded_key();
    PyObject* arguments[] = {within.ptr(), driver, asked.ptr()};
    asking_ = nb::steal(PyObject_VectorcallMethod(names().asks_for, arguments, 3, nullptr));
    if (!asking_.is_valid()) return false;
  }
  context_ = nb::steal(PyContext_CopyCurrent());
  return context_.is_valid();
}

nb::object LoadRequest::loaded_key() const {
  const std::string_view bytes = key.view();
  return nb::steal(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape"));
}

OperationId LoadRequest::submit(Engine& engine, Timestamp now) { return engine.get_or_load(key.view(), options, now); }
Outcome LoadRequest::unanswered() const { return owner_is_slow(Outcome::Kind::run_loader); }

// ---- set

PyObject* StoreRequest::immediately(CacheCore& core) {
  return core.enabled ? nullptr : disabled(Outcome::Kind::not_stored);
}

OperationId StoreRequest::submit(Engine& engine, Timestamp now) {
  return engine.store(key.view(), std::move(payload), std::move(options), now);
}

Outcome StoreRequest::unanswered() const { return owner_is_slow(Outcome::Kind::not_stored); }

// ---- invalidate

// The owner is blocked and will do it later; what this process can do at once, it does.
void InvalidateRequest::given_up(Engine& engine) const {
  switch (what) {
    case What::names:
      return forget(engine, keys, tags);
    case What::pattern:
      return engine.forget_matching(pattern);
    case What::everything:
      break;
  }
  engine.forget_all();
}

OperationId InvalidateRequest::submit(Engine& engine, Timestamp now) {
  switch (what) {
    case What::names:
      return engine.invalidate(keys, tags, now, version);
    case What::pattern:
      return engine.invalidate_matching(pattern, now);
    case What::everything:
      break;
  }
  return engine.clear(now);
}

Outcome InvalidateRequest::unanswered() const { return owner_is_slow(Outcome::Kind::pending); }

// ---- writing

OperationId BeginWritingRequest::submit(Engine& engine, Timestamp now) {
  return id_ = engine.begin_writing(keys, tags, options, now);
}

PyObject* BeginWritingRequest::finish(CacheCore&, Outcome&& outcome) {
  PyObject* told = outcome_object(std::move(outcome));
  return told == nullptr ? nullptr : Py_BuildValue("(NK)", told, static_cast<unsigned long long>(id_));
}

Outcome BeginWritingRequest::unanswered() const { return owner_is_slow(Outcome::Kind::error); }
void BeginWritingRequest::given_up(Engine& engine) const { forget(engine, keys, tags); }

OperationId EndWritingRequest::submit(Engine& engine, Timestamp now) {
  const OperationId ended = &engine == begun_on.get() ? engine.end_writing(writing, now) : 0;
  return ended != 0 ? ended : engine.invalidate(keys, tags, now);
}

Outcome EndWritingRequest::unanswered() const { return owner_is_slow(Outcome::Kind::pending); }
void EndWritingRequest::given_up(Engine& engine) const { forget(engine, keys, tags); }

// ---- connect, raw

Outcome ConnectRequest::unanswered() const { return owner_is_slow(Outcome::Kind::error); }

OperationId CommandRequest::submit(Engine& engine, Timestamp now) {
  if (scan) return engine.scan(arguments.front(), now);
  std::vector<std::string_view> views(arguments.begin(), arguments.end());
  return engine.command(views, now);
}

Outcome CommandRequest::unanswered() const { return owner_is_slow(Outcome::Kind::error); }

}  // namespace tiercel::python
