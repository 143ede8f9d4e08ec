// Owns: the versions that invalidations and writes named, where Redis cannot keep them: on memory://, and of what could not be sent. What is older is
// not stored for a while. In Redis a floor stands in the key's place. Bounded: when it is full, what comes last is not remembered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace tiercel {

class Floors {
 public:
  static constexpr std::size_t kKeysMax = 10'000;
  static constexpr Duration kSweepEvery = std::chrono::seconds{1};

  void raise(std::string_view key, std::uint64_t version, Timestamp until, Timestamp now) {
    if (floors_.size() >= kKeysMax && now >= sweep_again_) {
      sweep_again_ = now + kSweepEvery;
      std::erase_if(floors_, [now](const auto& floor) { return floor.second.until <= now; });
    }
    const auto at = floors_.find(key);
    if (at == floors_.end()) {
      if (floors_.size() < kKeysMax) floors_.emplace(key, Floor{version, until});
    } else if (at->second.until <= now || at->second.version <= version) {
      at->second = {version, until};
    }
  }
  bool above(std::string_view key, std::uint64_t version, Timestamp now) const {
    const auto at = floors_.find(key);
    return at != floors_.end() && at->second.until > now && at->second.version > version;
  }
  void forget(std::string_view key) {
    if (const auto at = floors_.find(key); at != floors_.end()) floors_.erase(at);
  }

 private:
  struct Floor {
    std::uint64_t version;
    Timestamp until;
  };
  std::map<std::string, Floor, std::less<>> floors_;
  Timestamp sweep_again_{};
};

}  // namespace tiercel
