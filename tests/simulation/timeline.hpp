// Owns: marks that come one after the other in time, asked for the greatest one before an instant. All answers in O(log n).
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace tiercel::sim {

template <class Mark>
class Timeline {
 public:
  void add(Timestamp at, Mark mark) {
    points_.push_back({at, points_.empty() ? mark : std::max(mark, points_.back().greatest)});
  }
  // The greatest mark of those strictly before.
  std::optional<Mark> before(Timestamp when) const {
    const auto behind =
        std::partition_point(points_.begin(), points_.end(), [when](const Point& point) { return point.at < when; });
    return behind == points_.begin() ? std::nullopt : std::optional(std::prev(behind)->greatest);
  }
  // When a mark greater than this one first came.
  std::optional<Timestamp> exceeded(Mark mark) const {
    const auto first = std::partition_point(points_.begin(), points_.end(),
                                            [&mark](const Point& point) { return point.greatest <= mark; });
    return first == points_.end() ? std::nullopt : std::optional(first->at);
  }

 private:
  struct Point {
    Timestamp at;
    Mark greatest;
  };
  std::vector<Point> points_;
};

}  // namespace tiercel::sim
