// Timing by replay: launches back to back in a captured graph, those that begin early among them.
#include <algorithm>
#include <atomic>
#include <thread>

#include "cuda/captured_graph.h"
#include "cuda/cuda_module.h"
#include "cuda/cuda_timer.h"
#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::test;

namespace {

double median(std::vector<double> seconds) {
  REQUIRE_FALSE(seconds.empty());
  std::ranges::sort(seconds);
  CHECK(seconds.front() > 0);
  return seconds[seconds.size() / 2];
}

// Counts its launches: reads what the launch before it wrote, for which one that begins early has to wait.
class Counter {
 public:
  explicit Counter(Backend& backend) : backend_(backend), count_(backend.allocate(sizeof(int))) {
    const CompiledImage image =
        compile(backend, make_source("count",
                                     "struct Params { volatile int* count; };\n"
                                     "extern \"C\" __global__ void count(Params p) {\n"
                                     "  asm volatile(\"griddepcontrol.launch_dependents;\" ::: \"memory\");\n"
                                     "  asm volatile(\"griddepcontrol.wait;\" ::: \"memory\");\n"
                                     "  if (blockIdx.x == 0 && threadIdx.x == 0) *p.count = *p.count + 1;\n"
                                     "}\n"));
    module_ = backend.load(image, 0);
    backend.copy(count_, &start_, sizeof start_);
  }
  ~Counter() { backend_.free(count_); }

  const Module& module() const { return *module_; }
  Launch launch(bool begins_early) const {
    Launch launch = make_launch(8, 64, count_);
    launch.begins_early = begins_early;
    return launch;
  }
  int count() {
    int count = 0;
    backend_.copy(&count, count_, sizeof count);
    return count;
  }

 private:
  Backend& backend_;
  void* count_;
  const int start_ = 0;
  std::unique_ptr<Module> module_;
};

// Allocates and frees all the time. No Catch macros there, nor what uses them.
class UserThread {
 public:
  UserThread() : library_(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {
    must("cuDevicePrimaryCtxRetain", &context_, 0);
    thread_ = std::thread([this] { work(); });
  }
  ~UserThread() {
    join();
    driver_call("cuDevicePrimaryCtxRelease_v2", 0);
  }

  // The calls that were refused.
  int join() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
    return refused_;
  }

 private:
  template <typename... Args>
  int call(const char* symbol, Args... args) {
    return reinterpret_cast<int (*)(Args...)>(dlsym(library_, symbol))(args...);
  }
  void work() {
    refused_ += call("cuCtxPushCurrent_v2", context_) != 0;
    while (!done_) {
      unsigned long long pointer = 0;
      refused_ += call("cuMemAlloc_v2", &pointer, size_t{1} << 20) != 0;
      refused_ += call("cuMemFree_v2", pointer) != 0;
    }
  }

  void* library_;
  CUctx_st* context_ = nullptr;
  std::atomic<bool> done_ = false;
  std::atomic<int> refused_ = 0;
  std::thread thread_;
};

}  // namespace

// Ends the test case where nothing can be replayed.
#define ATTUNE_NEED_REPLAY()            \
  ATTUNE_NEED_GPU();                    \
  const auto backend = make_backend(0); \
  if (!backend->can_replay()) ATTUNE_SKIP("the driver does not capture launches that begin early")
// Likewise where launches cannot begin early.
#define ATTUNE_NEED_EARLY_LAUNCHES() \
  ATTUNE_NEED_REPLAY();              \
  if (backend->device().compute_capability() < 90) ATTUNE_SKIP("launches do not begin early here")

TEST_CASE("a short launch reads less in a replay than between two events", "[gpu]") {
  ATTUNE_NEED_REPLAY();
  Twice twice(*backend, 1000);
  const double single = median(backend->time(twice.module(), twice.launch(), 20));
  twice.poison();
  const std::vector<double> samples =
      backend->time_by_replay(twice.module(), twice.launch(), 70);  // more than are queued at once
  CHECK(samples.size() == 70);
  const double replayed = median(samples);
  INFO("single " << single << " s, replayed " << replayed << " s");
  CHECK(replayed < 0.8 * single);  // 4 to 6 us against 1 to 2
  CHECK(twice.wrong() == 0);
  CHECK(backend->time_by_replay(twice.module(), twice.launch(), 0).empty());
}

TEST_CASE("a long launch reads in a replay what it does between two events", "[gpu]") {
  ATTUNE_NEED_REPLAY();
  Twice twice(*backend, 1 << 26);  // from memory and to it, either way
  const double single = median(backend->time(twice.module(), twice.launch(), 9));
  const double replayed = median(backend->time_by_replay(twice.module(), twice.launch(), 9));
  INFO("single " << single << " s, replayed " << replayed << " s");
  CHECK(replayed > 0.8 * single);
  CHECK(replayed < 1.1 * single);
}

TEST_CASE("launches that begin early are captured, wait for each other, and are given credit", "[gpu]") {
  ATTUNE_NEED_EARLY_LAUNCHES();
  Counter counter(*backend);
  const CapturedGraph graph(counter.module(), [&](Stream stream) {
    for (int i = 0; i < 50; ++i)
      backend->launch(counter.module(), counter.launch(true), stream);
  });
  CHECK(counter.count() == 0);
  for (int i = 0; i < 20; ++i)
    graph.run();
  CHECK(counter.count() == 50 * 20);

  const double late = median(backend->time_by_replay(counter.module(), counter.launch(false), 20));
  const double early = median(backend->time_by_replay(counter.module(), counter.launch(true), 20));
  INFO("early " << early << " s, late " << late << " s");
  CHECK(early < late);
  CHECK(counter.count() == 50 * 20 + 2 * (20 + 1) * CudaTimer::kReplayedLaunches);
}

TEST_CASE("other threads allocate as they like while launches are captured to be timed", "[gpu]") {
  ATTUNE_NEED_REPLAY();
  Twice twice(*backend, 1000);
  // Of a user, who knows nothing of our captures: a strict one would refuse this, and be invalid then.
  UserThread user;
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    refused +=
        thrown_by([&] { backend->time_by_replay(twice.module(), twice.launch(), 1); }).status != ATTUNE_OK;
  }
  CHECK(refused == 0);
  CHECK(user.join() == 0);
  CHECK(twice.wrong() == 0);
}

TEST_CASE("a relaxed capture computes what a strict one does", "[gpu]") {
  ATTUNE_NEED_REPLAY();
  Twice twice(*backend, 1000);
  const auto& context = static_cast<const CudaModule&>(twice.module()).context();
  const CapturedGraph graph(context, CapturedGraph::Mode::relaxed,
                            [&](Stream stream) { backend->launch(twice.module(), twice.launch(), stream); });
  CHECK(twice.wrong() > 0);
  graph.run();
  CHECK(twice.wrong() == 0);
}
