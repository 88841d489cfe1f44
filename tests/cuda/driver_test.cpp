// The driver's absence, and what needs no GPU to be true.
#include "cuda/driver.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_detector.h"
#include "cuda/cuda_backend.h"
#include "cuda/sources.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("without a driver or a GPU the status names the way out") {
  std::string why_not;
  if (cuda_available(&why_not)) ATTUNE_SKIP("there is a GPU");
  CHECK_THAT(why_not, ContainsSubstring("ATTUNE_DEVICE=simt"));
  CHECK_FALSE(cuda_available());
  for (const int ordinal : {-1, 0, 3}) {
    const Thrown thrown = thrown_by([&] { make_cuda_backend(ordinal, "", Log()); });
    CHECK(thrown.status == ATTUNE_ERROR_NO_DEVICE);
    CHECK_THAT(thrown.message, ContainsSubstring("driver"));
    CHECK_THAT(thrown.message, ContainsSubstring("ATTUNE_DEVICE=simt"));
    CHECK_THAT(thrown.message, ContainsSubstring("ATTUNE_DEVICE=auto"));
  }
}

TEST_CASE("a child knows that it was forked, its parent that it was not") {
  const ForkDetector detector;
  CHECK_FALSE(detector.forked());
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(detector.forked() ? 0 : 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK_FALSE(detector.forked());
}
