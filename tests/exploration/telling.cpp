// A schedule in words, for people.
#include <array>

#include "entry/record.hpp"
#include "exploration/world.hpp"

namespace tiercel::explore {

namespace {

using Kind = Choice::Kind;

std::string record_in_words(std::string_view bytes) {
  const auto header = decode_header(bytes.substr(0, kHeaderBytes));
  if (!header) return {};
  constexpr std::array names{"value", "lease", "intent", "pass", "floor"};
  const std::string state = names[static_cast<std::size_t>(header->state)];
  const auto record = decode_record(bytes);
  return record && header->state == RecordState::value ? state + " " + std::string(record->payload) : state;
}

std::string message_in_words(std::string_view message) {
  const bool push = message.starts_with('>');
  if (message.starts_with("+OK\r\n") && message.size() > 5) message.remove_prefix(5);
  const std::size_t bulk = message.rfind("\r\n", message.size() - 3);
  if (push) return "push of " + std::string(message.substr(bulk + 2, message.size() - bulk - 4));
  if (message.starts_with('$')) {
    const std::string_view bytes = message.substr(message.find("\r\n") + 2);
    const std::string record = record_in_words(bytes.substr(0, bytes.size() - 2));
    return "reply: " + (record.empty() ? std::to_string(bytes.size() - 2) + " bytes" : record);
  }
  if (message.starts_with('%')) return "replies to the handshake";
  if (message.starts_with('_')) return "reply: nothing";
  return "reply: " + std::string(message.substr(0, message.find("\r\n")));
}

}  // namespace

std::string World::in_words(Choice choice) const {
  const auto letter = [](unsigned process) { return std::string{static_cast<char>('A' + process)}; };
  const auto of_wire = [&] { return letter(wires_[choice.who]->process); };
  switch (choice.kind) {
    case Kind::act: {
      const Actor& actor = play_.actors[choice.who];
      const Act act = actor.acts[acting_[choice.who].next];
      return act == Act::commit ? "the source gets version " + std::to_string(judge_.version() + 1)
                                : letter(actor.process) + " calls " + name_of(act);
    }
    case Kind::leave:
      return "a caller of " + letter(play_.actors[choice.who].process) + " leaves";
    case Kind::finish_load:
      return "load " + parties_[choice.who / 8]->load_name(choice.who % 8) + " ends";
    case Kind::fail_load:
      return "load " + parties_[choice.who / 8]->load_name(choice.who % 8) + " fails";
    case Kind::deliver:
      return of_wire() + " hears a " + message_in_words(wires_[choice.who]->down.front());
    case Kind::serve:
      return "Redis runs " + explore::in_words(wires_[choice.who]->up.front(), redis_) + " of " + of_wire() +
             (wires_[choice.who]->open_here ? "" : ", whose connection has ended");
    case Kind::cut:
      return of_wire() + " loses its connection";
    case Kind::vanish:
      return "what " + of_wire() + " had sent on it is lost";
    case Kind::timers:
      return letter(choice.who) + "'s timers are due";
    case Kind::time:
      return std::to_string(play_.pauses[pauses_done_].count() / 1000) + " ms pass";
    case Kind::expire:
      return "Redis expires what is due";
    case Kind::evict:
      return "Redis evicts the tag's record";
    case Kind::forget:
      return "Redis forgets its scripts";
  }
  return "?";
}

}  // namespace tiercel::explore
