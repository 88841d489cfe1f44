#include "cache/single_flight.h"

#include <stdexcept>
#include <string>
#include <thread>

#include "support/catch.h"

using namespace attune;

namespace {

using Flights = SingleFlight<std::string, int>;

// Asks for a key; the value says whether it was there.
bool is_kept(Flights& flights, const std::string& key) {
  return !flights.get(key, []() -> Flights::Made { return {.value = 0, .keep = [] { return false; }}; })
              .made_here;
}

void put(Flights& flights, const std::string& key, size_t weight = 1) {
  flights.get(key, [&]() -> Flights::Made { return {.value = 1, .weight = weight}; });
}

}  // namespace

TEST_CASE("beyond the capacity, what was not asked for longest goes") {
  Flights flights(3);
  for (const char* key : {"a", "b", "c"})
    put(flights, key);
  CHECK(is_kept(flights, "a"));  // and is the last used now
  put(flights, "d");
  CHECK_FALSE(is_kept(flights, "b"));
  CHECK(is_kept(flights, "a"));
  put(flights, "e", 2);
  CHECK_FALSE(is_kept(flights, "c"));
  CHECK_FALSE(is_kept(flights, "d"));
  CHECK(is_kept(flights, "a"));
  CHECK(is_kept(flights, "e"));
}

TEST_CASE("a value heavier than the capacity reaches its caller and takes all others with it") {
  Flights flights(3);
  put(flights, "a");
  CHECK(flights.get("big", []() -> Flights::Made { return {.value = 7, .weight = 4}; }).value == 7);
  CHECK_FALSE(is_kept(flights, "big"));
  CHECK_FALSE(is_kept(flights, "a"));
  put(flights, "b", 3);
  CHECK(is_kept(flights, "b"));
}

TEST_CASE("a value that is not to be kept is made again") {
  Flights flights;
  int made = 0;
  const auto make = [&]() -> Flights::Made { return {.value = ++made, .keep = [&] { return made == 2; }}; };
  CHECK(flights.get("a", make).value == 1);
  CHECK(flights.get("a", make).value == 2);
  CHECK(flights.get("a", make).value == 2);
}

TEST_CASE("erase_if drops values, but none that is being made") {
  Flights flights(10);
  put(flights, "ab");
  put(flights, "b");
  const auto starts_with_a = [](const std::string& key) { return key[0] == 'a'; };
  flights.get("a", [&]() -> Flights::Made {
    flights.erase_if(starts_with_a);  // as a plan's own tuning does
    return {.value = 1};
  });
  CHECK(is_kept(flights, "a"));
  CHECK(is_kept(flights, "b"));
  CHECK_FALSE(is_kept(flights, "ab"));
  flights.erase_if(starts_with_a);
  CHECK_FALSE(is_kept(flights, "a"));
  for (int i = 0; i < 9; ++i)
    put(flights, std::to_string(i));
  CHECK(is_kept(flights, "b"));  // what was dropped weighs nothing any more
}

TEST_CASE("an exception leaves nothing behind") {
  Flights flights(1);
  CHECK_THROWS_AS(flights.get("a", []() -> Flights::Made { throw std::runtime_error("no"); }),
                  std::runtime_error);
  put(flights, "a");
  CHECK(is_kept(flights, "a"));
}
