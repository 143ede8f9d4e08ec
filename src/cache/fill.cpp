#include "cache/fill.hpp"

#include <algorithm>
#include <array>

#include "base/planted.hpp"
#include "cache/early.hpp"
#include "cache/invalidate.hpp"
#include "cache/scripts.hpp"
#include "cache/steps.hpp"
#include "cache/tag_fetch.hpp"
#include "entry/big_endian.hpp"
#include "redis/errors.hpp"

namespace tiercel {

Error too_large(const Core& core, std::string_view key, std::size_t bytes) {
  return {ErrorCode::too_large,
          "the value of '" + std::string(key.substr(0, 100)) + "' has " + std::to_string(bytes) +
              " bytes, more than value_bytes_max (" + std::to_string(core.settings.value_bytes_max) + ")",
          "it was answered and not stored; store less, or raise value_bytes_max"};
}

Fill::Fill(Core& core, std::string_view key, std::string_view payload, const StoreOptions& options,
           std::vector<TagStamp> stamps, Coherence coherence, Times times)
    : options_(options), stamps_(std::move(stamps)), epoch_(core.tags.epoch()) {
  const auto after = [&times](const std::optional<Duration>& life) { return life ? times.now + *life : kNever; };
  EntryFacts facts;
  facts.stamp = Stamp::roll(core.dice);
  facts.version = options.version.value_or(0);
  facts.has_version = options.version.has_value();
  facts.usable_until = after(options.usable_for);
  facts.fresh_until = options.fresh_for ? after(options.fresh_for) : facts.usable_until;
  facts.as_of = times.as_of;
  facts.generation = coherence == Coherence::tracked && core.remote->tracks() ? core.remote->generation() : 0;
  facts.load_cost = options.load_cost;
  facts.head_start = head_start(options.load_cost, core.dice);
  facts.codec = options.codec;
  std::vector<TagStamp> own;
  std::copy_if(stamps_.begin(), stamps_.end(), std::back_inserter(own),
               [](const TagStamp& tag) { return tag.name != kRootTag; });
  if (payload.size() > core.settings.value_bytes_max) refused_ = too_large(core, key, payload.size());
  entry_ = Entry::make(key, facts, own, payload);
}

void Fill::keep(Core& core, Timestamp now) {
  if (!refused_) core.put_in_memory(entry_, now);
}

void Fill::keep_by_age(Core& core, Timestamp now) {
  EntryFacts facts = entry_->facts();
  facts.generation = 0;
  entry_ = Entry::make(entry_->key(), facts, entry_->tags(), entry_->payload());
  entry_->tags_current_at.store(epoch_, std::memory_order_relaxed);
  core.put_in_memory(entry_, now);
}

void remove_quietly(Core& core, std::string_view key, Timestamp now) {
  auto& removal = core.add<InvalidateTask>(std::vector<std::string>{std::string(key)}, std::vector<std::string>{});
  removal.abandoned = true;
  removal.replay(core, now);
}

bool Fill::set(Core& core, Task& task, Timestamp now) {
  TIERCEL_REQUIRE(!refused_);
  if (!extend_tags(core, task, now)) return false;
  const std::string record = core.names.value(entry_->key());
  const std::string bytes = encoded(core, now);
  const std::string life = options_.usable_for ? milliseconds(*options_.usable_for) : "0";
  if (options_.version) {
    std::string version;
    write_u64(version, *options_.version);
    if (!core.run_script(task, ask::step(ask::written), script::kStore, record, {bytes, life, version}, now))
      return false;
  } else {
    const std::array<std::string_view, 5> set{"SET", record, bytes, "PX", life};
    if (!core.submit(task, ask::step(ask::written), std::span(set).first(options_.usable_for ? 5 : 3), now))
      return false;
  }
  ++outstanding_;
  return core.remote->tells_late() || read_back(core, task, now);
}

bool Fill::swap(Core& core, Task& task, std::string_view expected, Timestamp now) {
  TIERCEL_REQUIRE(!refused_);
  if (planted::is(planted::Bug::fill_without_compare)) return set(core, task, now);
  if (!extend_tags(core, task, now)) return false;
  const std::string record = core.names.value(entry_->key());
  const std::string life = options_.usable_for ? milliseconds(*options_.usable_for) : "0";
  if (!core.run_script(task, ask::step(ask::written), script::kSwap, record, {expected, encoded(core, now), life}, now))
    return false;
  ++outstanding_;
  return core.remote->tells_late() || read_back(core, task, now);
}

// Behind the write, so that what is pushed because of it comes first. A server that tells late has told by the time its reply to the write is here.
bool Fill::read_back(Core& core, Task& task, Timestamp now) {
  if (!core.remote->tracks()) return true;
  const std::string record = core.names.value(entry_->key());
  const std::array<std::string_view, 4> getrange{"GETRANGE", record, "0", "63"};
  const bool asked = core.remote->tells_late() ? core.submit(task, ask::step(ask::header), getrange, now, true)
                                               : core.read_behind(task, ask::step(ask::header), getrange, now);
  outstanding_ += asked ? 1 : 0;
  return true;
}

std::string Fill::encoded(Core& core, Timestamp now) const {
  return encode_record(header(core, now), stamps_, {}, entry_->payload());
}

void Fill::reply(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now) {
  --outstanding_;
  if (step.kind == ask::written) {
    written_ = value.is_ok() || (value.type == resp::Value::Type::integer && value.integer == 1);
    superseded_ = value.type == resp::Value::Type::integer && value.integer != 1;
    if (superseded_) return;
    if (!written_) {
      refused_ =
          value.is_error() ? redis::classify(value.text) : Error{ErrorCode::protocol, "SET was not answered by OK", ""};
      core.counters.redis_errors.add();
    } else if (!core.remote->tracks() && !core.pending.outdates(std::string(entry_->key()))) {
      entry_->tags_current_at.store(epoch_, std::memory_order_relaxed);  // no push will tell more; its age bounds it
      core.put_in_memory(entry_, now);
    } else if (core.remote->tells_late()) {
      read_back(core, task, now);
    }
  } else if (step.kind == ask::header && written_ && value.is_string()) {
    const Result<Header> seen = decode_header(value.text);
    if (seen && seen->stamp == entry_->facts().stamp && core.root_is_current(stamps_) &&
        !core.pending.outdates(std::string(entry_->key())))
      core.put_in_memory(entry_, now);
  }
}

// A tag must outlive what is filled under it: forgotten sooner, it would only cost misses; but a cache that forgets is not one.
bool Fill::extend_tags(Core& core, Task& task, Timestamp now) {
  if (!core.remote->runs_scripts()) return true;
  for (std::size_t index = 0; index < stamps_.size(); ++index) {
    const TagStamp& tag = stamps_[index];
    if (tag.name == kRootTag) continue;
    const auto known = core.tags.find(tag.name);
    if (!known || known->stamp != tag.stamp || known->deadline == kServerNever) continue;
    const bool forever = !options_.usable_for;
    const ServerTime needed = forever ? kServerNever : core.server_now(now) + 2 * *options_.usable_for;
    if (!forever && needed <= known->deadline) continue;
    const ServerTime deadline = forever ? kServerNever : std::max(needed, core.server_now(now) + kTagLifeMin);
    const std::string key = core.names.tag(tag.name);
    const std::string bytes = encode_tag({tag.stamp, deadline});
    const std::string life = forever ? "0" : milliseconds(deadline - core.server_now(now));
    if (!core.run_script(task, ask::step(ask::tag_kept, index), script::kExtendTag, key,
                         {tag.stamp.view(), bytes, life}, now))
      return false;
    ++outstanding_;
  }
  return true;
}

Header Fill::header(Core& core, Timestamp now) const {
  const ServerTime at = core.server_now(now);
  const auto after = [at](const std::optional<Duration>& life) { return life ? at + *life : kServerNever; };
  Header header;
  header.codec = options_.codec;
  header.has_version = options_.version.has_value();
  header.stamp = entry_->facts().stamp;
  header.version = options_.version.value_or(0);
  header.usable_until = after(options_.usable_for);
  header.fresh_until = options_.fresh_for ? after(options_.fresh_for) : header.usable_until;
  header.load_cost = options_.load_cost;
  return header;
}

}  // namespace tiercel
