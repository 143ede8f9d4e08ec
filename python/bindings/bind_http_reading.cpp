// Owns: `_core.HttpReading`, the reading of fields rule by rule, for the tests that go over the RFCs' tables.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "http/age.hpp"
#include "http/etag.hpp"
#include "http/structured.hpp"
#include "http/vary.hpp"
#include "http_rule.hpp"

namespace tiercel::python {

using namespace nb::literals;

http::Profile profile_named(std::string_view name) {
  if (name == "safe") return http::Profile::safe;
  if (name == "rfc") return http::Profile::rfc;
  throw nb::value_error("profile: expected 'safe' or 'rfc'");
}

namespace {

struct HttpReading {};

// What is said, under its own names.
nb::dict said_by(const http::CacheControl& control) {
  nb::dict said;
  const auto flag = [&said](const char* name, bool set) {
    if (set) said[name] = true;
  };
  const auto seconds = [&said](const char* name, const std::optional<std::int64_t>& value) {
    if (value) said[name] = *value;
  };
  flag("no-store", control.no_store);
  flag("no-cache", control.no_cache);
  flag("private", control.is_private);
  flag("public", control.is_public);
  flag("must-revalidate", control.must_revalidate);
  flag("proxy-revalidate", control.proxy_revalidate);
  flag("only-if-cached", control.only_if_cached);
  flag("must-understand", control.must_understand);
  flag("immutable", control.immutable);
  flag("malformed", control.malformed);
  seconds("max-age", control.max_age);
  seconds("s-maxage", control.s_maxage);
  seconds("stale-while-revalidate", control.stale_while_revalidate);
  seconds("stale-if-error", control.stale_if_error);
  seconds("min-fresh", control.min_fresh);
  seconds("max-stale", control.max_stale);
  return said;
}

nb::object to_pair(const http::SfItem& item) {
  constexpr const char* kTypes[] = {"integer", "decimal", "string",  "token",     "bytes",
                                    "boolean", "date",    "display", "inner-list"};
  const char* type = kTypes[static_cast<std::size_t>(item.type)];
  switch (item.type) {
    case http::SfType::boolean:
      return nb::make_tuple(type, item.number != 0);
    case http::SfType::integer:
    case http::SfType::date:
      return nb::make_tuple(type, item.number);
    case http::SfType::decimal:
      return nb::make_tuple(type, static_cast<double>(item.number) / 1000);
    case http::SfType::string:
      return nb::make_tuple(type, to_bytes(http::unescaped(item)));
    case http::SfType::token:
    case http::SfType::bytes:
    case http::SfType::display:
    case http::SfType::inner_list:
      return nb::make_tuple(type, to_bytes(item.text));
  }
  return nb::none();
}

nb::object sf_list(const nb::bytes& text) {
  nb::list members;
  const bool valid =
      http::parse_sf_list(text_of(text), [&](const http::SfItem& item) { members.append(to_pair(item)); });
  return valid ? nb::object(members) : nb::none();
}

nb::object sf_dictionary(const nb::bytes& text) {
  nb::list members;
  const bool valid = http::parse_sf_dictionary(text_of(text), [&](std::string_view key, const http::SfItem& item) {
    members.append(nb::make_tuple(to_bytes(key), to_pair(item)));
  });
  return valid ? nb::object(members) : nb::none();
}

nb::object elements(const nb::bytes& text) {
  nb::list found;
  const bool closed = http::each_element(text_of(text), [&](std::string_view one) { found.append(to_bytes(one)); });
  return nb::make_tuple(found, closed);
}

nb::object content_length(nb::handle headers) {
  const http::ContentLength length = http::content_length(HeaderList(headers));
  if (!length.present) return nb::none();
  return length.bytes ? nb::object(nb::int_(*length.bytes)) : nb::object(nb::str("invalid"));
}

nb::object to_tag(const http::EntityTag& tag) { return to_bytes((tag.weak ? "W/" : "") + std::string(tag.opaque)); }

nb::list entity_tags(const nb::bytes& text) {
  nb::list found;
  http::each_entity_tag(text_of(text), [&](const http::EntityTag& tag) { found.append(to_tag(tag)); });
  return found;
}

nb::object equal_tags(const nb::bytes& a, const nb::bytes& b) {
  const auto first = http::parse_entity_tag(text_of(a)), second = http::parse_entity_tag(text_of(b));
  if (!first || !second) throw nb::value_error("not an entity tag");
  return nb::make_tuple(http::strongly_equal(*first, *second), http::weakly_equal(*first, *second));
}

void bind_words(nb::class_<HttpReading>& reading) {
  reading.def_static("delta_seconds", [](const nb::bytes& text) { return http::parse_delta_seconds(text_of(text)); })
      .def_static("date", [](const nb::bytes& text, std::int64_t now) { return http::parse_date(text_of(text), now); })
      .def_static("elements", &elements)
      .def_static("content_length", &content_length)
      .def_static("vary",
                  [](nb::handle headers) {
                    const http::Vary vary = http::parse_vary(HeaderList(headers));
                    return vary.any ? nb::none() : nb::object(to_list(vary.names));
                  })
      .def_static("variant",
                  [](const std::vector<std::string>& names, nb::handle headers) {
                    return to_bytes(http::variant_digest(names, HeaderList(headers)));
                  })
      .def_static("initial_age",
                  [](nb::handle headers, std::int64_t requested, std::int64_t received) {
                    return http::initial_age(HeaderList(headers), requested, received);
                  })
      .def_static("current_age", nb::overload_cast<std::int64_t, std::int64_t, std::int64_t>(&http::current_age));
}

}  // namespace

void bind_http_reading(nb::module_& m) {
  nb::class_<HttpReading> reading(m, "HttpReading");
  bind_words(reading);
  reading
      .def_static("cache_control",
                  [](nb::handle headers) { return said_by(http::parse_cache_control(HeaderList(headers))); })
      .def_static("request_control",
                  [](nb::handle headers) { return said_by(http::request_control(HeaderList(headers))); })
      .def_static("targeted",
                  [](nb::handle headers, const std::string& name) {
                    const auto control = http::parse_targeted(HeaderList(headers), name);
                    return control ? nb::object(said_by(*control)) : nb::none();
                  })
      .def_static("governing",
                  [](nb::handle headers, const std::vector<std::string>& targeted, const std::string& profile) {
                    const auto found = http::governing_control(HeaderList(headers), targeted, profile_named(profile));
                    return nb::make_tuple(said_by(found.control), found.targeted);
                  })
      .def_static("sf_list", &sf_list)
      .def_static("sf_dictionary", &sf_dictionary)
      .def_static("sf_item",
                  [](const nb::bytes& text) {
                    const auto item = http::parse_sf_item(text_of(text));
                    return item ? to_pair(*item) : nb::none();
                  })
      .def_static("sf_string", [](const nb::bytes& text) { return to_bytes(http::sf_string(text_of(text))); })
      .def_static("entity_tag",
                  [](const nb::bytes& text) {
                    const auto tag = http::parse_entity_tag(text_of(text));
                    return tag ? to_tag(*tag) : nb::none();
                  })
      .def_static("entity_tags", &entity_tags)
      .def_static("equal_tags", &equal_tags)
      .def_static("weak_etag", [](nb::handle headers, const nb::bytes& body) {
        return to_bytes(http::weak_etag_of(HeaderList(headers), text_of(body)));
      });
}

}  // namespace tiercel::python
