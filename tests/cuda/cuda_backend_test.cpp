// The backend on a GPU: memory, loading, launching, timing.
#include <limits>
#include <numeric>
#include <thread>

#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

// Writes the last word of its dynamic shared memory and reads it back.
KernelSource last_shared_word() {
  return make_source("last_word",
                     "struct Params { int* out; int bytes; };\n"
                     "extern __shared__ int words[];\n"
                     "extern \"C\" __global__ void last_word(Params p) {\n"
                     "  const int last = p.bytes / 4 - 1;\n"
                     "  if (threadIdx.x == 0) words[last] = 42;\n"
                     "  __syncthreads();\n"
                     "  if (threadIdx.x == 32) *p.out = words[last];\n"
                     "}\n");
}

struct LastWordParams {
  int* out;
  int bytes;
};

}  // namespace

TEST_CASE("the device is described by its driver", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  const DeviceSpec& device = backend->device();
  CHECK(backend->name() == "cuda");
  CHECK(backend->timings_mean_speed());
  CHECK_FALSE(device.name.empty());
  CHECK(device.arch.starts_with("sm_" + std::to_string(device.compute_capability())));
  CHECK(device.multiprocessors > 0);
  CHECK(device.shared_per_block > 48 * 1024);
  CHECK(device.shared_per_multiprocessor >= device.shared_per_block + device.shared_reserved_per_block);
  CHECK(device.registers_per_multiprocessor >= 65536);
  CHECK(device.threads_per_block == 1024);
  CHECK(device.threads_per_multiprocessor >= 1024);
  CHECK(device.blocks_per_multiprocessor >= 16);
  CHECK(device.warp_size == 32);
  CHECK(device.l2_bytes > 1 << 20);
  CHECK(device.global_bytes > int64_t{1} << 30);
  CHECK(device.clock_hz > 0.5e9);
  CHECK(device.clock_hz < 5e9);
  CHECK(device.memory_bytes_per_second > 1e11);
  CHECK(device.memory_bytes_per_second < 5e13);
  CHECK_THAT(backend->driver_version(), ContainsSubstring("driver "));
  CHECK_THAT(backend->driver_version(), ContainsSubstring(" nvrtc 1"));
}

TEST_CASE("a device that is not there is refused with the count", "[gpu]") {
  ATTUNE_NEED_GPU();
  const Thrown thrown = thrown_by([] { make_backend(999); });
  CHECK(thrown.status == ATTUNE_ERROR_NO_DEVICE);
  CHECK_THAT(thrown.message, ContainsSubstring("cuda:999"));
}

TEST_CASE("device memory: allocate, fill, copy both ways, free", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  constexpr size_t kBytes = (size_t{1} << 20) + 3;
  std::vector<unsigned char> host(kBytes);
  std::iota(host.begin(), host.end(), static_cast<unsigned char>(7));
  auto* a = static_cast<unsigned char*>(backend->allocate(kBytes));
  auto* b = static_cast<unsigned char*>(backend->allocate(kBytes));
  CHECK(reinterpret_cast<uintptr_t>(a) % 256 == 0);
  CHECK(reinterpret_cast<uintptr_t>(b) % 256 == 0);

  backend->copy(a, host.data(), kBytes);
  backend->copy(b, a, kBytes);
  std::vector<unsigned char> back(kBytes);
  backend->copy(back.data(), b, kBytes);
  CHECK(back == host);

  backend->fill(b + 1, 0xA5, kBytes - 2, nullptr);  // any alignment
  backend->copy(back.data(), b, kBytes);
  CHECK(back.front() == host.front());
  CHECK(back.back() == host.back());
  CHECK(std::count(back.begin() + 1, back.end() - 1, 0xA5) == static_cast<std::ptrdiff_t>(kBytes - 2));

  CHECK(backend->free_bytes() > 0);
  CHECK(backend->free_bytes() <= static_cast<size_t>(backend->device().global_bytes));
  backend->free(a);
  backend->free(b);
  backend->free(nullptr);
  CHECK(backend->allocate(0) == nullptr);
  backend->copy(nullptr, nullptr, 0);
  backend->fill(nullptr, 0, 0, nullptr);
}

TEST_CASE("too much memory is a status with the numbers, and harms nothing", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  const size_t bytes = size_t{1} << 50;
  const Thrown thrown = thrown_by([&] { backend->allocate(bytes); });
  CHECK(thrown.status == ATTUNE_ERROR_OUT_OF_MEMORY);
  CHECK_THAT(thrown.message, ContainsSubstring(std::to_string(bytes)));
  void* pointer = backend->allocate(1024);
  CHECK(pointer);
  backend->free(pointer);
}

TEST_CASE("a kernel is compiled, loaded and launched", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  Twice twice(*backend, 10007);
  CHECK(twice.module().registers() > 0);
  CHECK(twice.module().local_bytes() == 0);
  CHECK(twice.module().static_shared_bytes() == 0);
  CHECK(twice.wrong() == 10007);
  backend->launch(twice.module(), twice.launch(), nullptr);
  backend->synchronize(nullptr);
  CHECK(twice.wrong() == 0);
}

