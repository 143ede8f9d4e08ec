// Owns: one run of a play: two processes, the model of Redis, the wires between them. It tells what may happen next, does what it is told, and judges
// the state that comes of it. It cannot be copied: to try something else it is made anew and led along the same schedule.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exploration/choice.hpp"
#include "exploration/digest.hpp"
#include "exploration/judge.hpp"
#include "exploration/party.hpp"
#include "exploration/play.hpp"

namespace tiercel::explore {

class World final : private Party::Host {
 public:
  World(const Play& play, bool traced);

  std::vector<Choice> choices() const;
  // A step that may be taken alone, because no other that could come before it matters to it, or it to them. Only if it turns out to be invisible.
  std::optional<Choice> sufficient() const;
  void apply(Choice choice);
  void repeat(Choice choice);  // the same, in a run that was judged before
  bool visible() const { return parties_[0]->visible || parties_[1]->visible; }  // the last step
  Digest digest() const;
  // Nothing is left to choose: everything has ended, or does so in time; then both processes are asked.
  void conclude();

  const std::optional<std::string>& failure() const { return judge_.failure(); }
  const std::vector<std::string>& story() const { return story_; }

 private:
  struct Acting {
    std::size_t next = 0;
    OperationId waits = 0, writing = 0;
    unsigned invalidations_before = 0;  // in the play, of other actors
  };

  Wire& connected(Party& party) override;
  void ended(Party& party, OperationId operation, const Running& running, const Outcome& outcome) override;
  void note(std::string text) override {
    if (traced_) story_.push_back(std::move(text));
  }
  Duration elapsed() const override { return elapsed_; }
  Timestamp server_now() const { return Timestamp{std::chrono::seconds{1000}} + elapsed_; }

  void prepare();
  bool ready_to_act(std::size_t actor) const;
  bool may_leave(std::size_t actor) const;
  bool may_cut(const Wire& wire) const;
  bool dormant(unsigned process) const;
  void act(std::size_t actor);
  void serve(Wire& wire);
  void collect();
  void examine();
  void examine_redis();

  // telling.cpp
  std::string in_words(Choice choice) const;

  // ending.cpp
  void settle();
  bool settle_step();
  bool all_ended() const;
  void pass_time();
  void probe(Party& party);

  const Play& play_;
  const bool traced_;
  std::vector<std::string> story_;
  Judge judge_;
  test::ModelRedis redis_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::array<std::unique_ptr<Party>, 2> parties_;
  std::vector<Acting> acting_;
  Duration elapsed_{0};
  std::size_t pauses_done_ = 0;
  unsigned cuts_left_ = 0, failing_left_ = 0, leaving_left_ = 0, evictions_left_ = 0, forgettings_left_ = 0;
  std::optional<OperationId> probing_;
  std::optional<Outcome> probed_;
};

}  // namespace tiercel::explore
