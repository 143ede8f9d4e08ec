// Owns: what waits for a connection: connect(), the user's raw commands, and the scan of keys.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/core.hpp"

namespace tiercel {

inline constexpr Duration kConnectPatience =
    std::chrono::seconds{1};   // how long connect() and a first raw command wait for a connection
inline constexpr std::size_t kScanKeysMax = 100'000;

// What a task must know of the connection it waits for.
class LinkState {
 public:
  virtual ~LinkState() = default;
  virtual bool usable() const = 0;
  virtual const std::optional<Error>& why_not() const = 0;
};

// Ends as soon as the connection is ready or an attempt has failed.
class ConnectTask final : public Task {
 public:
  explicit ConnectTask(const LinkState& link) : link_(link) {}
  void start(Core& core, Timestamp now);
  void reply(Core&, Step, const resp::Value&, Timestamp) override {}
  void lost(Core&, Step, const Error&, Timestamp) override {}
  void overdue(Core& core, Timestamp now) override;
  void connection_changed(Core& core, const LinkState& link, Timestamp now) override;

 private:
  const LinkState& link_;
  Timestamp give_up_at_{};
};

// One raw command, on the connection it is given.
class CommandTask final : public Task {
 public:
  CommandTask(std::vector<std::string> arguments, Remote& remote, const LinkState& link)
      : arguments_(std::move(arguments)), remote_(remote), link_(link) {}
  void start(Core& core, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  void connection_changed(Core& core, const LinkState& link, Timestamp now) override;

 private:
  void send(Core& core, Timestamp now);
  void fail(Core& core, Error why);

  std::vector<std::string> arguments_;
  Remote& remote_;
  const LinkState& link_;
  Timestamp give_up_at_{};
  bool sent_ = false;
};

// The keys (as users know them) that match, at most kScanKeysMax: an array of bulk strings.
class ScanTask final : public Task {
 public:
  explicit ScanTask(std::string pattern) : pattern_(std::move(pattern)) {}
  void start(Core& core, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;

 private:
  bool ask_page(Core& core, Timestamp now);
  void end(Core& core);

  std::string pattern_, cursor_ = "0";
  std::vector<std::string> keys_;
};

// Asks, on a new connection, which root stamp this namespace has; makes one if there is none.

void fetch_root(Core& core, Timestamp now);

}  // namespace tiercel
