// Owns: invalidations that Redis has not confirmed. Bounded and coalesced per key, tag and pattern; when there are too many, one renewal
// of the root stamp stands for all of them. They are sent before Redis is trusted again, and die with the process.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "entry/key.hpp"

namespace tiercel {

class Pending {
 public:
  explicit Pending(std::size_t items_max) : items_max_(items_max) {}

  void add_key(std::string_view key) { add(keys_, key); }
  void add_tag(std::string_view tag) { add(tags_, tag); }
  void add_pattern(std::string_view pattern) { add(patterns_, pattern); }
  void add_root() { overflow(); }

  bool empty() const { return !root_ && keys_.empty() && tags_.empty() && patterns_.empty(); }
  std::size_t size() const { return keys_.size() + tags_.size() + patterns_.size() + (root_ ? 1 : 0); }
  std::size_t overflows() const { return overflows_; }

  // What Redis may still hold under this key is not to be trusted.
  bool covers(std::string_view key) const {
    if (root_ || keys_.contains(std::string(key))) return true;
    for (const std::string& pattern : patterns_) {
      if (glob_match(pattern, key)) return true;
    }
    return false;
  }

  bool covers_tag(std::string_view tag) const { return root_ || tags_.contains(std::string(tag)); }
  const std::set<std::string>& patterns() const { return patterns_; }
  void remove_pattern(const std::string& pattern) { patterns_.erase(pattern); }

  struct Items {
    bool root = false;
    std::set<std::string> keys, tags;
  };
  // Keys, tags and the root, to be sent now: what is not confirmed comes back by add_*. Patterns stay until their scan has ended.
  Items take() {
    Items items{root_, std::move(keys_), std::move(tags_)};
    root_ = false;
    keys_.clear();
    tags_.clear();
    return items;
  }

 private:
  void add(std::set<std::string>& items, std::string_view item) {
    if (root_) return;  // already covered
    items.emplace(item);
    if (size() > items_max_) overflow();
  }
  void overflow() {
    if (!root_) ++overflows_;
    root_ = true;
    keys_.clear();
    tags_.clear();
    patterns_.clear();
  }

  std::size_t items_max_;
  bool root_ = false;
  std::size_t overflows_ = 0;
  std::set<std::string> keys_, tags_, patterns_;
};

}  // namespace tiercel
