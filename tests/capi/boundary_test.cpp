// The boundary: which status an exception becomes, and whose message it is.
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/error.h"
#include "capi/boundary.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("a boundary turns exceptions into statuses and messages") {
  CHECK(boundary([] {}) == ATTUNE_OK);
  CHECK(boundary([] { fail(ATTUNE_ERROR_CAPACITY, "{} > {}", 3, 2); }) == ATTUNE_ERROR_CAPACITY);
  CHECK(std::string(attune_last_error_message()) == "3 > 2");
  CHECK(boundary([] { throw std::bad_alloc(); }) == ATTUNE_ERROR_OUT_OF_MEMORY);
  CHECK(std::string(attune_last_error_message()) == "out of host memory");
  CHECK(boundary([] { throw std::runtime_error("something else"); }) == ATTUNE_ERROR_INTERNAL);
  CHECK(std::string(attune_last_error_message()) == "something else");
  CHECK(boundary([] { throw 42; }) == ATTUNE_ERROR_INTERNAL);
  CHECK(std::string(attune_last_error_message()) != "");
}

TEST_CASE("a call that succeeds leaves the last message") {
  CHECK(boundary([] { fail(ATTUNE_ERROR_DATABASE, "kept"); }) == ATTUNE_ERROR_DATABASE);
  CHECK(boundary([] {}) == ATTUNE_OK);
  CHECK(std::string(attune_last_error_message()) == "kept");
}

TEST_CASE("the last message belongs to its thread") {
  CHECK(boundary([] { fail(ATTUNE_ERROR_DATABASE, "of the first"); }) == ATTUNE_ERROR_DATABASE);
  std::string before, after;
  std::thread([&] {
    before = attune_last_error_message();
    static_cast<void>(boundary([] { fail(ATTUNE_ERROR_DATABASE, "of the second"); }));
    after = attune_last_error_message();
  }).join();
  CHECK(before.empty());
  CHECK(after == "of the second");
  CHECK(std::string(attune_last_error_message()) == "of the first");
}

TEST_CASE("every status has its own text") {
  CHECK(std::string(attune_status_string(ATTUNE_OK)) == "ok");
  CHECK(std::string(attune_status_string(ATTUNE_ERROR_CAPACITY)) == "more than the plan's capacity");
  const std::string unknown = attune_status_string(static_cast<attune_status>(1000));
  CHECK(unknown == attune_status_string(static_cast<attune_status>(-1)));
  for (int value = ATTUNE_OK; value <= ATTUNE_ERROR_INTERNAL; ++value) {
    CHECK(attune_status_string(static_cast<attune_status>(value)) != unknown);
  }
}
