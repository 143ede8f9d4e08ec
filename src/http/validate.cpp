// Validation with the application. See validate.hpp.
#include "http/validate.hpp"

#include <algorithm>
#include <optional>

#include "http/age.hpp"
#include "http/etag.hpp"
#include "http/kept.hpp"

namespace tiercel::http {

namespace {

struct Validators {
  std::optional<EntityTag> tag;
  std::string_view modified;  // Last-Modified as written; empty: none
  bool modified_is_strong = false;
};

Validators validators_of(Fields fields, std::int64_t now) {
  Validators found;
  if (const auto line = only_line(fields, "etag")) found.tag = parse_entity_tag(trimmed(*line));
  if (const auto line = only_line(fields, "last-modified")) {
    const auto modified = parse_date(trimmed(*line), now);
    if (modified) found.modified = trimmed(*line);
    const auto date = date_value(fields, now);
    found.modified_is_strong = modified && date && *date >= *modified + 1;  // RFC 9110 8.8.2.2
  }
  return found;
}

bool same_strong(const Validators& a, const Validators& b) {
  if (a.tag && b.tag) return strongly_equal(*a.tag, *b.tag);  // a tag says more than a date beside it
  return !a.modified.empty() && a.modified == b.modified && b.modified_is_strong;
}

bool same_weak(const Validators& a, const Validators& b) {
  if (a.tag && b.tag) return weakly_equal(*a.tag, *b.tag);
  return !a.modified.empty() && a.modified == b.modified;
}

// 3.2: what a stored body was written with is not changed by a message without one. The others that stay tell of the same.
bool stays(std::string_view name) {
  for (const char* kept : {"content-length", "content-encoding", "content-type", "content-range"}) {
    if (equal_ignoring_case(name, kept)) return true;
  }
  return false;
}

}  // namespace

std::vector<Field> revalidation_fields(const StoredResponse& stored) {
  std::vector<Field> asked;
  if (const auto line = only_line(stored.fields, "etag"); line && !trimmed(*line).empty())
    asked.push_back({"if-none-match", trimmed(*line)});
  if (const auto line = only_line(stored.fields, "last-modified"); line && !trimmed(*line).empty())
    asked.push_back({"if-modified-since", trimmed(*line)});
  return asked;
}

std::vector<std::size_t> freshened_by(Fields fresh, std::span<const StoredResponse> stored, std::int64_t now) {
  const Validators said = validators_of(fresh, now);
  std::vector<std::size_t> places;
  const bool strong = (said.tag && !said.tag->weak) || (!said.tag && said.modified_is_strong);
  const bool none = !said.tag && said.modified.empty();
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const Validators own = validators_of(stored[i].fields, now);
    if (none) {
      if (stored.size() == 1 && !own.tag && own.modified.empty()) places.push_back(i);
    } else if (strong ? same_strong(said, own) : same_weak(said, own)) {
      places.push_back(i);
      if (!strong) break;
    }
  }
  return places;
}

std::vector<Field> updated_fields(Fields stored, Fields fresh) {
  std::vector<Field> taken;
  for (const Field& field : kept_fields(fresh)) {
    if (!stays(field.name) && is_storable_field(field)) taken.push_back(field);
  }
  std::vector<std::string_view> names;
  names.reserve(taken.size());
  for (const Field& field : taken) names.push_back(field.name);
  std::sort(names.begin(), names.end(), less_ignoring_case);
  std::vector<Field> updated;
  updated.reserve(stored.size() + taken.size());
  for (const Field& field : stored) {
    if (!std::binary_search(names.begin(), names.end(), field.name, less_ignoring_case)) updated.push_back(field);
  }
  updated.insert(updated.end(), taken.begin(), taken.end());
  return updated;
}

HeadSays head_says(int status, Fields head, const StoredResponse& stored) {
  if (status != 200) return HeadSays::nothing;
  const ContentLength length = content_length(head);
  if (length.present && (!length.bytes || *length.bytes != stored.body.size())) return HeadSays::outdated;
  for (const char* name : {"etag", "last-modified"}) {
    const auto said = only_line(head, name), own = only_line(stored.fields, name);
    if (said && (!own || trimmed(*said) != trimmed(*own))) return HeadSays::outdated;
  }
  return HeadSays::update;
}

}  // namespace tiercel::http
