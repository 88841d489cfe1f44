#include "base/parallel.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/catch.h"

using attune::parallel_for;

TEST_CASE("parallel_for visits every index once") {
  for (const int64_t count : {0, 1, 2, 3, 7, 64, 1000, 100003}) {
    std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
    parallel_for(count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        ++visits[static_cast<size_t>(i)];
    });
    int64_t wrong = 0;
    for (const auto& visit : visits)
      wrong += visit != 1;
    CHECK(wrong == 0);
  }
}

TEST_CASE("parallel_for never calls with an empty piece") {
  std::atomic<int> empty{0};
  for (const int64_t count : {-5, 0, 1, 17, 4097}) {
    parallel_for(count, [&](int64_t begin, int64_t end) { empty += begin >= end; });
  }
  CHECK(empty == 0);
}

TEST_CASE("an exception of a piece reaches the caller, and the rest is skipped") {
  std::atomic<int64_t> done{0};
  const auto body = [&](int64_t begin, int64_t end) {
    if (begin == 0) throw std::runtime_error("piece");
    done += end - begin;
  };
  CHECK_THROWS_AS(parallel_for(1000000, body), std::runtime_error);
  CHECK(done < 1000000);
  CHECK_THROWS_AS(parallel_for(1, body), std::runtime_error);
}

TEST_CASE("parallel_for may be nested") {
  std::atomic<int64_t> sum{0};
  parallel_for(10, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      parallel_for(100, [&](int64_t inner_begin, int64_t inner_end) { sum += inner_end - inner_begin; });
    }
  });
  CHECK(sum == 1000);
}

TEST_CASE("work too small for a thread stays on this one, in one piece") {
  std::vector<std::thread::id> threads;
  parallel_for(
      1000, [&](int64_t, int64_t) { threads.push_back(std::this_thread::get_id()); }, 1000);
  CHECK(threads == std::vector{std::this_thread::get_id()});
}
