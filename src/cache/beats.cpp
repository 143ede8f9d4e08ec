#include "cache/beats.hpp"

#include "cache/core.hpp"

namespace tiercel {

bool Beats::serves(Core& core, std::string_view key, Timestamp now) const {
  if (!core.remote->tracks() || core.remote->tells_late())
    return false;  // late: its reply does not show that all was told
  const EntryRef entry = core.memory.peek(key, now);
  return entry && entry->generation() == core.remote->generation() &&
         core.tags.check(*entry) == TagTable::Check::current;
}

void Beats::wait(Core& core, Task& task, Timestamp now) {
  core.set_deadline(task, now);
  waiting_.emplace_back(now, task.id);
  core.remote->beat(now);
}

void Beats::heard(Core& core, Timestamp now) {
  const Timestamp watermark = core.remote->watermark();
  while (!waiting_.empty() && waiting_.front().first <= watermark) {
    Task* task = core.find_task(waiting_.front().second);
    waiting_.pop_front();
    if (task == nullptr) continue;  // its caller left, or its budget ran out
    core.breaker.answered();
    task->beaten(core, now);
  }
}

void Beats::lost(Core& core, Timestamp now) {
  const auto all = std::exchange(waiting_, {});
  for (const auto& [since, id] : all) {
    if (Task* task = core.find_task(id)) task->beaten(core, now);
  }
}

}  // namespace tiercel
