#include "simulation/trace.hpp"

#include <cstdio>
#include <vector>

namespace tiercel::sim {

std::string Trace::readable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, 400)) {
    if (byte == '\n') text += ' ';
    else if (byte >= ' ' && byte <= '~') text += byte;
    else if (byte != '\r') text += '.';
  }
  return text;
}

std::string Trace::told(std::string_view key) const {
  std::vector<const Line*> last;
  for (auto line = lines_.rbegin(); line != lines_.rend() && last.size() < lines_max; ++line) {
    if (line->key.empty() || key.empty() || line->key == key) last.push_back(&*line);
  }
  std::string text;
  for (auto line = last.rbegin(); line != last.rend(); ++line) {
    char when[32];
    const double seconds = static_cast<double>((*line)->at.time_since_epoch().count()) / 1e6 - 1000;
    std::snprintf(when, sizeof when, "%12.6f  ", seconds);
    text += when + (*line)->text + "\n";
  }
  return text;
}

}  // namespace tiercel::sim
