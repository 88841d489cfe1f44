// What a plan remembers of its launches: the right one, or none.
#include "dispatch/packed_launches.h"

#include <random>
#include <thread>
#include <vector>

#include "support/catch.h"

using namespace attune;

namespace {

struct NoModule final : Module {
  int registers() const override { return 0; }
  int local_bytes() const override { return 0; }
  int static_shared_bytes() const override { return 0; }
};

// Arguments number `id`, and a launch that tells it.
attune_attention_args args_of(uint32_t id) {
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.k.data = reinterpret_cast<void*>(uintptr_t{0x1000} * (id + 1));
  return args;
}
Launch launch_of(uint32_t id) {
  Launch launch;
  launch.grid = id;
  launch.parameter_bytes = sizeof(id);
  launch.parameters.fill(static_cast<std::byte>(id));
  return launch;
}

bool is_known(PackedLaunches& launches, const attune_attention_args& args) {
  return launches.launch(args, nullptr, [](const Module&, const Launch&) {});
}

}  // namespace

TEST_CASE("a launch is remembered for its arguments and for no others") {
  const NoModule module;
  PackedLaunches launches;
  CHECK_FALSE(is_known(launches, args_of(7)));
  launches.keep(args_of(7), nullptr, module, launch_of(7));
  uint32_t grid = 0;
  const Module* used = nullptr;
  REQUIRE(launches.launch(args_of(7), nullptr, [&](const Module& known, const Launch& packed) {
    used = &known;
    grid = packed.grid;
  }));
  CHECK(used == &module);
  CHECK(grid == 7);

  const auto changed = [&](auto&& change) {
    attune_attention_args args = args_of(7);
    change(args);
    return is_known(launches, args);
  };
  CHECK_FALSE(changed([](attune_attention_args& args) { args.q.data = &args; }));
  CHECK_FALSE(changed([](attune_attention_args& args) { args.v.stride[1] = 8; }));
  CHECK_FALSE(changed([](attune_attention_args& args) { args.lse = &args; }));
  CHECK_FALSE(changed([](attune_attention_args& args) { args.seqlen_kv = 9; }));
  CHECK_FALSE(changed([](attune_attention_args& args) { args.scale = 0.5; }));
  CHECK(changed([](attune_attention_args&) {}));
  int workspace = 0;
  CHECK_FALSE(launches.launch(args_of(7), &workspace, [](const Module&, const Launch&) {}));
}

TEST_CASE("a launch that fails leaves its place to others") {
  const NoModule module;
  PackedLaunches launches;
  launches.keep(args_of(1), nullptr, module, launch_of(1));
  CHECK_THROWS_AS(launches.launch(args_of(1), nullptr, [](const Module&, const Launch&) { throw 1; }), int);
  CHECK(is_known(launches, args_of(1)));
}

TEST_CASE("threads that share remembered launches get whole ones, their own") {
  const NoModule module;
  PackedLaunches launches;
  std::atomic<int> wrong = 0, known = 0;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937 random(thread);
      for (int i = 0; i < 20000; ++i) {
        const uint32_t id = random() % 100;
        const bool found = launches.launch(args_of(id), nullptr, [&](const Module&, const Launch& packed) {
          const bool is_whole = packed.grid == id && packed.parameters.front() == packed.parameters.back() &&
                                packed.parameters.front() == static_cast<std::byte>(id);
          wrong += !is_whole;
        });
        known += found;
        if (!found) launches.keep(args_of(id), nullptr, module, launch_of(id));
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == 0);
  CHECK(known > 20000);
}
