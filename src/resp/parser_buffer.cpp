// The parser's receive buffer: one block. The reply being read is moved to its front when the end comes near, and the
// block grows (doubling) when that does not help; so each byte is moved a bounded number of times. Views of open
// aggregates move along.
#include <algorithm>
#include <cstring>

#include "base/require.hpp"
#include "resp/parser.hpp"

namespace tiercel::resp {
namespace {

constexpr std::size_t kBufferBytes = 64u << 10;  // at rest
constexpr std::size_t kReadBytesMin = 16u << 10;  // a read is offered at least so much
constexpr unsigned kSmallUsesMax = 16;  // so often too large in a row, and a grown buffer is given back

void move_views(Value& value, const char* from, char* to) {
  if (value.text.data() != nullptr) value.text = {to + (value.text.data() - from), value.text.size()};
  for (auto& item : value.items) move_views(item, from, to);
}

}  // namespace

std::span<char> Parser::prepare() {
  if (error_) begin_ = at_ = end_;  // nobody will read it
  if (begin_ == end_) {
    begin_ = at_ = end_ = 0;
    shrink_if_idle();
  }
  const std::size_t wanted = std::clamp(missing_, kReadBytesMin, kBufferBytes);
  if (capacity_ - end_ < wanted) make_room(wanted);
  return {data_.get() + end_, capacity_ - end_};
}

void Parser::commit(std::size_t bytes) {
  TIERCEL_REQUIRE(bytes <= capacity_ - end_);
  end_ += bytes;
  most_used_ = std::max(most_used_, end_);
}

void Parser::reset() {
  open_.clear();
  value_ = {};
  error_.reset();
  begin_ = at_ = end_ = searched_ = missing_ = reply_bytes_ = 0;
  skipping_ = false;
  skip_left_ = 0;
  items_left_ = limits_.items_max;
}

void Parser::make_room(std::size_t bytes) {
  const std::size_t held = end_ - begin_;
  if (held + bytes <= capacity_) return move_to(data_.get());
  std::size_t larger = std::max({capacity_ * 2, kBufferBytes, held + bytes});
  // A single string says how long it is: no more than that. (Within an aggregate, exact steps would be many small
  // ones.)
  if (open_.empty() && missing_ > 0) larger = std::min(larger, held + std::max(missing_, bytes) + kReadBytesMin);
  auto block = std::make_unique_for_overwrite<char[]>(larger);
  move_to(block.get());
  data_ = std::move(block);
  capacity_ = larger;
}

void Parser::move_to(char* base) {
  const std::size_t held = end_ - begin_;
  const char* const from = data_.get() + begin_;
  if (held > 0) std::memmove(base, from, held);
  for (auto& open : open_) move_views(open.value, from, base);
  at_ -= begin_;
  begin_ = 0;
  end_ = held;
}

void Parser::cut_out(std::size_t bytes) {
  const std::size_t behind = end_ - at_ - bytes;
  if (behind > 0) std::memmove(data_.get() + at_, data_.get() + at_ + bytes, behind);
  end_ -= bytes;
}

void Parser::shrink_if_idle() {
  const bool small = most_used_ <= kBufferBytes;
  most_used_ = 0;
  small_uses_ = small ? small_uses_ + 1 : 0;
  if (capacity_ <= kBufferBytes || small_uses_ < kSmallUsesMax) return;
  data_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  capacity_ = kBufferBytes;
}

}  // namespace tiercel::resp
