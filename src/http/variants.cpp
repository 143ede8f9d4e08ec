// The index of a resource's variants. See variants.hpp.
#include "http/variants.hpp"

#include <algorithm>

#include "http/vary.hpp"

namespace tiercel::http {

namespace {

void note(std::vector<Variant>& known, const Variant& variant) {
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const Variant& one) { return one.digest == variant.digest; });
  if (found == known.end()) known.push_back(variant);
  else if (found->until != 0) found->until = variant.until == 0 ? 0 : std::max(found->until, variant.until);
}

}  // namespace

Placement place(const std::optional<Variants>& stored, const std::vector<Variant>& reserved,
                const std::vector<std::string>& vary, Fields request, std::int64_t until, std::int64_t now) {
  Placement placement;
  if (!stored && reserved.empty() && vary.empty()) return placement;
  const auto names = merged_names(stored ? stored->names : std::vector<std::string>{}, vary);
  if (!names) return placement.refused = true, placement;
  if (names->empty()) return placement;
  Variants index;
  index.names = *names;
  if (stored) {
    for (const Variant& variant : stored->known) {
      if (variant.until == 0 || variant.until > now) note(index.known, variant);
    }
  }
  for (const Variant& variant : reserved) note(index.known, variant);
  placement.digest = variant_digest(*names, request);
  note(index.known, {placement.digest, until});
  if (index.known.size() > kVariantsMax) return placement.refused = true, placement;
  placement.index = std::move(index);
  return placement;
}

std::int64_t deadline_of(const Variants& index) {
  std::int64_t latest = 1;
  for (const Variant& variant : index.known) {
    if (variant.until == 0) return 0;
    latest = std::max(latest, variant.until);
  }
  return latest;
}

}  // namespace tiercel::http
