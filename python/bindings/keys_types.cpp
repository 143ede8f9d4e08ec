#include "keys_types.hpp"

#include <unordered_map>

#include "keys_text.hpp"

namespace tiercel::python {
namespace {

constexpr std::size_t kTypesMax = 512;

struct Remembered {
  nb::object type;   // held, so that its address means this class and no later one
  std::shared_ptr<const TypeText> text;
};

// Leaked on purpose: the interpreter may be gone when static destructors run.
auto& memory() {
  static auto& types = *new std::unordered_map<PyTypeObject*, Remembered>();
  return types;
}

PyObject* import_attribute(const char* module_name, const char* name) {
  nb::object module = nb::steal(PyImport_ImportModule(module_name));
  return module.is_valid() ? PyObject_GetAttrString(module.ptr(), name) : nullptr;
}

// (kind, name, base, fields, rest) as _cached_types.describe returns it.
bool read_description(PyObject* described, TypeText& text) {
  int kind = 0;
  PyObject *name = nullptr, *base = nullptr, *fields = nullptr, *rest = nullptr;
  if (!PyArg_ParseTuple(described, "iUOO!O", &kind, &name, &base, &PyTuple_Type, &fields, &rest)) return false;
  text.kind = static_cast<TypeText::Kind>(kind);
  append_quoted(text.name, utf8(name), Quote::item);
  if (base != Py_None) text.base = nb::borrow(base);
  if (rest != Py_None) text.rest = nb::borrow(rest);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); ++i)
    text.fields.push_back(nb::borrow(PyTuple_GET_ITEM(fields, i)));
  return true;
}

}  // namespace

std::shared_ptr<const TypeText> type_text(PyTypeObject* type) {
  if (const auto found = memory().find(type); found != memory().end()) return found->second.text;
  nb::object describe = nb::steal(import_attribute("tiercel._cached_types", "describe"));
  if (!describe.is_valid()) return nullptr;
  nb::object described = nb::steal(PyObject_CallOneArg(describe.ptr(), reinterpret_cast<PyObject*>(type)));
  if (!described.is_valid()) return nullptr;
  auto text = std::make_shared<TypeText>();
  if (!read_description(described.ptr(), *text)) return nullptr;
  if (memory().size() >= kTypesMax) {
    auto old = std::move(memory());   // destroyed after the map is whole again: a class' end may run Python code
    memory().clear();
  }
  memory()[type] = {nb::borrow(reinterpret_cast<PyObject*>(type)), text};
  return text;
}

const KnownTypes* known_types() {
  static KnownTypes types{};
  if (types.decimal != nullptr) return &types;
  types.uuid = reinterpret_cast<PyTypeObject*>(import_attribute("uuid", "UUID"));
  if (types.uuid == nullptr) return nullptr;
  types.decimal = reinterpret_cast<PyTypeObject*>(import_attribute("decimal", "Decimal"));
  return types.decimal == nullptr ? nullptr : &types;
}

}  // namespace tiercel::python
