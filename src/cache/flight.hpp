// Owns: one load of one key for all callers of this process: look in Redis, bid for the key's lease, load, fill. Whoever comes while it flies joins
// it; whoever leaves harms nobody. An invalidation of its key or of one of its tags seals it: who had joined keeps the answer, nothing is stored,
// later callers start another. The states and their messages: docs/internals/protocol.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/planted.hpp"
#include "cache/core.hpp"
#include "cache/fill.hpp"
#include "cache/late_tags.hpp"
#include "cache/lease.hpp"
#include "cache/lookup.hpp"

namespace tiercel {

class Flight final : public Task {
 public:
  Flight(std::string key, LoadOptions options)
      : key_(std::move(key)), options_(std::move(options)), lookup_(key_, options_.tags, Lookup::For::leading) {}

  void start(Core& core, Timestamp now);
  void join(Core& core, OperationId caller);
  void leave(Core& core, OperationId caller, Timestamp now);
  void finish_load(Core& core, LoadResult result, Timestamp now);
  // Its key was pushed: what was read of it before is not what stands there.
  void key_moved() { moved_ = true; }
  // It waits for another's load, and that has ended, or nobody would tell any more.
  void woken(Core& core, Timestamp now);
  // Sealed, or without callers: the lease it may hold is for others to take.
  void give_back(Core& core, Timestamp now);

  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  void beaten(Core& core, Timestamp now) override;

  const std::string& key() const { return key_; }
  bool has_tag(std::string_view tag) const;
  // Until its stamps are taken, no push of a tag reaches it but that of the any-tag.
  bool awaits_tags() const { return options_.tags_of_result && (!result_ || state_ == State::stamping); }
  // May a reader that begins at `now` take its answer? Not if it began so long ago that it could have missed a change.
  bool may_be_joined(const Core& core, Timestamp now, std::optional<Duration> fresh) const;
  bool loading() const { return state_ == State::loading; }
  bool may_yet_store() const { return state_ == State::loading || state_ == State::stamping; }
  // A push of its key says that somebody changed it; not while something of its own is under way, which reads the key again behind itself.
  bool sealed_by_push(const Core& core) const;
  // Where the server tells late, a push may be that of our own bid. What is loaded under a lease then goes by its lease and its stamps alone, and
  // is joined no longer than its age allows.
  bool outlasts_pushes(const Core& core) const;
  // Nobody joins it any more. What it is loading by now may be older than the change, so it is not stored; what it will load is not.
  void mark_sealed() {
    outdated_ = outdated_ || (state_ >= State::loading && !planted::is(planted::Bug::stamp_after_load));
  }

 private:
  enum class State : std::uint8_t { listening, looking, electing, bidding, waiting, loading, stamping, filling, ended };
  enum class Store : std::uint8_t {
    nowhere,  // its callers' answer alone
    memory,  // Redis is away: for as long as its age allows
    under_lease,  // where our lease stands
    over_value,  // a refresh: where the value that was seen stands
  };

  void load_beside_a_write(Core& core, Timestamp now);
  void look(Core& core, Timestamp now);
  void found(Core& core, Timestamp now);
  bool holds(const Core& core, const Lookup::Seen& seen, Timestamp now) const;
  void refresh(Core& core, Timestamp now);
  void take_election(Core& core, const resp::Value& value, Timestamp now);
  void land_hit(Core& core, const EntryRef& entry, bool from_memory, Timestamp now);
  void decide(Core& core, Timestamp now);
  void bid(Core& core, Timestamp now);
  void wait(Core& core, const Header& lease, Timestamp now);
  Duration next_poll(Core& core);
  void load(Core& core, Store store, Timestamp now);
  void start_loader(Core& core, Timestamp now);
  bool is_overtaken(Core& core, Timestamp now) const;
  void take_renewal(Core& core, Step step, const resp::Value& value);
  void look_after(Core& core, Timestamp now);
  void look_again(Core& core, Timestamp now);
  bool stamp_any_tag(Core& core, Timestamp now);
  bool take_tags(Core& core, Timestamp now);
  void pass(Core& core, Timestamp now);
  void stamped(Core& core, Timestamp now);
  void add_stamps(const std::vector<TagStamp>& stamps);
  void fill(Core& core, Timestamp now);
  void filled(Core& core, Timestamp now);
  void forget_old(Core& core);
  bool stores_in_redis() const { return store_ == Store::under_lease || store_ == Store::over_value; }
  void land(Core& core, Outcome outcome);
  bool run_next_loader(Core& core, Timestamp now);
  void failed(Core& core, Timestamp now);
  void rest_if_behind(Core& core, Timestamp now);

  std::string key_;
  LoadOptions options_;
  Lookup lookup_;
  std::optional<Lease> lease_;
  std::optional<Fill> fill_;
  std::optional<LateTags> late_;  // tags that may come with the result
  std::optional<LoadResult> result_;
  std::vector<OperationId> callers_;  // in the order they came
  OperationId loader_of_ = 0;  // whose loader runs
  std::vector<TagStamp> stamps_;
  Stamp stood_;  // what memory held when the load began
  std::string expected_;  // the stamp that must stand under the key when it is filled
  Timestamp as_of_{}, load_started_{}, patient_until_ = kNever;
  std::optional<std::uint64_t> stands_;  // the version of the value that a refresh goes over
  std::string waited_for_;  // the stamp of the lease that is waited for
  unsigned rounds_ = 0, other_leases_ = 0, polls_ = 0;
  std::uint32_t generation_ = 0;  // of the session on which its key is tracked; 0: on none
  bool outdated_ = false;
  bool moved_ = false;  // since the key was last read
  State state_ = State::looking;
  Store store_ = Store::nowhere;
};

// A caller of get_or_load: its place in a flight.
class Caller final : public Task {
 public:
  explicit Caller(FlightId flight) : flight_(flight) {}
  void reply(Core&, Step, const resp::Value&, Timestamp) override {}
  void lost(Core&, Step, const Error&, Timestamp) override {}
  void overdue(Core&, Timestamp) override {}
  bool abandon(Core& core, Timestamp now) override;

 private:
  FlightId flight_;
};

}  // namespace tiercel
