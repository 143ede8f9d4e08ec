// Owns: what can be asked of an engine, one class a verb: how it is submitted, what L1 can answer at once, and what Python gets in the end.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nanobind/nanobind.h>

#include "cache/engine.hpp"
#include "cache_core.hpp"

namespace tiercel::python {

// A user's key, canonical: a view into the str or bytes object that it keeps alive, or bytes of its own.
class KeyText {
 public:
  // False with a Python error: not text, empty, or text that is not UTF-8.
  bool assign(PyObject* key);
  std::string_view view() const { return owned_.empty() ? borrowed_ : std::string_view{owned_}; }

 private:
  nb::object held_;
  std::string_view borrowed_;
  std::string owned_;  // only of keys beyond kKeyBytesMax
};

class Request {
 public:
  virtual ~Request() = default;
  // A new reference to what L1 answers at once; null without a Python error: the engine has to be asked.
  virtual PyObject* immediately(CacheCore&) { return nullptr; }
  virtual OperationId submit(Engine& engine, Timestamp now) = 0;
  // What the caller gets. A new reference, or null with a Python error.
  virtual PyObject* finish(CacheCore& core, Outcome&& outcome);
  // How it ends when the owner of the engine does not answer within the budget.
  virtual Outcome unanswered() const = 0;
  // Called then; what may be called from any thread.
  virtual void given_up(Engine&) const {}
  // Done although the caller has gone: what was said must not be lost.
  virtual bool must_be_done() const { return false; }
  // The loader of a get_or_load, and its context; null for the others.
  virtual PyObject* load() const { return nullptr; }
  virtual PyObject* context() const { return nullptr; }
  virtual bool outlives() const { return false; }
  // Called on the first send, before submit: what belongs to the caller (its context) is taken here. False with a Python error.
  virtual bool before_submit(PyObject* driver) { return driver != nullptr; }
  // Of a get_or_load: a new reference to its canonical key, as a str where it is text; None for the others.
  virtual nb::object loaded_key() const { return nb::none(); }
  // What it began goes on after it, until another operation ends it: over at once if nobody takes its outcome.
  virtual bool lasts() const { return false; }
  // May take longer than a budget, while the owner shows signs of life.
  virtual bool patient() const { return load() != nullptr; }
  // Is part of connecting itself, so does not wait for it.
  virtual bool connects() const { return false; }
  virtual const char* name() const = 0;
};

// An outcome for a request that nobody answered.
Outcome degraded(Outcome::Kind kind, ErrorCode code, const char* what);

}  // namespace tiercel::python
