// Whose context, whose stream: the caller's stay as they were, and a lost context is a status.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

extern char** environ;

namespace {

// Runs a hidden test case of this program in a process of its own: what breaks CUDA there leaves this one
// alone.
int run_in_child(const char* test_case) {
  char program[] = "/proc/self/exe";
  std::string name = test_case;
  char* arguments[] = {program, name.data(), nullptr};
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// Everything a backend does, in this thread's present state.
void use(Backend& backend) {
  Twice twice(backend, 100);
  backend.time(twice.module(), twice.launch(), 2);
  twice.poison();
  backend.launch(twice.module(), twice.launch(), nullptr);
  backend.synchronize(nullptr);
  CHECK(twice.wrong() == 0);
  CHECK(backend.free_bytes() > 0);
}

// Every call that reaches the GPU gives CONTEXT_LOST; destruction is quiet.
void check_lost(Backend& backend, Twice& twice) {
  const auto lost = [](auto&& call) { return thrown_by(call).status == ATTUNE_ERROR_CONTEXT_LOST; };
  char byte = 0;
  CHECK(lost([&] { backend.launch(twice.module(), twice.launch(), nullptr); }));
  CHECK(lost([&] { backend.synchronize(nullptr); }));
  CHECK(lost([&] { backend.allocate(16); }));
  CHECK(lost([&] { backend.copy(&byte, &byte, 1); }));
  CHECK(lost([&] { backend.time(twice.module(), twice.launch(), 1); }));
  CHECK(lost([&] { backend.free_bytes(); }));
  backend.free(nullptr);
}

}  // namespace

TEST_CASE("without a current context there is none afterwards", "[gpu]") {
  ATTUNE_NEED_GPU();
  REQUIRE(current_context() == nullptr);
  {
    const auto backend = make_backend();
    CHECK(current_context() == nullptr);
    use(*backend);
    CHECK(current_context() == nullptr);
  }
  CHECK(current_context() == nullptr);
}

TEST_CASE("a current context is bound, and stays current", "[gpu]") {
  ATTUNE_NEED_GPU();
  const OwnContext own;
  const auto bound = make_backend(-1);
  const OwnStream stream;
  Twice twice(*bound, 100);
  bound->launch(twice.module(), twice.launch(), stream.handle());  // a stream of that context
  bound->synchronize(stream.handle());
  CHECK(twice.wrong() == 0);
  use(*bound);
  CHECK(current_context() == own.handle());
}

TEST_CASE("another current context is put back", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto primary = make_backend(0);
  const OwnContext own;
  use(*primary);
  CHECK(current_context() == own.handle());
  CHECK(thrown_by([&] { primary->allocate(size_t{1} << 50); }).status == ATTUNE_ERROR_OUT_OF_MEMORY);
  CHECK(current_context() == own.handle());
}

TEST_CASE("CUDA's own streams and those of the context are taken, others refused", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto primary = make_backend(0);
  Twice twice(*primary, 1000);
  for (const uintptr_t handle : {0, 1, 2}) {
    INFO("stream " << handle);
    twice.poison();
    const Stream stream = reinterpret_cast<Stream>(handle);
    primary->launch(twice.module(), twice.launch(), stream);
    primary->synchronize(stream);
    CHECK(twice.wrong() == 0);
  }
  const OwnContext own;
  const OwnStream foreign;
  const Thrown launched =
      thrown_by([&] { primary->launch(twice.module(), twice.launch(), foreign.handle()); });
  CHECK(launched.status == ATTUNE_ERROR_INVALID_ARGUMENT);
  CHECK_THAT(launched.message, ContainsSubstring("stream belongs to another"));
  char byte = 0;
  CHECK(thrown_by([&] { primary->fill(&byte, 0, 1, foreign.handle()); }).status ==
        ATTUNE_ERROR_INVALID_ARGUMENT);
  CHECK(thrown_by([&] { primary->synchronize(foreign.handle()); }).status == ATTUNE_ERROR_INVALID_ARGUMENT);
  CHECK(current_context() == own.handle());
}

TEST_CASE("a module of another backend is refused", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto first = make_backend(0);
  const auto second = make_backend(0);
  Twice twice(*first, 100);
  CHECK(thrown_by([&] { second->launch(twice.module(), twice.launch(), nullptr); }).status ==
        ATTUNE_ERROR_INVALID_ARGUMENT);
}

TEST_CASE("the bound context is destroyed (child)", "[.][child]") {
  ATTUNE_NEED_GPU();
  OwnContext own;
  const auto backend = make_backend(-1);
  Twice twice(*backend, 100);
  own.destroy();
  check_lost(*backend, twice);
}

TEST_CASE("after the bound context was destroyed every call says so", "[gpu]") {
  ATTUNE_NEED_GPU();
  CHECK(run_in_child("the bound context is destroyed (child)") == 0);
}

TEST_CASE("the primary context is reset (child)", "[.][child]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  Twice twice(*backend, 100);
  must("cuDevicePrimaryCtxReset_v2", 0);
  check_lost(*backend, twice);
  const auto next = make_backend(0);
  use(*next);
}

TEST_CASE("after a reset of the primary context every call says so, and a new backend works", "[gpu]") {
  ATTUNE_NEED_GPU();
  CHECK(run_in_child("the primary context is reset (child)") == 0);
}

TEST_CASE("a kernel faults (child)", "[.][child]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  Twice twice(*backend, 100);
  const TwiceParams nowhere{.out = reinterpret_cast<float*>(uintptr_t{1} << 40), .in = nullptr, .n = 100};
  backend->launch(twice.module(), make_launch(1, 128, nowhere), nullptr);
  const Thrown thrown = thrown_by([&] { backend->synchronize(nullptr); });
  CHECK(thrown.status == ATTUNE_ERROR_LAUNCH_FAILED);
  CHECK_THAT(thrown.message, ContainsSubstring("CUDA_ERROR_"));
}

TEST_CASE("a kernel's fault is reported by the next wait", "[gpu]") {
  ATTUNE_NEED_GPU();
  CHECK(run_in_child("a kernel faults (child)") == 0);
}

TEST_CASE("a child after fork is told that CUDA is lost", "[gpu]") {
  ATTUNE_NEED_GPU();
  auto backend = make_backend(0);
  Twice twice(*backend, 100);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const Thrown launched = thrown_by([&] { backend->launch(twice.module(), twice.launch(), nullptr); });
    const Thrown allocated = thrown_by([&] { backend->allocate(16); });
    const bool told = launched.status == ATTUNE_ERROR_CONTEXT_LOST &&
                      allocated.status == ATTUNE_ERROR_CONTEXT_LOST &&
                      launched.message.find("fork") != std::string::npos;
    _exit(told ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  use(*backend);  // the parent goes on
}
