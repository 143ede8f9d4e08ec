// Owns: the scripts a task has sent by their digests and not heard of yet. A server that has forgotten a script (SCRIPT FLUSH, a restart, a
// failover behind a proxy) answers NOSCRIPT and has done nothing: the same script is sent by its text, which the server then remembers. What was
// read behind it showed what stood there before, so it is read again behind the text, and the first answer is not told.
//
// Others may have come in between. Nothing depends on that: what a script does to a key, it does by compare with what stands there when it runs.
#pragma once

#include <deque>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "cache/remote.hpp"
#include "resp/value.hpp"

namespace tiercel {

class Core;
class Task;

class SentScripts {
 public:
  bool empty() const { return sent_.empty() && unheard_.empty(); }
  void clear() { sent_.clear(), unheard_.clear(); }

  // False: Redis takes no more.
  bool send(Core& core, Task& task, Step step, std::string_view script, std::string_view key,
            std::initializer_list<std::string_view> arguments, Timestamp now);
  void followed_by(Step step, std::span<const std::string_view> read);
  // A reply to the task. True: it is not for the task, because the script had to be sent again.
  bool sends_again(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now);

 private:
  using Words = std::vector<std::string>;
  struct Sent {
    Step step;
    std::string_view script;
    Words words;  // the key's number, the key, the arguments
    Step read_step{};
    Words read;  // empty: nothing was read behind it
  };
  std::deque<Sent> sent_;  // in order, and answered so
  std::vector<Step> unheard_;  // reads whose next answer is of before
};

}  // namespace tiercel