TEST_CASE("the compiler's registers are those of the loaded kernel", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  const CompiledImage image = compile(*backend, twice_plus_offset(3));
  CHECK(backend->load(image, 0)->registers() == image.registers);
}

TEST_CASE("all shared memory of a block can be used, 16 bytes more are refused", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  const CompiledImage image = compile(*backend, last_shared_word());
  const auto limit = static_cast<uint32_t>(backend->device().shared_per_block);
  int* out = static_cast<int*>(backend->allocate(sizeof(int)));

  const auto module = backend->load(image, limit);
  backend->fill(out, 0, sizeof(int), nullptr);
  const LastWordParams params{.out = out, .bytes = static_cast<int>(limit)};
  backend->launch(*module, make_launch(1, 64, params, limit), nullptr);
  int value = 0;
  backend->copy(&value, out, sizeof(int));
  CHECK(value == 42);

  const Thrown at_load = thrown_by([&] { backend->load(image, limit + 16); });
  CHECK(at_load.status == ATTUNE_ERROR_LAUNCH_FAILED);
  CHECK_THAT(at_load.message, ContainsSubstring(std::to_string(limit + 16) + " > " + std::to_string(limit)));
  const Thrown at_launch =
      thrown_by([&] { backend->launch(*module, make_launch(1, 64, params, limit + 16), nullptr); });
  CHECK(at_launch.status == ATTUNE_ERROR_LAUNCH_FAILED);
  CHECK_THAT(at_launch.message, ContainsSubstring("smem " + std::to_string(limit + 16)));

  const auto small = backend->load(image, 64 * 1024);
  const Thrown above_load =
      thrown_by([&] { backend->launch(*small, make_launch(1, 64, params, limit), nullptr); });
  CHECK(above_load.status == ATTUNE_ERROR_LAUNCH_FAILED);
  backend->synchronize(nullptr);  // a refused launch leaves no error behind
  backend->free(out);
}

TEST_CASE("what cannot be loaded or launched is a status", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  Twice twice(*backend, 1000);

  CompiledImage renamed = compile(*backend, twice_plus_offset(3));
  renamed.entry = "thrice";
  const Thrown no_kernel = thrown_by([&] { backend->load(renamed, 0); });
  CHECK(no_kernel.status == ATTUNE_ERROR_LAUNCH_FAILED);
  CHECK_THAT(no_kernel.message, ContainsSubstring("thrice"));

  const bool is_turing = backend->device().compute_major == 7;
  const auto foreign =
      make_compile_only(is_turing ? "sm_80" : "sm_75", "")->compile(twice_plus_offset(3)).image;
  REQUIRE(foreign);
  CHECK(thrown_by([&] { backend->load(*foreign, 0); }).status == ATTUNE_ERROR_LAUNCH_FAILED);

  Launch launch = twice.launch();
  launch.block = 2048;
  CHECK(thrown_by([&] { backend->launch(twice.module(), launch, nullptr); }).status ==
        ATTUNE_ERROR_LAUNCH_FAILED);
  launch = twice.launch();
  launch.grid = 0;
  CHECK(thrown_by([&] { backend->launch(twice.module(), launch, nullptr); }).status ==
        ATTUNE_ERROR_LAUNCH_FAILED);

  backend->launch(twice.module(), twice.launch(), nullptr);
  CHECK(twice.wrong() == 0);
}

TEST_CASE("timings are positive and grow with the work", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  Twice small(*backend, 1 << 10);
  Twice large(*backend, 1 << 26);
  const auto median = [&](Twice& twice) {
    std::vector<double> seconds =
        backend->time(twice.module(), twice.launch(), 70);  // more than are queued at once
    REQUIRE(seconds.size() == 70);
    for (const double second : seconds)
      CHECK(second > 0);
    std::sort(seconds.begin(), seconds.end());
    return seconds[35];
  };
  const double small_time = median(small);
  const double large_time = median(large);
  INFO("small " << small_time << " s, large " << large_time << " s");
  CHECK(small_time < 30e-6);  // no launch latency, no flush
  CHECK(large_time > 4 * small_time);
  // 2 · 4 bytes an element come from memory and go there: the cache was cold and the clock does not lie.
  CHECK(large_time > 0.8 * 8.0 * (1 << 26) / backend->device().memory_bytes_per_second);
  CHECK(large.wrong() == 0);
  CHECK(backend->time(small.module(), small.launch(), 0).empty());
}

TEST_CASE("several threads launch and time on one backend", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend();
  std::vector<size_t> wrong(4, 1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < wrong.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        Twice twice(*backend, 5000 + static_cast<int>(i), static_cast<int>(i));
        backend->time(twice.module(), twice.launch(), 10);
        twice.poison();
        backend->launch(twice.module(), twice.launch(), nullptr);
        wrong[i] = twice.wrong();
      } catch (const Error&) {
        wrong[i] = std::numeric_limits<size_t>::max();
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == std::vector<size_t>(4, 0));
}
