// Owns: `_core.HttpReuse`, storing, serving and validating rule by rule, for the tests that go over the RFCs' tables.
#include <memory>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "http/conditional.hpp"
#include "http/kept.hpp"
#include "http/range.hpp"
#include "http/reuse.hpp"
#include "http/validate.hpp"
#include "http_rule.hpp"

namespace tiercel::python {

using namespace nb::literals;

namespace {

struct HttpReuse {};

http::Decision decide(int status, nb::handle headers, bool get, bool credentialed, std::int64_t delay,
                      std::optional<double> lifetime, double stale, const std::string& profile,
                      const std::vector<std::string>& targeted, double keep, std::int64_t now) {
  const HeaderList fields(headers);
  http::ResponseFacts facts;
  facts.status = status;
  facts.fields = fields;
  facts.get = get;
  facts.credentialed = credentialed;
  facts.delay = delay;
  return http::decide(facts, {lifetime.has_value(), lifetime, stale}, now, {profile_named(profile), targeted, keep});
}

const char* word_of(http::Source source) {
  constexpr const char* kWords[] = {"none", "targeted", "response", "defaults", "heuristic"};
  return kWords[static_cast<std::size_t>(source)];
}

nb::object told(const http::Verdict& verdict) {
  constexpr const char* kWords[] = {"hit", "stale", "validate", "miss", "timeout"};
  return nb::make_tuple(kWords[static_cast<std::size_t>(verdict.serve)], http::name_of(verdict.reason), verdict.ttl);
}

http::Terms terms_of(const http::Decision& decision, std::int64_t received) {
  http::Terms terms;
  terms.received = received;
  http::set_terms(terms, decision);
  return terms;
}

nb::object may_serve(nb::handle request, const http::Decision& decision, std::int64_t received, std::int64_t now,
                     const std::string& profile) {
  const http::Terms terms = terms_of(decision, received);
  const bool stored = decision.refusal == http::Refusal::none;
  return told(http::may_serve(http::request_control(HeaderList(request)), stored ? &terms : nullptr, now,
                              profile_named(profile)));
}

nb::object in_place_of(const std::string& failure, nb::handle request, const http::Decision& decision,
                       std::int64_t received, std::int64_t now, const std::string& profile) {
  if (decision.refusal != http::Refusal::none) return told({});
  const auto kind = failure == "status" ? http::Failure::status : http::Failure::disconnected;
  return told(http::in_place_of(kind, http::request_control(HeaderList(request)), terms_of(decision, received), now,
                                profile_named(profile)));
}

// A response as if it were stored: views of what Python holds.
http::StoredResponse stored_of(const HeaderList& headers, const nb::bytes& body, int status, std::int64_t received) {
  http::StoredResponse stored;
  stored.status = status;
  stored.received = received;
  stored.fields = headers.fields();
  stored.body = text_of(body);
  return stored;
}

nb::object told(const http::RangeAnswer& answer, std::uint64_t size) {
  if (answer.kind == http::RangeAnswer::Kind::whole) return nb::none();
  return to_bytes(http::content_range(answer, size));
}

std::vector<std::size_t> freshened(nb::handle fresh, const nb::list& stored, std::int64_t now) {
  std::vector<std::unique_ptr<HeaderList>> lists;
  std::vector<http::StoredResponse> responses;
  const nb::bytes nothing("");
  for (const nb::handle headers : stored) {
    lists.push_back(std::make_unique<HeaderList>(headers));
    responses.push_back(stored_of(*lists.back(), nothing, 200, now));
  }
  return http::freshened_by(HeaderList(fresh), responses, now);
}

const char* head_says(int status, nb::handle head, nb::handle headers, const nb::bytes& body) {
  constexpr const char* kWords[] = {"update", "outdated", "nothing"};
  const HeaderList fields(headers);
  const auto says = http::head_says(status, HeaderList(head), stored_of(fields, body, 200, 0));
  return kWords[static_cast<std::size_t>(says)];
}

void bind_decisions(nb::module_& m) {
  nb::class_<http::Decision>(m, "HttpVerdict")
      .def_prop_ro("refusal", [](const http::Decision& d) { return sentence_or_none(http::sentence_of(d.refusal)); })
      .def_prop_ro("source", [](const http::Decision& d) { return word_of(d.source); })
      .def_ro("fresh_for", &http::Decision::fresh_for)
      .def_ro("stale_for", &http::Decision::stale_for)
      .def_ro("stale_while_revalidate", &http::Decision::stale_while_revalidate)
      .def_ro("kept_for", &http::Decision::kept_for)
      .def_ro("is_public", &http::Decision::is_public)
      .def_prop_ro("vary", [](const http::Decision& d) { return to_list(d.vary); });
}

}  // namespace

void bind_http_reuse(nb::module_& m) {
  bind_decisions(m);
  nb::class_<HttpReuse>(m, "HttpReuse")
      .def_static("decide", &decide, "status"_a, "headers"_a, nb::kw_only(), "get"_a, "credentialed"_a, "delay"_a,
                  "lifetime"_a.none(), "stale"_a, "profile"_a, "targeted"_a, "keep"_a, "now"_a)
      .def_static("may_serve", &may_serve)
      .def_static("in_place_of", &in_place_of)
      .def_static("is_heuristically_cacheable", &http::is_heuristically_cacheable)
      .def_static("not_modified",
                  [](nb::handle request, nb::handle headers, int status, std::int64_t received, std::int64_t now,
                     const std::string& profile) {
                    const HeaderList fields(headers);
                    const nb::bytes nothing("");
                    return http::not_modified(HeaderList(request), stored_of(fields, nothing, status, received), now,
                                              profile_named(profile));
                  })
      .def_static("is_in_not_modified", [](const std::string& name) { return http::is_in_not_modified(name); })
      .def_static("is_in_partial", [](const std::string& name) { return http::is_in_partial(name); })
      .def_static("range", [](const nb::bytes& text,
                              std::uint64_t size) { return told(http::parse_range(text_of(text), size), size); })
      .def_static("range_of",
                  [](nb::handle request, nb::handle headers, const nb::bytes& body, int status, std::int64_t now,
                     const std::string& profile) {
                    const HeaderList fields(headers);
                    const http::StoredResponse stored = stored_of(fields, body, status, now);
                    return told(http::range_of(HeaderList(request), stored, now, profile_named(profile)), body.size());
                  })
      .def_static("kept", [](nb::handle headers) { return to_pairs(http::kept_fields(HeaderList(headers))); })
      .def_static("revalidation",
                  [](nb::handle headers) {
                    const HeaderList fields(headers);
                    const nb::bytes nothing("");
                    return to_pairs(http::revalidation_fields(stored_of(fields, nothing, 200, 0)));
                  })
      .def_static("freshened", &freshened)
      .def_static("updated",
                  [](nb::handle stored, nb::handle fresh) {
                    const HeaderList before(stored), after(fresh);
                    return to_pairs(http::updated_fields(before, after));
                  })
      .def_static("head_says", &head_says);
}

}  // namespace tiercel::python
