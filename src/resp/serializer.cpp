#include "resp/serializer.hpp"

#include <charconv>

#include "base/require.hpp"

namespace tiercel::resp {
namespace {

constexpr std::size_t kHeaderBytesMax = 24;   // a type, 20 digits, a line end

char* write_header(char* to, char type, std::size_t number) {
  *to++ = type;
  to = std::to_chars(to, to + 20, number).ptr;
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

void append_header(std::string& out, char type, std::size_t number) {
  char header[kHeaderBytesMax];
  out.append(header, static_cast<std::size_t>(write_header(header, type, number) - header));
}

}  // namespace

void append_command(std::string& out, std::span<const std::string_view> arguments) {
  TIERCEL_REQUIRE(!arguments.empty());
  append_header(out, '*', arguments.size());
  for (const auto argument : arguments) {
    append_header(out, '$', argument.size());
    out.append(argument);
    out.append("\r\n", 2);
  }
}

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  append_command(out, std::span<const std::string_view>{arguments.begin(), arguments.size()});
}

}  // namespace tiercel::resp
