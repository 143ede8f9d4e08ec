// Owns: the keys whose background refresh brought nothing, and until when none is asked for again: what is stale goes on serving, and a source
// that fails is not asked once a hit. Bounded: what does not fit is asked for again, which costs a load and no more.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace tiercel {

class RefreshRests {
 public:
  static constexpr std::size_t kKeysMax = 10'000;
  static constexpr Duration kSweepEvery = std::chrono::seconds{1};

  void rest(const std::string& key, Timestamp until, Timestamp now) {
    if (until_.size() >= kKeysMax && now >= sweep_again_) {
      sweep_again_ = now + kSweepEvery;
      std::erase_if(until_, [now](const auto& rested) { return rested.second <= now; });
    }
    if (until_.size() < kKeysMax) until_[key] = until;
  }
  bool rests(std::string_view key, Timestamp now) {
    if (until_.empty()) return false;
    const auto at = until_.find(key);
    if (at == until_.end()) return false;
    if (at->second > now) return true;
    until_.erase(at);
    return false;
  }

 private:
  std::map<std::string, Timestamp, std::less<>> until_;
  Timestamp sweep_again_{};
};

}  // namespace tiercel
