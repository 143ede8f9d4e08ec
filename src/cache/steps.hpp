// Owns: the questions tasks ask of Redis, by kind; a reply comes back with the kind and the index of its question.
#pragma once

#include "cache/remote.hpp"

namespace tiercel::ask {

enum Kind : std::uint16_t {
  value = 1,   // GET of a record
  tag,         // GET of a tag, `index` into the fetch's items
  tag_made,    // SET NX of a tag
  stamp,       // GETRANGE of the head of a record that memory holds: the same, or not
  bid,         // SET NX of a lease, or the swap that puts one in the place of what may not be served
  elected,     // SET NX of who refreshes a key at present
  renewed,     // swap of a lease for the same with a later deadline
  lease_seen,  // GETRANGE of a lease behind its renewal
  tag_kept,    // a tag's life was extended
  written,     // SET of a record, or the swap of a lease for it
  header,      // GETRANGE of what was just written
  removed,     // UNLINK, `index`: which batch
  tag_moved,   // SET of a tag to a new stamp, `index` into the task's tags
  tag_dropped, // UNLINK of a tag where SET was refused
  any_made,    // SET NX of the any-tag
  any_seen,    // GET of the any-tag
  any_moved,   // SET XX of the any-tag, before tags
  any_dropped, // UNLINK of the any-tag where SET was refused
  scanned,     // SCAN
  announced,   // a write's intent on a key or tag
  withdrawn,   // its end
  floored,     // a version below which nothing is to be stored, in a key's place
  raw,         // the user's own command
};

inline Step step(Kind kind, std::size_t index = 0) { return {kind, static_cast<std::uint16_t>(index)}; }

}  // namespace tiercel::ask
