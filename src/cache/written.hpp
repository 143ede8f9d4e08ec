// Owns: what this process is writing now: keys and tags whose loads are not to be stored, here and on memory://. Counted, for writes may overlap.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace tiercel {

class Written {
 public:
  void add(const std::vector<std::string>& keys, const std::vector<std::string>& tags) {
    for (const std::string& key : keys) ++keys_[key];
    for (const std::string& tag : tags) ++tags_[tag];
  }
  void remove(const std::vector<std::string>& keys, const std::vector<std::string>& tags) {
    for (const std::string& key : keys) take(keys_, key);
    for (const std::string& tag : tags) take(tags_, tag);
  }
  bool covers(const std::string& key, const std::vector<std::string>& tags) const {
    if (keys_.empty() && tags_.empty()) return false;
    if (keys_.contains(key)) return true;
    for (const std::string& tag : tags) {
      if (tags_.contains(tag)) return true;
    }
    return false;
  }

 private:
  using Counts = std::map<std::string, unsigned>;
  static void take(Counts& counts, const std::string& name) {
    const auto at = counts.find(name);
    if (at != counts.end() && --at->second == 0) counts.erase(at);
  }
  Counts keys_, tags_;
};

}  // namespace tiercel
