// Owns: bugs put in on purpose, one at a time, so that the proof of the freshness promise is seen to catch them. Compiled only into a build with
// TIERCEL_PLANTED_BUGS; in every other one is() is false and costs nothing. A level below cache, because some live in redis.
//
// Use, where the right thing is done:   if (planted::is(planted::Bug::fill_without_compare)) ...the wrong thing...
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace tiercel::planted {

enum class Bug : std::uint8_t {
  none,
  lease_per_client,  // a lease's stamp is one per engine, not new at every bid (A4)
  fill_without_compare,  // a fill is a plain SET (A1)
  stamp_after_load,  // the tags' stamps are taken when the load has ended (A10)
  push_ignored,  // a push of a key that memory does not hold seals no flight and wakes nobody (A2)
  unverified_reconnect,  // entries of an earlier connection go on being served (A3)
  tag_by_clock,  // a tag's new stamp is the time in seconds (A9)
  missing_tag_current,  // a tag without a record is taken for unchanged (A11)
  joins_sealed_flight,  // a flight goes on being joined after its key was invalidated (A16)
  untracked_wait,  // what stands under a key that was bid for is read untracked, as by SET NX GET: nobody wakes who waits
  mismatch_believed,  // a tag is compared as it was known before the entry was read, and not asked again
  watermark_of_reply,  // the watermark is when a reply came, not when its command was sent
  intent_of_one,  // a writer's intent replaces that of another
  restoring_rollback,  // the end of a write leaves what was there before it
  no_renewal,  // a lease is not renewed while its load runs
  lease_kept,  // a lease whose load failed or was sealed is not given back
  zombies,  // a new connection does not end its predecessor
  pending_forgotten,  // invalidations made while Redis was away are not sent (A3)
  own_write_unseen,  // a confirmed invalidation leaves this process' memory as it is (A5)
  stamp_unchecked,  // an entry of an earlier connection is taken for verified whatever stamp Redis has (A8)
  floor_dropped,  // a lease does not carry on the version below which nothing is to be stored
  fresh_ignored,  // a read that asks for something fresher gets what the cache's staleness allows (A6)
  watermark_after,  // the watermark is read after the entry was looked up
};

inline constexpr std::array<std::string_view, 23> kNames{"none",
                                                         "lease_per_client",
                                                         "fill_without_compare",
                                                         "stamp_after_load",
                                                         "push_ignored",
                                                         "unverified_reconnect",
                                                         "tag_by_clock",
                                                         "missing_tag_current",
                                                         "joins_sealed_flight",
                                                         "untracked_wait",
                                                         "mismatch_believed",
                                                         "watermark_of_reply",
                                                         "intent_of_one",
                                                         "restoring_rollback",
                                                         "no_renewal",
                                                         "lease_kept",
                                                         "zombies",
                                                         "pending_forgotten",
                                                         "own_write_unseen",
                                                         "stamp_unchecked",
                                                         "floor_dropped",
                                                         "fresh_ignored",
                                                         "watermark_after"};

#ifdef TIERCEL_PLANTED_BUGS
inline constexpr bool kCompiledIn = true;
inline Bug bug = Bug::none;  // set before an engine is made
inline bool is(Bug wanted) { return bug == wanted; }
inline void plant(Bug wanted) { bug = wanted; }
// Another thread's turn, where the order of two reads matters.
inline void (*others)() = nullptr;
inline void let_others() {
  if (others != nullptr) others();
}
inline void let_others_by(void (*whoever)()) { others = whoever; }
#else
inline constexpr bool kCompiledIn = false;
constexpr bool is(Bug) { return false; }
inline void plant(Bug) {}
inline void let_others() {}
inline void let_others_by(void (*)()) {}
#endif

// What a planted bug keeps that the engine has no place for. Call it where is() holds.
template <class T>
std::map<const void*, T>& kept_for() {
  static std::map<const void*, T> all;
  return all;
}

constexpr std::optional<Bug> named(std::string_view name) {
  for (std::size_t index = 0; index < kNames.size(); ++index) {
    if (kNames[index] == name) return static_cast<Bug>(index);
  }
  return std::nullopt;
}

}  // namespace tiercel::planted
