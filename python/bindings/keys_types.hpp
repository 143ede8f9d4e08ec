// Owns: what is known of a class whose instances stand in keys, asked once of tiercel._cached_types.describe and remembered.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

namespace tiercel::python {

namespace nb = nanobind;

struct TypeText {
  enum class Kind : unsigned char {
    unkeyable,
    own_key,  // has __cache_key__()
    enumeration,  // an Enum: its name when tagged, its value when bare
    flag,  // a Flag: its value, because a combination need not have a name
    fields,  // dataclass, NamedTuple, Pydantic and msgspec models
    subclass,  // of a scalar or a container, without state of its own
  };
  Kind kind = Kind::unkeyable;
  std::string name;  // module.qualname, quoted for an item
  nb::object base;  // subclass: of what; enumeration: the type all its values share, or str
  std::vector<nb::object> fields;  // names, in the order of the class
  nb::object rest;  // fields: name of an attribute holding a dict of further fields, or null
};

// Null with a Python error set: describing failed. The class is kept alive while it is remembered; at most kTypesMax are.
std::shared_ptr<const TypeText> type_text(PyTypeObject* type);

// The standard library's classes that keys know, looked up once: uuid.UUID, decimal.Decimal.
struct KnownTypes {
  PyTypeObject* uuid;
  PyTypeObject* decimal;
};
// Null with a Python error set.
const KnownTypes* known_types();

}  // namespace tiercel::python
