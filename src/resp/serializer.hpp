// Owns: commands as bytes: an array of bulk strings, the only form in which Tiercel speaks to a server. Any bytes may
// stand in them.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace tiercel::resp {

// Requires at least one argument: the command's name.
void append_command(std::string& out, std::span<const std::string_view> arguments);
void append_command(std::string& out, std::initializer_list<std::string_view> arguments);

}  // namespace tiercel::resp
