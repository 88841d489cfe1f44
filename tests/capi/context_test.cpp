// Contexts: what they run on, where they keep things, what they say.
#include <pthread.h>

#include <fstream>

#include "base/files.h"
#include "capi/context.h"
#include "capi/fixtures.h"
#include "cuda/driver.h"
#include "cuda/nvrtc_compiler.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
namespace fs = std::filesystem;

namespace {

// A plan on this context computes what it should.
void check_works(attune_context_t context) {
  const PlanHandle plan = make_plan(context, small_desc());
  const Forward forward(context, small_desc(), {2, 17, 33});
  const attune_attention_args args = forward.args();
  REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  const Comparison comparison = forward.compare(forward.read());
  INFO(comparison.reason);
  CHECK(comparison.ok);
}

void check_degrades(const fs::path& cache_dir, const std::string& reason) {
  LogCapture capture;
  attune_context_options options = simt_options();
  const std::string text = cache_dir.string();
  options.cache_dir = text.c_str();
  capture.attach(options, ATTUNE_LOG_WARNING);
  const ContextHandle context = make_context(options);
  check_works(context.get());
  CHECK(capture.count(ATTUNE_LOG_WARNING) == 1);
  CHECK(capture.lines().size() == 1);
  CHECK(capture.says(text));
  CHECK(capture.says(reason));
}

}  // namespace

TEST_CASE("without a driver, cuda is no device and the message names the way out") {
  if (cuda_available()) ATTUNE_SKIP("there is a GPU here");
  attune_context_options options = simt_options();
  options.device = "cuda";
  attune_context_t context = nullptr;
  check_fails(attune_context_create(&context, &options), ATTUNE_ERROR_NO_DEVICE,
              {"ATTUNE_DEVICE=simt", "auto"});
  CHECK(context == nullptr);
  options.device = "cuda:3";
  check_fails(attune_context_create(&context, &options), ATTUNE_ERROR_NO_DEVICE, {"ATTUNE_DEVICE=simt"});
}

TEST_CASE("auto always finds a device") {
  attune_context_options options = simt_options();
  options.device = "auto";
  const ContextHandle context = make_context(options);
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  REQUIRE(attune_context_get_device_info(&info, context.get()) == ATTUNE_OK);
  CHECK(std::string(info.backend) == (cuda_available() ? "cuda" : "simt"));
}

TEST_CASE("the handle is NULL after a failure") {
  attune_context_t context = shared_context();
  attune_context_options options = simt_options();
  options.device = "nothing";
  check_fails(attune_context_create(&context, &options), ATTUNE_ERROR_INVALID_ARGUMENT, {"nothing"});
  CHECK(context == nullptr);
  check_fails(attune_context_create(nullptr, &options), ATTUNE_ERROR_INVALID_ARGUMENT, {"NULL"});
}

TEST_CASE("no NVRTC where it was asked for: the message says where") {
  const ScratchDirectory empty;
  check_fails(boundary([&] { make_compile_only("sm_80", empty.path()); }), ATTUNE_ERROR_NO_COMPILER,
              {empty.path().string(), "libnvrtc"});
}

TEST_CASE("no host compiler for the emulator: the message says how to get one") {
  const EnvironmentGuard simt("ATTUNE_SIMT", "cxx=/nowhere/c++");
  const ContextHandle context = make_context(simt_options());
  const attune_attention_desc desc = small_desc();
  attune_plan_t plan = nullptr;
  check_fails(attune_plan_create(&plan, context.get(), &desc), ATTUNE_ERROR_NO_COMPILER,
              {"/nowhere/c++", "ATTUNE_SIMT"});
}

TEST_CASE("a bad ATTUNE_SIMT is refused when the context is created") {
  const EnvironmentGuard simt("ATTUNE_SIMT", "threads=many");
  const attune_context_options options = simt_options();
  attune_context_t context = nullptr;
  check_fails(attune_context_create(&context, &options), ATTUNE_ERROR_INVALID_ARGUMENT, {"threads=many"});
}

