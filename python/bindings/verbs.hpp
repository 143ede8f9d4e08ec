// Owns: the requests behind Cache's methods, one class a verb.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "request.hpp"

namespace tiercel::python {

// cache.get: the value itself, or `fallback`. The only one whose hit makes no Outcome object.
class GetRequest final : public Request {
 public:
  PyObject* immediately(CacheCore& core) override;
  OperationId submit(Engine& engine, Timestamp now) override;
  PyObject* finish(CacheCore& core, Outcome&& outcome) override;
  Outcome unanswered() const override;
  const char* name() const override { return "get"; }

  KeyText key;
  nb::object fallback;
  nb::object codec;          // null: the untyped one
  Decoder decoder;           // of `codec`
  std::optional<Duration> fresh;

 private:
  const Decoder& decoder_of(const CacheCore& core) const { return codec.is_valid() ? decoder : core.untyped; }
  PyObject* value_of(CacheCore& core, const Entry& entry) const;
};

class ReadRequest final : public Request {
 public:
  PyObject* immediately(CacheCore& core) override;
  OperationId submit(Engine& engine, Timestamp now) override;
  Outcome unanswered() const override;
  const char* name() const override { return "read"; }

  KeyText key;
  ReadOptions options;
};

class LoadRequest final : public Request {
 public:
  PyObject* immediately(CacheCore& core) override;
  bool before_submit(PyObject* driver) override;
  nb::object loaded_key() const override;
  OperationId submit(Engine& engine, Timestamp now) override;
  Outcome unanswered() const override;
  PyObject* load() const override { return loader.ptr(); }
  PyObject* context() const override { return context_.ptr(); }
  bool outlives() const override { return options.outlive_callers; }
  const char* name() const override { return "get_or_load"; }

  KeyText key;
  LoadOptions options;
  nb::object loader;

 private:
  nb::object context_;       // a copy of the caller's, made when it first awaited
  nb::object asking_;        // where the caller is itself part of a load: says so for as long as it waits
};

class StoreRequest final : public Request {
 public:
  PyObject* immediately(CacheCore& core) override;
  OperationId submit(Engine& engine, Timestamp now) override;
  Outcome unanswered() const override;
  const char* name() const override { return "set"; }

  KeyText key;
  std::string payload;
  StoreOptions options;
};

// invalidate, invalidate_matching, clear: said is said. They are done although their caller has left.
class InvalidateRequest final : public Request {
 public:
  enum class What : std::uint8_t { names, pattern, everything };
  OperationId submit(Engine& engine, Timestamp now) override;
  Outcome unanswered() const override;
  void given_up(Engine& engine) const override;
  bool must_be_done() const override { return true; }
  const char* name() const override { return "invalidate"; }

  What what = What::names;
  std::vector<std::string> keys, tags;
  std::optional<std::uint64_t> version;
  std::string pattern;
};

// Begins a write. Ends as (outcome, id of the writing), which EndWritingRequest ends; nobody to take that: it is over at once.
class BeginWritingRequest final : public Request {
 public:
  OperationId submit(Engine& engine, Timestamp now) override;
  PyObject* finish(CacheCore& core, Outcome&& outcome) override;
  Outcome unanswered() const override;
  void given_up(Engine& engine) const override;
  bool lasts() const override { return true; }
  bool patient() const override { return options.wait; }
  const char* name() const override { return "writing"; }

  std::vector<std::string> keys, tags;
  WritingOptions options;

 private:
  OperationId id_ = 0;
};

// Its end, after commit or rollback. On another engine than it began on (a forked child, cache.testing()) an invalidation of the same names.
class EndWritingRequest final : public Request {
 public:
  OperationId submit(Engine& engine, Timestamp now) override;
  Outcome unanswered() const override;
  void given_up(Engine& engine) const override;
  bool must_be_done() const override { return true; }
  const char* name() const override { return "writing"; }

  std::shared_ptr<Engine> begun_on;
  OperationId writing = 0;
  std::vector<std::string> keys, tags;
};

class ConnectRequest final : public Request {
 public:
  OperationId submit(Engine& engine, Timestamp now) override { return engine.connect(now); }
  Outcome unanswered() const override;
  bool connects() const override { return true; }
  const char* name() const override { return "connect"; }
};

// Raw commands and scans of cache.client.
class CommandRequest final : public Request {
 public:
  OperationId submit(Engine& engine, Timestamp now) override;
  Outcome unanswered() const override;
  const char* name() const override { return "execute"; }

  std::vector<std::string> arguments;
  bool scan = false;  // arguments[0] is a pattern
};

}  // namespace tiercel::python
