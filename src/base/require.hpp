// Owns: the assertion. What the programmer did wrong ends the program in checked builds; what the world does never comes here.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tiercel::detail {
[[noreturn]] inline void require_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "tiercel: requirement failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}
}  // namespace tiercel::detail

#if defined(NDEBUG) && !defined(TIERCEL_CHECKED)
#define TIERCEL_REQUIRE(condition) static_cast<void>(0)
#else
#define TIERCEL_REQUIRE(condition) \
  ((condition) ? static_cast<void>(0) : ::tiercel::detail::require_failed(#condition, __FILE__, __LINE__))
#endif
