// Faults planted in the attention kernel: whatever protects its ring of tiles must be missed when it is gone.
#include <random>

#include "base/error.h"
#include "isa/float_formats.h"
#include "kernels/registry.h"
#include "simt/kernel_fixture.h"
#include "simt/simt_tensor_maps.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kSeeds = 5;
constexpr int64_t kQueries = 150;
constexpr int64_t kKeys = 200;
constexpr int64_t kDim = 64;

struct Attention {
  const Family& family = *find_family("flash_fwd");
  Problem problem;
  Config config;
  std::vector<uint16_t> q, k, v, o;
  std::vector<float> lse;
  Launch launch;

  explicit Attention(int stages, bool tensor_copies = false)
      : config({{"BLOCK_M", 64},
                {"BLOCK_N", 32},
                {"WARPS", 4},
                {"STAGES", stages},
                {"Q_IN_REGISTERS", 0},
                {"KEEP_PLACES", 0},
                {"TENSOR_COPIES", tensor_copies ? 1 : 0}}),
        q(kQueries * kDim),
        k(kKeys * kDim),
        v(kKeys * kDim),
        o(kQueries * kDim),
        lse(kQueries) {
    problem.seqlen_q = kQueries;
    problem.seqlen_kv = kKeys;
    std::mt19937 generator(1);
    std::normal_distribution<float> normal;
    for (auto* tensor : {&q, &k, &v}) {
      for (uint16_t& element : *tensor)
        element = bf16_from_float(normal(generator));
    }
    const auto view = [](std::vector<uint16_t>& tensor) {
      const auto size = static_cast<int64_t>(tensor.size());
      return TensorView{.data = tensor.data(), .stride = {size, size, kDim, 1}};
    };
    const Arguments arguments{.q = view(q),
                              .k = view(k),
                              .v = view(v),
                              .o = view(o),
                              .lse = lse.data(),
                              .batch = 1,
                              .seqlen_q = kQueries,
                              .seqlen_kv = kKeys,
                              .scale = 0.125f};
    const simt::SimtTensorMaps maps;
    family.pack(problem, config, arguments, &maps, launch);
  }

  KernelSource source() const { return specialize(template_store(), family, problem, config); }
};

int count_of(const KernelSource& source, std::string_view path, std::string_view token) {
  const std::string& text = source.file(path).text;
  int count = 0;
  for (size_t at = text.find(token); at != std::string::npos; at = text.find(token, at + 1))
    ++count;
  return count;
}

// With the n-th `token` of a file replaced.
KernelSource with_nth(KernelSource source, std::string_view path, std::string_view token, int n,
                      std::string_view to) {
  for (SourceFile& file : source.files) {
    if (file.path != path) continue;
    size_t at = file.text.find(token);
    for (int i = 0; i < n; ++i)
      at = file.text.find(token, at + 1);
    file.text.replace(at, token.size(), to);
  }
  return source;
}

void check_reported(const KernelSource& source, const Launch& launch, const std::string& part) {
  const CompiledImage image = compile(source);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::string report = report_of(image, launch, seed);
    CHECK_THAT(report, ContainsSubstring("flash_fwd: block ") && ContainsSubstring("thread "));
    CHECK_THAT(report, ContainsSubstring(part));
  }
}

}  // namespace

TEST_CASE("flash_fwd runs clean under every seed, and touches all the shared memory it asks for", "[simt]") {
  for (const int stages : {1, 2}) {
    Attention work(stages);
    const CompiledImage image = compile(work.source());
    for (uint64_t seed = 1; seed <= kSeeds; ++seed)
      CHECK(report_of(image, work.launch, seed) == "");

    const auto backend = make_simt_backend("", "", {});
    const auto module = backend->load(image, work.launch.shared_bytes);
    backend->launch(*module, work.launch, nullptr);
    const int64_t untouched = work.launch.shared_bytes - 1 - backend->last_run_report().highest_shared_byte;
    CHECK(untouched >= 0);
    CHECK(untouched == 0);  // rows of 16-bit elements have no padding
  }
}

