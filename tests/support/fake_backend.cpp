#include "support/fake_backend.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/hash.h"

namespace attune {
namespace {

Constants constants_of(const std::string& config_header) {
  Constants constants;
  std::istringstream lines(config_header);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string directive, name, value;
    if (words >> directive >> name >> value && directive == "#define") constants[name] = value;
  }
  return constants;
}

bool matches(const Config& config, const Constants& constants) {
  return std::ranges::all_of(config.values(), [&](const auto& item) {
    const auto found = constants.find(item.first);
    return found != constants.end() && found->second == std::to_string(item.second);
  });
}

class FakeModule final : public Module {
 public:
  FakeModule(const CompiledImage& image, uint32_t shared_bytes, int64_t& live)
      : entry(image.entry),
        constants(constants_of(image.bytes)),
        shared_bytes(shared_bytes),
        registers_(image.registers),
        live_(live) {
    ++live_;
  }
  ~FakeModule() override { --live_; }

  int registers() const override { return registers_; }
  int local_bytes() const override { return 0; }
  int static_shared_bytes() const override { return 0; }

  const std::string entry;
  const Constants constants;
  const uint32_t shared_bytes;

 private:
  const int registers_;
  int64_t& live_;
};

const FakeModule& fake(const Module& module) {
  return dynamic_cast<const FakeModule&>(module);
}

}  // namespace

FakeBehaviour& FakeScript::operator[](const Config& config) {
  const auto [item, inserted] = behaviours_.try_emplace(to_string(config), config, otherwise);
  return item->second.second;
}

const FakeBehaviour& FakeScript::of(const Constants& constants) const {
  for (const auto& [text, item] : behaviours_) {
    if (matches(item.first, constants)) return item.second;
  }
  return otherwise;
}

std::string FakeCompiler::identity() const {
  if (is_missing) fail(ATTUNE_ERROR_NO_COMPILER, "the fake compiler is missing");
  ++identities;
  return version;
}

CompileResult FakeCompiler::compile(const KernelSource& source) {
  if (is_missing) fail(ATTUNE_ERROR_NO_COMPILER, "the fake compiler is missing");
  ++compilations;
  const std::string& header = source.file("attune_config.h").text;
  const FakeBehaviour& behaviour = script_.of(constants_of(header));
  std::this_thread::sleep_for(behaviour.compile);
  if (behaviour.fault == Fault::does_not_compile)
    return {.image = std::nullopt, .log = "flash_fwd.cuh(7): error: as scripted"};
  CompiledImage image;
  image.bytes = fmt::format("{}// version {}\n", header, behaviour.image_version);
  image.entry = source.entry;
  image.hash = content_hash(source.entry + image.bytes);
  image.registers = behaviour.registers;
  image.compile_seconds = 0.125;
  return {.image = std::move(image), .log = "compiled"};
}

FakeBackend::FakeBackend(std::string_view arch) : spec(known_device(arch).value()) {}

int FakeBackend::timed() const {
  return timed(Config{});
}

int FakeBackend::timed(const Config& config) const {
  int count = 0;
  for (const auto& [constants, launches_of_one] : timed_)
    count += matches(config, constants) ? launches_of_one : 0;
  return count;
}

void* FakeBackend::allocate(size_t bytes) {
  void* pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!pointer) fail(ATTUNE_ERROR_OUT_OF_MEMORY, "{} bytes", bytes);
  ++live_allocations;
  return pointer;
}

void FakeBackend::free(void* pointer) noexcept {
  --live_allocations;
  std::free(pointer);
}

void FakeBackend::copy(void* destination, const void* source, size_t bytes) {
  std::memcpy(destination, source, bytes);
}

void FakeBackend::fill(void* destination, unsigned char byte, size_t bytes, Stream) {
  std::memset(destination, byte, bytes);
}

std::unique_ptr<Module> FakeBackend::load(const CompiledImage& image, uint32_t shared_bytes) {
  if (script.of(constants_of(image.bytes)).fault == Fault::does_not_load) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "cannot be loaded, as scripted");
  }
  ++loads;
  return std::make_unique<FakeModule>(image, shared_bytes, live_modules);
}

void FakeBackend::launch(const Module& module, const Launch& launch, Stream) {
  const FakeModule& kernel = fake(module);
  const Fault fault = script.of(kernel.constants).fault;
  if (fault == Fault::does_not_launch) fail(ATTUNE_ERROR_LAUNCH_FAILED, "cannot be launched, as scripted");
  if (launch.shared_bytes != kernel.shared_bytes) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "launched with {} bytes of shared memory, loaded for {}",
         launch.shared_bytes, kernel.shared_bytes);
  }
  ++launches;
  last_launch = launch;
  launched = &launch;
  pending_ = fault;
  run_fake_kernel(kernel.entry, kernel.constants, launch, fault);
}

void FakeBackend::synchronize(Stream) {
  const Fault fault = std::exchange(pending_, Fault::none);
  if (fault == Fault::breaks_the_device) {
    pending_ = fault;
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "a fault that stays, as scripted");
  }
  if (fault == Fault::faults_while_running)
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "an illegal address, as scripted");
  if (fault == Fault::loses_the_context) fail(ATTUNE_ERROR_CONTEXT_LOST, "the context is gone, as scripted");
}

std::vector<double> FakeBackend::time(const Module& module, const Launch&, int repetitions) {
  return samples_of(module, repetitions, &FakeBehaviour::seconds);
}

std::vector<double> FakeBackend::time_by_replay(const Module& module, const Launch&, int repetitions) {
  replayed += repetitions;
  return samples_of(module, repetitions, &FakeBehaviour::replayed_seconds);
}

std::vector<double> FakeBackend::samples_of(const Module& module, int repetitions,
                                            double FakeBehaviour::*seconds_of) {
  const Constants& constants = fake(module).constants;
  const FakeBehaviour& behaviour = script.of(constants);
  auto entry = std::ranges::find(timed_, constants, &std::pair<Constants, int>::first);
  if (entry == timed_.end()) entry = timed_.insert(entry, {constants, 0});
  std::vector<double> seconds;
  for (int i = 0; i < repetitions; ++i) {
    std::this_thread::sleep_for(behaviour.launch);
    const double clock = timed() < throttled_after ? 1 : 1.5;
    const double off = (entry->second++ * 7 % 11 - 5) / 5.0;  // -1 to 1, the same in every run
    seconds.push_back(behaviour.*seconds_of * clock * (1 + behaviour.noise * off));
  }
  return seconds;
}

}  // namespace attune
