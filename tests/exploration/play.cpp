#include "exploration/play.hpp"

#include <algorithm>

namespace tiercel::explore {

using namespace std::chrono_literals;

const char* name_of(Act act) {
  switch (act) {
    case Act::load:
      return "get_or_load";
    case Act::load_now:
      return "get_or_load(fresh=now)";
    case Act::ask:
      return "read(fresh=now)";
    case Act::find:
      return "find";
    case Act::invalidate_key:
      return "invalidate(key)";
    case Act::invalidate_tag:
      return "invalidate(tag)";
    case Act::commit:
      return "commit";
    case Act::announce:
      return "writing(key): begin";
    case Act::announce_tag:
      return "writing(tag): begin";
    case Act::announce_waiting:
      return "writing(key, wait): begin";
    case Act::conclude:
      return "writing: end";
  }
  return "?";
}

namespace {
bool does(const Play& play, Act act) {
  return std::any_of(play.actors.begin(), play.actors.end(), [act](const Actor& actor) {
    return std::find(actor.acts.begin(), actor.acts.end(), act) != actor.acts.end();
  });
}
}  // namespace

bool Play::waits_for_time() const { return cuts > 0 || !pauses.empty() || does(*this, Act::announce_waiting); }
bool Play::writes() const { return does(*this, Act::conclude); }

namespace {

using enum Act;
using Plays = std::vector<Play>;

void add_calm(Plays& all) {  // nothing goes wrong
  all.push_back({.name = "two loaders", .actors = {{0, {load}}, {1, {load}}}});
  all.push_back({.name = "two loaders, a tag", .actors = {{0, {load}}, {1, {load}}}, .tagged = true});
  all.push_back({.name = "two callers here, one there", .actors = {{0, {load}}, {0, {load_now, find}}, {1, {load}}}});
}

void add_invalidated(Plays& all) {  // invalidations
  all.push_back({.name = "a load, and an invalidation there",
                 .actors = {{0, {load, find}}, {1, {commit, invalidate_key, load}}}});
  all.push_back({.name = "a load, an invalidation beside it, a load",
                 .actors = {{0, {load}}, {0, {commit, invalidate_key, load}}}});
  all.push_back({.name = "a load, and an invalidation of its tag",
                 .actors = {{0, {load, find}}, {1, {commit, invalidate_tag, load}}},
                 .tagged = true});
  all.push_back({.name = "both hold it, an invalidation",
                 .actors = {{0, {commit, invalidate_key, load}}, {1, {load, load_now}}},
                 .warm = true});
  all.push_back({.name = "both hold it, an invalidation of its tag",
                 .actors = {{0, {commit, invalidate_tag, load}}, {1, {load_now}}},
                 .tagged = true,
                 .warm = true});
  all.push_back({.name = "both hold it, two invalidations",
                 .actors = {{0, {commit, invalidate_key, ask}}, {1, {commit, invalidate_key, ask}}},
                 .warm = true});
  all.push_back({.name = "both hold it, two invalidations of its tag",
                 .actors = {{0, {commit, invalidate_tag}}, {1, {commit, invalidate_tag, load}}},
                 .tagged = true,
                 .warm = true});
}

void add_written(Plays& all) {  // announced writes
  all.push_back({.name = "a writer, and a reader who holds it",
                 .actors = {{0, {announce, commit, conclude}}, {1, {load, load_now}}},
                 .warm = true});
  all.push_back(
      {.name = "a writer and a loader", .actors = {{0, {announce, commit, conclude, load}}, {1, {load, load_now}}}});
  all.push_back({.name = "a writer of the tag, and a loader",
                 .actors = {{0, {announce_tag, commit, conclude}}, {1, {load_now}}},
                 .tagged = true,
                 .warm = true});
}

void add_troubled(Plays& all) {  // what goes wrong
  all.push_back({.name = "a load that fails", .actors = {{0, {load}}, {1, {load}}}, .failing_loads = 1});
  all.push_back({.name = "a caller who leaves", .actors = {{0, {load}}, {1, {load}}}, .leaving = 1});
  all.push_back({.name = "the tag's record is evicted",
                 .actors = {{0, {commit, invalidate_tag}}, {1, {load_now}}},
                 .tagged = true,
                 .warm = true,
                 .evictions = 1});
  all.push_back({.name = "Redis forgets its scripts, a load and an invalidation",
                 .actors = {{0, {load}}, {1, {commit, invalidate_key, load}}},
                 .forgettings = 1});
  all.push_back({.name = "Redis forgets its scripts, a writer and a loader",
                 .actors = {{0, {announce, commit, conclude}}, {1, {load_now}}},
                 .warm = true,
                 .forgettings = 1});
  all.push_back({.name = "the connection of who invalidates ends",
                 .actors = {{0, {commit, invalidate_key}}},
                 .warm = true,
                 .cuts = 1,
                 .cut_of = 0,
                 .pauses = {200ms},
                 .op_timeout = 1s,
                 .staleness = 100ms,
                 .lease_for = 1s});
  all.push_back({.name = "the connection of who holds it ends, an invalidation",
                 .actors = {{0, {commit, invalidate_key}}, {1, {find}}},
                 .warm = true,
                 .cuts = 1,
                 .cut_of = 1,
                 .pauses = {200ms},
                 .op_timeout = 1s,
                 .staleness = 100ms,
                 .lease_for = 1s});
}

void add_deep(Plays& all) {  // for `make check`
  all.push_back({.name = "staleness",
                 .actors = {{0, {commit, invalidate_key}}, {1, {find}}},
                 .warm = true,
                 .pauses = {50ms, 150ms},
                 .staleness = 100ms,
                 .deep = true});
  all.push_back({.name = "two writers and a loader",
                 .actors = {{0, {announce, commit, conclude}}, {1, {announce, commit, conclude}}, {1, {load}}},
                 .deep = true});
  all.push_back({.name = "a writer who waits, and a reader",
                 .actors = {{0, {announce_waiting, commit, conclude}}, {1, {load}}},
                 .warm = true,
                 .pauses = {110ms},
                 .staleness = 100ms,
                 .deep = true});
  all.push_back({.name = "a load, and an invalidation beside it",
                 .actors = {{0, {load}}, {0, {commit, invalidate_key, load}}, {1, {ask}}},
                 .deep = true});
  all.push_back({.name = "a lease expires",
                 .actors = {{0, {load}}, {1, {load}}},
                 .pauses = {2100ms},
                 .lease_for = 2s,
                 .deep = true});
  all.push_back({.name = "a connection ends, a load and an invalidation",
                 .actors = {{0, {commit, invalidate_key}}, {1, {load}}},
                 .cuts = 1,
                 .pauses = {60ms},
                 .op_timeout = 1s,
                 .deep = true});
  all.push_back({.name = "a connection ends, both hold it, an invalidation",
                 .actors = {{0, {commit, invalidate_key}}, {1, {load}}},
                 .warm = true,
                 .cuts = 1,
                 .pauses = {200ms},
                 .op_timeout = 1s,
                 .staleness = 100ms,
                 .lease_for = 1s,
                 .deep = true});
  all.push_back({.name = "two loaders, one invalidates the key",
                 .actors = {{0, {load, find}}, {1, {load, ask}}, {0, {commit, invalidate_key}}},
                 .deep = true});
  all.push_back({.name = "two loaders, one invalidates the tag",
                 .actors = {{0, {load}}, {1, {load}}, {0, {commit, invalidate_tag}}},
                 .tagged = true,
                 .deep = true});
  all.push_back({.name = "a load that fails, or whose caller leaves, of three",
                 .actors = {{0, {load}}, {1, {load}}, {1, {load}}},
                 .failing_loads = 1,
                 .leaving = 1,
                 .deep = true});
}

}  // namespace

std::vector<Play> plays() {
  Plays all;
  for (const auto add : {add_calm, add_invalidated, add_written, add_troubled, add_deep}) add(all);
  return all;
}

}  // namespace tiercel::explore