TEST_CASE("every block barrier of flash_fwd is missed when it is gone", "[simt]") {
  for (const int stages : {1, 2}) {
    const Attention work(stages);
    const KernelSource good = work.source();
    // The last one is compiled in where rows of Q and O differ in length only.
    const int barriers = count_of(good, "flash_fwd.cuh", "block_barrier();") - 1;
    REQUIRE(barriers > 0);
    for (int i = 0; i < barriers; ++i) {
      INFO("stages " << stages << ", barrier " << i);
      check_reported(with_nth(good, "flash_fwd.cuh", "block_barrier();", i, ";"), work.launch, "between");
    }
  }
}

TEST_CASE("every wait of flash_fwd is missed when it waits for less", "[simt]") {
  const std::string wait = "copy_async_wait<2 * STAGES - 2>();";
  for (const int stages : {1, 2}) {
    const Attention work(stages);
    const KernelSource good = work.source();
    const int waits = count_of(good, "flash_fwd.cuh", wait);
    REQUIRE(waits > 0);
    for (int i = 0; i < waits; ++i) {
      INFO("stages " << stages << ", wait " << i);
      check_reported(with_nth(good, "flash_fwd.cuh", wait, i, "copy_async_wait<2 * STAGES - 1>();"),
                     work.launch, "is in flight");
    }
  }
}

TEST_CASE("every barrier and wait of flash_fwd with tensor copies is missed when it is gone", "[simt]") {
  for (const int stages : {1, 2}) {
    const Attention work(stages, true);
    const KernelSource good = work.source();
    const CompiledImage image = compile(good);
    for (uint64_t seed = 1; seed <= kSeeds; ++seed)
      CHECK(report_of(image, work.launch, seed) == "");
    const int barriers = count_of(good, "flash_fwd.cuh", "block_barrier();") - 1;
    for (int i = 0; i < barriers; ++i) {
      INFO("stages " << stages << ", barrier " << i);
      check_reported(with_nth(good, "flash_fwd.cuh", "block_barrier();", i, ";"), work.launch, "shared byte");
    }
    for (const char* wait : {"keys.await(step, phase);", "values.await(step, phase);"})
      check_reported(with_change(good, "flash_fwd.cuh", wait, ""), work.launch,
                     "where a tensor copy is in flight");
    check_reported(with_change(good, "flash_fwd.cuh", "u32 phase = 0;", "u32 phase = 1;"), work.launch,
                   "mbarrier");
    check_reported(with_change(good, "flash_fwd.cuh", "tile_elements<COLUMNS>() * ELEMENT_BYTES",
                               "tile_elements<COLUMNS>()"),
                   work.launch, "bytes are missing");
    check_reported(with_change(good, "flash_fwd.cuh", "      mbarrier_init_fence();\n", ""), work.launch,
                   "no mbarrier_init_fence");
    check_reported(with_change(good, "flash_fwd.cuh", "copy_async_wait<0>();  // Q is", "// Q is"),
                   work.launch, "where an asynchronous copy is in flight");
  }
}

TEST_CASE("the staged output of flash_fwd needs its warp barrier", "[simt]") {
  const Attention work(1);
  const KernelSource good = work.source();
  check_reported(with_change(good, "tile/store.cuh", "warp_barrier();", ";"), work.launch,
                 "block_barrier or warp_barrier between");
}

TEST_CASE("a layout of flash_fwd that disagrees with its launch is reported", "[simt]") {
  const Attention work(1);
  const KernelSource good = work.source();
  SECTION("too little asked for") {
    Launch launch = work.launch;
    launch.shared_bytes -= 16;
    check_reported(good, launch, "needs exactly");
  }
  SECTION("tiles that overlap") {
    check_reported(with_change(good, "flash_fwd.layout.h", "return q_bytes() + slot * k_tile_bytes();",
                               "return q_bytes() - 128 + slot * k_tile_bytes();"),
                   work.launch, "asynchronous copy");
  }
}

TEST_CASE("tensors of flash_fwd are not read beyond their last row", "[simt]") {
  const Attention work(1);
  const KernelSource good = work.source();
  check_reported(with_change(good, "tile/load.cuh", "row < valid_rows ? 16", "row <= valid_rows ? 16"),
                 work.launch, "is out of bounds");
}
