// Owns: the steps of RFC 9651 4.2, each moving on in one text; after a false answer the reader is of no further use.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/structured.hpp"

namespace tiercel::http {

class SfReader {
 public:
  explicit SfReader(std::string_view text) : text_(text) {}

  bool at_end() const { return position_ == text_.size(); }
  bool take(char c) {
    if (at_end() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void skip_spaces() {
    while (peek() == ' ') ++position_;
  }
  bool key(std::string_view& key);         // 4.2.3.3
  bool member(SfItem& member);             // 4.2.1.1: an item or an inner list, with parameters
  bool bare_item(SfItem& item);            // 4.2.3.1
  bool parameters();                       // 4.2.3.2: read past
  // To the member after this one. False: there is none, by right (`ended_well`) or by a fault.
  bool next_member();
  bool ended_well() const { return ended_well_; }

 private:
  char peek() const { return at_end() ? '\0' : text_[position_]; }
  bool inner_list(SfItem& list);           // 4.2.1.2
  bool number(SfItem& item);               // 4.2.4
  bool string(SfItem& item);               // 4.2.5
  bool token(SfItem& item);                // 4.2.6
  bool bytes(SfItem& item);                // 4.2.7
  bool boolean(SfItem& item);              // 4.2.8
  bool date(SfItem& item);                 // 4.2.9
  bool display(SfItem& item);              // 4.2.10

  std::string_view text_;
  std::size_t position_ = 0;
  bool ended_well_ = false;
};

}  // namespace tiercel::http
