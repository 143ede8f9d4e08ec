// Owns: `set`: the stamps of its tags (unless the miss that began it brought them), then the fill. A store whose outcome is unknown leaves its key
// as a pending invalidation: Redis may hold the old value or the new one.
#pragma once

#include <optional>
#include <string>

#include "cache/core.hpp"
#include "cache/fill.hpp"
#include "cache/lookup.hpp"

namespace tiercel {

class StoreTask final : public Task {
 public:
  StoreTask(std::string key, std::string payload, StoreOptions options)
      : key_(std::move(key)),
        payload_(std::move(payload)),
        options_(std::move(options)),
        stamps_(key_, options_.tags, Lookup::For::storing) {}

  void start(Core& core, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  bool abandon(Core&, Timestamp) override { return false; }  // what was asked for is done

 private:
  void fill(Core& core, std::vector<TagStamp> stamps, Timestamp now);
  void keep_locally(Core& core, Timestamp now);
  void refuse(Core& core, Error why);
  void give_up(Core& core, Error why);

  std::string key_, payload_;
  StoreOptions options_;
  Lookup stamps_;
  std::optional<Fill> fill_;
};

}  // namespace tiercel
