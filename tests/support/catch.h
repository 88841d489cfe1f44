// Catch2 under one set of names, whether it is version 2 (Debian 12) or 3 (Ubuntu 24.04).
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>

using Catch::Approx;
// Ends the test case, counted as skipped.
#define ATTUNE_SKIP(reason) SKIP(reason)
#else
#include <catch2/catch.hpp>

namespace Catch::Matchers {
// Version 3's name for what version 2 calls Contains.
inline auto ContainsSubstring(const std::string& text, CaseSensitive::Choice choice = CaseSensitive::Yes) {
  return Contains(text, choice);
}
}  // namespace Catch::Matchers

// Version 2 cannot skip: the reason is printed and the test case ends here.
#define ATTUNE_SKIP(reason)        \
  do {                             \
    WARN("skipped: " << (reason)); \
    return;                        \
  } while (false)
#endif
