#include "redis/session.hpp"

#include "redis/session_impl.hpp"
#include "resp/serializer.hpp"

namespace tiercel::redis {

Session::Session(SessionOptions options, SessionListener& listener, Dice& dice)
    : impl_(std::make_unique<Impl>(*this, std::move(options), listener, dice)) {}
Session::~Session() = default;

void Session::start(Timestamp now) {
  const State state = impl_->state;
  if (state == State::idle || state == State::failed || state == State::ended) impl_->wish_open(now);
}

void Session::end(Timestamp now) {
  const State before = impl_->state;
  if (before == State::idle || before == State::ended) return;
  const bool driver_knows = impl_->connected() || (before == State::opening && !impl_->open_wished);
  if (driver_knows) impl_->close_wished = true;
  impl_->go_down({ErrorCode::closed, "the connection was ended", "connect again"}, State::ended, now);
}

Session::Wish Session::take_wish() {
  if (std::exchange(impl_->close_wished, false)) return Wish::close;
  if (std::exchange(impl_->open_wished, false)) return Wish::open;
  return Wish::none;
}

void Session::opened(Timestamp now) {
  if (impl_->state == State::opening) impl_->begin_handshake(now);
}

void Session::closed(const Error& why, Timestamp now) {
  if (impl_->state == State::opening || impl_->connected()) impl_->go_down(why, State::waiting, now);
}

void Session::advance(Timestamp now) { impl_->advance(now); }
std::optional<Timestamp> Session::next_deadline() const { return impl_->next_deadline(); }

std::span<char> Session::receive_buffer() { return impl_->parser.prepare(); }
void Session::received(std::size_t bytes, Timestamp now) { impl_->received(bytes, now); }
std::string_view Session::output() const { return impl_->output.view(); }
void Session::sent(std::size_t bytes) { impl_->output.take(bytes); }

Session::Submitted Session::submit(std::span<const std::string_view> arguments, ReplyToken token, Timestamp now,
                                   bool tracked) {
  return impl_->submit(arguments, token, now, tracked);
}

void Session::beat(Timestamp now) {
  if (impl_->state == State::ready) impl_->beat(now);
}

Session::State Session::state() const { return impl_->state; }
bool Session::tracks() const { return impl_->tracking != Tracking::off && !impl_->reply_untracked; }
Tracking Session::tracking() const { return impl_->tracking; }
const ServerFacts& Session::facts() const { return impl_->handshake.facts(); }
const std::string& Session::server_version() const { return impl_->version; }
const std::string& Session::run_id() const { return impl_->handshake.facts().run_id; }
std::uint64_t Session::client_id() const { return impl_->handshake.facts().client_id; }
std::string_view Session::script_digest(std::size_t index) const {
  const auto& digests = impl_->handshake.facts().script_digests;
  return index < digests.size() ? std::string_view{digests[index]} : std::string_view{};
}
Duration Session::server_offset() const { return impl_->clock.offset(); }
const std::optional<Error>& Session::last_error() const { return impl_->error; }
std::size_t Session::in_flight() const { return impl_->commands_in_flight(); }
std::uint64_t Session::pushes_ignored() const { return impl_->pushes_ignored; }
std::uint64_t Session::writes() const { return impl_->writes; }

Session::Submitted Session::Impl::submit(std::span<const std::string_view> arguments, ReplyToken token, Timestamp now,
                                         bool tracked) {
  if (state != State::ready) return Submitted::down;
  if (commands_in_flight() >= options.in_flight_max || output.size() >= options.write_buffer_max)
    return Submitted::full;
  Slot slot{.kind = Slot::Kind::command, .token = token, .sent = now};
  std::string& out = writing();
  if (tracked && tracking == Tracking::optin) {
    out.append("*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$3\r\nYES\r\n");
    slot.caching_owed = true;
  }
  resp::append_command(out, arguments);
  owe(slot);
  return Submitted::queued;
}

void Session::Impl::owe(const Slot& slot) {
  if (slots.empty()) owed_since = slot.sent;
  said_at = slot.sent;
  slots.push(slot);
}

std::string& Session::Impl::writing() {
  if (output.empty()) ++writes;
  return output.tail();
}

}  // namespace tiercel::redis
