#include "exploration/search.hpp"

#include <chrono>
#include <memory>
#include <unordered_set>

#include "exploration/world.hpp"

namespace tiercel::explore {

namespace {

class Search {
 public:
  Search(const Play& play, const Bounds& bounds) : play_(play), bounds_(bounds) {}

  Found run() {
    const auto began = std::chrono::steady_clock::now();
    world_ = std::make_unique<World>(play_, false);
    enter(world_->digest());
    while (!found_.failure && !frames_.empty()) {
      if (found_.states >= bounds_.states) {
        found_.complete = false;
        break;
      }
      step();
    }
    found_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return std::move(found_);
  }

 private:
  struct Frame {
    std::vector<Choice> choices;
    std::size_t next = 0;
    bool alone = false;  // its one choice suffices, if it turns out to be invisible
    Digest state;
  };

  // The world stands in a state not seen before.
  void enter(const Digest& state) {
    ++found_.states;
    found_.depth = std::max(found_.depth, schedule_.size());
    Frame frame;
    frame.state = state;
    if (const auto one = bounds_.reduced ? world_->sufficient() : std::nullopt) {
      frame.choices = {*one};
      frame.alone = true;
    } else {
      frame.choices = world_->choices();
    }
    const bool at_bound = schedule_.size() >= bounds_.depth;
    found_.cut += at_bound && !frame.choices.empty() ? 1 : 0;
    if (frame.choices.empty() && !at_bound) {
      ++found_.schedules;
      world_->conclude();
      check();
    }
    if (frame.choices.empty() || at_bound) return leave();
    frames_.push_back(std::move(frame));
  }

  void leave() {
    world_.reset();
    if (!schedule_.empty()) schedule_.pop_back();
  }

  void step() {
    Frame& frame = frames_.back();
    if (frame.next == frame.choices.size()) {
      frames_.pop_back();
      return leave();
    }
    const Choice choice = frame.choices[frame.next++];
    if (!stand(frame.state)) return;
    world_->apply(choice);
    schedule_.push_back(choice);
    ++found_.steps;
    if (frame.alone && world_->visible()) open(frame, choice);
    if (check()) return;
    const Digest state = world_->digest();
    if (seen_.insert(state).second) enter(state);
    else leave();
  }

  // It did not suffice: the others too.
  void open(Frame& frame, Choice done) {
    frame.alone = false;
    schedule_.pop_back();
    World before(play_, false);
    for (const Choice each : schedule_) before.repeat(each);
    schedule_.push_back(done);
    for (const Choice each : before.choices()) {
      if (each.kind != done.kind || each.who != done.who) frame.choices.push_back(each);
    }
  }

  // Makes the world anew where it was left. False: it came out otherwise.
  bool stand(const Digest& state) {
    if (world_) return true;
    world_ = std::make_unique<World>(play_, false);
    for (const Choice each : schedule_) world_->repeat(each);
    if (world_->digest() == state) return true;
    found_.failure = "repeated, a run went otherwise: something does not come from its schedule";
    found_.schedule = schedule_;
    return false;
  }

  bool check() {
    if (!world_->failure()) return false;
    found_.failure = world_->failure();
    found_.schedule = schedule_;
    return true;
  }

  const Play& play_;
  Bounds bounds_;
  std::unique_ptr<World> world_;
  Schedule schedule_;
  std::vector<Frame> frames_;
  std::unordered_set<Digest, DigestHash> seen_;
  Found found_;
};

}  // namespace

Found search(const Play& play, const Bounds& bounds) { return Search(play, bounds).run(); }

std::vector<std::string> tell(const Play& play, const Schedule& schedule) {
  World world(play, true);
  for (const Choice each : schedule) world.apply(each);
  if (!world.failure()) world.conclude();
  return world.story();
}

}  // namespace tiercel::explore
