// Owns: what happened, in words: written only when a run that failed is repeated.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace tiercel::sim {

class Trace {
 public:
  bool on = false, wire = false;  // wire: what Redis is told, and says, too
  std::size_t lines_max = 40;

  // `key`: whose story it belongs to; empty: everybody's.
  void add(Timestamp now, std::string_view key, std::string text) {
    if (on) lines_.push_back({now, std::string(key), std::move(text)});
  }
  void add_bytes(Timestamp now, std::string_view what, std::string_view bytes) {
    if (on && wire) add(now, "", std::string(what) + readable(bytes));
  }
  // The last lines of this key's story.
  std::string told(std::string_view key) const;

 private:
  static std::string readable(std::string_view bytes);
  struct Line {
    Timestamp at;
    std::string key, text;
  };
  std::deque<Line> lines_;
};

}  // namespace tiercel::sim