TEST_CASE("an unusable cache directory costs one warning and nothing else", "[simt]") {
  const ScratchDirectory scratch;
  std::ofstream(scratch.path() / "file") << "not a directory";
  const fs::path open = scratch.path() / "open";
  fs::create_directory(open);
  fs::permissions(open, fs::perms::all);

  check_degrades("/proc/attune-test", "/proc");
  check_degrades(scratch.path() / "file" / "cache", "file");
  check_degrades(open, "can be written by others");
  CHECK(fs::is_empty(open));
}

TEST_CASE("without a home, one warning; memory only was asked for, none", "[simt]") {
  const EnvironmentGuard cache_dir("ATTUNE_CACHE_DIR", {}), cache_home("XDG_CACHE_HOME", {}),
      home("HOME", {});
  attune_context_options options = simt_options();
  LogCapture capture;
  capture.attach(options, ATTUNE_LOG_WARNING);
  check_works(make_context(options).get());
  CHECK(capture.lines().empty());

  options.cache_dir = nullptr;
  check_works(make_context(options).get());
  CHECK(capture.count(ATTUNE_LOG_WARNING) == 1);
  CHECK(capture.says("HOME"));
}

TEST_CASE("a second process finds the first one's kernels and trials", "[simt]") {
  const ScratchDirectory scratch;
  const std::string cache_dir = (scratch.path() / "cache").string();
  attune_context_options options = simt_options();
  options.cache_dir = cache_dir.c_str();
  check_works(make_context(options).get());

  const ContextHandle second = make_context(options);
  check_works(second.get());
  CHECK(second->images.counts().builds == 0);
  CHECK(second->images.counts().hits_disk == 1);
  CHECK(second->database->is_persistent());
}

TEST_CASE("the log callback is told, and what fails is logged as an error", "[simt]") {
  LogCapture capture;
  attune_context_options options = simt_options();
  capture.attach(options, ATTUNE_LOG_DEBUG);
  const ContextHandle context = make_context(options);
  const std::string printed = printed_by([&] { check_works(context.get()); });
  CHECK(printed.empty());
  CHECK(capture.count(ATTUNE_LOG_INFO) > 0);
  CHECK(capture.count(ATTUNE_LOG_ERROR) == 0);

  attune_plan_t plan = nullptr;
  attune_attention_desc desc = small_desc();
  desc.heads_q = 5;
  check_fails(attune_plan_create(&plan, context.get(), &desc), ATTUNE_ERROR_INVALID_ARGUMENT, {"5", "2"});
  CHECK(capture.count(ATTUNE_LOG_ERROR) == 1);
  CHECK(capture.says("heads_q = 5"));
}

TEST_CASE("nothing is printed by default", "[simt]") {
  const EnvironmentGuard log("ATTUNE_LOG", {});
  const std::string printed = printed_by([] {
    attune_context_options options = simt_options();
    options.cache_dir = "/proc/attune-test";  // worth a warning
    check_works(make_context(options).get());
    options.device = "nothing";
    attune_context_t context = nullptr;
    CHECK(attune_context_create(&context, &options) == ATTUNE_ERROR_INVALID_ARGUMENT);
  });
  CHECK(printed == "");
}

TEST_CASE("a thread may end in the log callback") {
  // The runtimes of other languages do that when they shut down; the exception it unwinds by must pass.
  attune_context_options options = simt_options();
  options.cache_dir = "/proc/attune-test";
  options.log_level = ATTUNE_LOG_WARNING;
  options.log_callback = [](attune_log_level, const char*, void*) { ::pthread_exit(nullptr); };
  bool returned = false;
  printed_by([&] {  // the logger reports what it does not know
    pthread_t thread;
    auto body = [&] {
      attune_context_t context = nullptr;
      static_cast<void>(attune_context_create(&context, &options));
      returned = true;
    };
    const auto start = [](void* run) -> void* { return (*static_cast<decltype(body)*>(run))(), nullptr; };
    REQUIRE(::pthread_create(&thread, nullptr, start, &body) == 0);
    REQUIRE(::pthread_join(thread, nullptr) == 0);
  });
  CHECK_FALSE(returned);
}

TEST_CASE("a log level without a callback goes to standard error") {
  const std::string printed = printed_by([] {
    attune_context_options options = simt_options();
    options.cache_dir = "/proc/attune-test";
    options.log_level = ATTUNE_LOG_WARNING;
    make_context(options);
  });
  CHECK(printed.find("/proc/attune-test") != std::string::npos);
}
