// Owns: invalidations that Redis has not confirmed. Bounded and coalesced per key, tag and pattern; when there are too many, one renewal
// of the root stamp stands for all of them. They are sent before Redis is trusted again, and die with the process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "entry/key.hpp"

namespace tiercel {

class Pending {
 public:
  static constexpr std::size_t kTagsAtOnceMax = 4'096, kBytesAtOnceMax = 2u << 20;

  explicit Pending(std::size_t items_max) : items_max_(items_max) {}

  void add_key(std::string_view key) { add(keys_, key); }
  void add_tag(std::string_view tag) { add(tags_, tag); }
  // What names a version leaves what is newer, and a floor.
  void add_floor(const std::string& key, std::uint64_t version) {
    if (root_) return;
    std::uint64_t& floor = floors_[key];
    floor = std::max(floor, version);
    if (size() > items_max_) overflow();
  }
  void add_pattern(std::string_view pattern) { add(patterns_, pattern); }
  // More tags and floors than one pipeline takes beside what else is asked: the root stands for them.
  void fit_in_one_pipeline() {
    std::size_t bytes = 0;
    for (const auto* names : {&keys_, &tags_}) {
      for (const std::string& name : *names) bytes += name.size();
    }
    for (const auto& [key, version] : floors_) bytes += key.size();
    if (tags_.size() + floors_.size() > kTagsAtOnceMax || bytes > kBytesAtOnceMax) overflow();
  }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return keys_.size() + floors_.size() + tags_.size() + patterns_.size() + (root_ ? 1 : 0); }
  std::size_t overflows() const { return overflows_; }

  // What Redis may still hold under this key is not to be trusted.
  bool covers(std::string_view key) const {
    if (root_ || keys_.contains(std::string(key)) || floors_.contains(std::string(key))) return true;
    for (const std::string& pattern : patterns_) {
      if (glob_match(pattern, key)) return true;
    }
    return false;
  }

  bool covers_tag(std::string_view tag) const { return root_ || tags_.contains(std::string(tag)); }
  // The same of an answer: replies come in order, so what comes before the answer to an invalidation under way was asked before it.
  bool outdates(const std::string& key) const { return sent_root() || sent_keys_.contains(key) || covers(key); }
  bool outdates_tag(const std::string& tag) const { return sent_root() || sent_tags_.contains(tag) || covers_tag(tag); }
  const std::set<std::string>& patterns() const { return patterns_; }
  void remove_pattern(const std::string& pattern) { patterns_.erase(pattern); }

  struct Items {
    bool root = false;
    std::set<std::string> keys, tags;
    std::map<std::string, std::uint64_t> floors;
  };
  // Keys, tags and the root, to be sent now: what is not confirmed comes back by add_*. Patterns stay until their scan has ended.
  Items take() {
    Items items{root_, std::move(keys_), std::move(tags_), std::move(floors_)};
    root_ = false;
    keys_.clear();
    floors_.clear();
    tags_.clear();
    return items;
  }
  // Under way, until it is answered or lost.
  void sent(const std::vector<std::string>& keys, const std::vector<std::string>& tags) {
    sent_keys_.insert(keys.begin(), keys.end());
    sent_tags_.insert(tags.begin(), tags.end());
  }
  void ended(const std::vector<std::string>& keys, const std::vector<std::string>& tags) {
    for (const std::string& key : keys) sent_keys_.extract(key);
    for (const std::string& tag : tags) sent_tags_.extract(tag);
  }

 private:
  bool sent_root() const { return sent_tags_.contains(std::string()); }  // it is the tag without a name
  void add(std::set<std::string>& items, std::string_view item) {
    if (root_) return;  // already covered
    items.emplace(item);
    if (size() > items_max_) overflow();
  }
  void overflow() {
    if (!root_) ++overflows_;
    root_ = true;
    keys_.clear();
    floors_.clear();
    tags_.clear();
    patterns_.clear();
  }

  std::size_t items_max_;
  bool root_ = false;
  std::size_t overflows_ = 0;
  std::set<std::string> keys_, tags_, patterns_;
  std::map<std::string, std::uint64_t> floors_;
  std::multiset<std::string> sent_keys_, sent_tags_;
};

}  // namespace tiercel
