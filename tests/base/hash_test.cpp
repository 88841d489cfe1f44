#include "base/hash.h"

#include <set>

#include "support/catch.h"

using attune::content_hash;

// Published vectors of XXH3-128 with seed 0, high half first. Stored caches depend on these digits.
TEST_CASE("content_hash is XXH3-128, high half first") {
  CHECK(content_hash("") == "99aa06d3014798d86001c324468d497f");
  CHECK(content_hash("a") == "a96faf705af16834e6c632b61e964e1f");
}

TEST_CASE("content_hash takes every byte") {
  using namespace std::string_literals;
  CHECK(content_hash("a\0b"s) != content_hash("a\0c"s));
  CHECK(content_hash("a\0"s) != content_hash("a"s));
  // One bit of a long text, at every position.
  std::string text(1000, 'x');
  std::set<std::string> hashes = {content_hash(text)};
  for (char& character : text) {
    character ^= 1;
    hashes.insert(content_hash(text));
    character ^= 1;
  }
  CHECK(hashes.size() == 1001);
  for (const std::string& hash : hashes) {
    REQUIRE(hash.size() == 32);
    REQUIRE(hash.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
}
