// The recorded backend: it answers, and computes nothing.
#include "recorded/recorded_backend.h"

#include "support/catch.h"
#include "support/caught.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

std::unique_ptr<RecordedBackend> backend(std::function<std::unique_ptr<Compiler>()> make_compiler = {}) {
  return make_recorded_backend({.key = "cuda sm_90 NVIDIA H200 x132",
                                .spec = known_device("sm_90").value(),
                                .version = "recording 7",
                                .provenance = "recorded: NVIDIA H200, 2026-11-22"},
                               std::move(make_compiler));
}

class NoCompiler final : public Compiler {
 public:
  std::string identity() const override { return "none"; }
  CompileResult compile(const KernelSource&) override { return {}; }
};

}  // namespace

TEST_CASE("each recorded sample is given out once, in its order") {
  const auto device = backend();
  const RecordedModule module(168, 0, {5, 4, 3, 2, 1});
  CHECK(device->time(module, Launch{}, 2) == std::vector<double>{5, 4});
  CHECK(device->time(module, Launch{}, 2) == std::vector<double>{3, 2});
  CHECK(device->time(module, Launch{}, 2) == std::vector<double>{1});
  CHECK(device->time(module, Launch{}, 2).empty());
  CHECK(module.registers() == 168);
}

TEST_CASE("what would compute is refused, and says where the device is from") {
  const auto device = backend();
  char byte = 0;
  const auto module = device->load({.entry = "flash_fwd", .registers = 99}, 0);
  CHECK(module->registers() == 99);
  const Caught refused[] = {caught([&] { device->allocate(1); }),
                            caught([&] { device->copy(&byte, &byte, 1); }),
                            caught([&] { device->fill(&byte, 0, 1, nullptr); }),
                            caught([&] { device->launch(*module, Launch{}, nullptr); })};
  for (const Caught& error : refused) {
    CHECK(error.status == ATTUNE_ERROR_UNSUPPORTED);
    CHECK_THAT(error.message, ContainsSubstring("recorded: NVIDIA H200, 2026-11-22"));
    CHECK_THAT(error.message, ContainsSubstring("ATTUNE_DEVICE=cuda or simt"));
  }
  CHECK(device->allocate(0) == nullptr);
  device->free(nullptr);
  device->synchronize(nullptr);
}

TEST_CASE("what is learnt on a recorded device is not taken for the GPU's") {
  const auto device = backend();
  CHECK(device_key(device->name(), device->device()) == "recorded sm_90 H200 x132");
  CHECK(device->recorded_key() == "cuda sm_90 NVIDIA H200 x132");
  CHECK(device->driver_version() == "recording 7");
  CHECK(device->timings_mean_speed());
  CHECK(device->provenance() == "recorded: NVIDIA H200, 2026-11-22");
}

TEST_CASE("the compiler is made at its first use, once") {
  int made = 0;
  const auto device = backend([&] {
    ++made;
    return std::make_unique<NoCompiler>();
  });
  CHECK(made == 0);
  CHECK(&device->compiler() == &device->compiler());
  CHECK(made == 1);
}
