// Owns: records as `Cache.explain` reads them: `_core.record_facts` and `_core.tag_stamp`. Bytes come from Redis, so they are untrusted.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bind.hpp"
#include "entry/record.hpp"

namespace tiercel::python {
namespace {

using namespace nb::literals;

const char* name_of(RecordState state) {
  switch (state) {
    case RecordState::value:
      return "value";
    case RecordState::lease:
      return "lease";
    case RecordState::intent:
      return "intent";
    case RecordState::pass:
      return "pass";
    case RecordState::floor:
      return "floor";
  }
  return "unknown";
}

nb::object bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }

// Seconds since the Unix epoch, by the server's clock.
nb::object seconds_of(ServerTime at) {
  if (at == kServerNever) return nb::none();
  return nb::float_(std::chrono::duration<double>(at.time_since_epoch()).count());
}

nb::dict facts_of(const Header& header) {
  nb::dict made;
  made["state"] = name_of(header.state);
  made["version"] = header.has_version ? nb::object(nb::int_(header.version)) : nb::none();
  made["fresh_until"] = seconds_of(header.fresh_until);
  made["usable_until"] = seconds_of(header.usable_until);
  made["tags"] = nb::list();
  return made;
}

// None: damaged, or not ours. Behind the header of an intent stand its writers, which are no record's middle section.
nb::object record_facts(const nb::bytes& given) {
  const std::string_view bytes{given.c_str(), given.size()};
  const Result<Header> header = decode_header(bytes.substr(0, kHeaderBytes));
  if (header && header->state == RecordState::intent) return facts_of(*header);
  const Result<Record> record = decode_record(bytes);
  if (!record) return nb::none();
  nb::dict made = facts_of(record->header);
  nb::list tags;
  for (const TagStamp& tag : record->tags) tags.append(nb::make_tuple(bytes_of(tag.name), bytes_of(tag.stamp.view())));
  made["tags"] = tags;
  return made;
}

nb::object tag_stamp(const nb::bytes& given) {
  const std::string_view bytes{given.c_str(), given.size()};
  if (const Result<RootRecord> root = decode_root(bytes)) return bytes_of(root->tag.stamp.view());
  const Result<TagRecord> tag = decode_tag(bytes);
  return tag ? bytes_of(tag->stamp.view()) : nb::none();
}

}  // namespace

void bind_records(nb::module_& m) {
  m.def("record_facts", &record_facts, "record"_a);
  m.def("tag_stamp", &tag_stamp, "record"_a);
}

}  // namespace tiercel::python
