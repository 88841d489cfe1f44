#include "cache/module_cache.h"

#include <chrono>
#include <thread>

#include "base/error.h"
#include "cache/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::cache_test;

TEST_CASE("a module is loaded once per backend, image and shared memory") {
  FakeBackend backend;
  FakeBackend other;
  ModuleCache modules;
  const auto first = modules.get_or_load(backend, image_of("a"), 1024);
  CHECK(modules.get_or_load(backend, image_of("a"), 1024) == first);
  CHECK(backend.loads == 1);
  CHECK(modules.get_or_load(backend, image_of("a"), 2048) != first);
  CHECK(modules.get_or_load(backend, image_of("b"), 1024) != first);
  CHECK(backend.loads == 3);
  CHECK(modules.get_or_load(other, image_of("a"), 1024) != first);
  CHECK(other.loads == 1);
}

TEST_CASE("modules live as long as the cache or their user") {
  FakeBackend backend;
  std::shared_ptr<const Module> kept;
  {
    ModuleCache modules;
    kept = modules.get_or_load(backend, image_of("a"), 0);
    modules.get_or_load(backend, image_of("b"), 0);
    CHECK(backend.alive == 2);
  }
  CHECK(backend.alive == 1);
  kept.reset();
  CHECK(backend.alive == 0);
}

TEST_CASE("beyond its capacity the cache unloads what was not asked for longest, unless it is in use") {
  FakeBackend backend;
  ModuleCache modules(2);
  const auto kept = modules.get_or_load(backend, image_of("a"), 0);
  modules.get_or_load(backend, image_of("b"), 0);
  modules.get_or_load(backend, image_of("c"), 0);
  CHECK(backend.alive == 3);  // "a" is in use, though the cache has given it up
  modules.get_or_load(backend, image_of("d"), 0);
  CHECK(backend.alive == 3);
  CHECK(backend.loads == 4);
  modules.get_or_load(backend, image_of("c"), 0);
  CHECK(backend.loads == 4);
  modules.get_or_load(backend, image_of("b"), 0);
  CHECK(backend.loads == 5);
}

TEST_CASE("many threads cause one load") {
  FakeBackend backend;
  backend.meanwhile = [](const CompiledImage&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };
  ModuleCache modules;
  std::atomic<int> missing = 0;
  std::vector<std::thread> threads;
  threads.reserve(32);
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] { missing += modules.get_or_load(backend, image_of("a"), 0) == nullptr; });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(missing == 0);
  CHECK(backend.loads == 1);
}

TEST_CASE("a refused load is told and tried again") {
  FakeBackend backend;
  backend.meanwhile = [](const CompiledImage&) { fail(ATTUNE_ERROR_LAUNCH_FAILED, "refused"); };
  ModuleCache modules;
  CHECK_THROWS_AS(modules.get_or_load(backend, image_of("a"), 0), Error);
  backend.meanwhile = nullptr;
  CHECK(modules.get_or_load(backend, image_of("a"), 0) != nullptr);
  CHECK(backend.loads == 2);
}

TEST_CASE("an image without a hash is a mistake of ours") {
  FakeBackend backend;
  ModuleCache modules;
  CHECK_THROWS_AS(modules.get_or_load(backend, CompiledImage{}, 0), Error);
}
