// What the host twin of flash_fwd_sm90 asks of the copy engine, launches and leaves to others.
#include <cstring>
#include <vector>

#include "flash_fwd_sm90.params.h"
#include "kernels/families.h"
#include "kernels/noting_encoder.h"
#include "kernels/problems.h"
#include "kernels/registry.h"
#include "support/catch.h"

using namespace attune;

namespace {

struct Packing {
  Problem problem{.dtype = DType::bf16,
                  .mask = Mask::causal,
                  .batch = 3,
                  .heads_q = 8,
                  .heads_kv = 2,
                  .head_dim = 128,
                  .head_dim_v = 64};
  Config config{{"BLOCK_M", 128}, {"BLOCK_N", 144}, {"STAGES", 2}, {"TAKE_TURNS", 0}, {"PERSISTENT", 1}};
  Arguments arguments;
  NotingEncoder encoder;
  int multiprocessors = 10;
  Launch launch;

  Packing() {
    const auto dense = [](uintptr_t place, int64_t heads, int64_t rows, int64_t columns) {
      return TensorView{address(place), {heads * rows * columns, rows * columns, columns, 1}};
    };
    arguments = {.q = dense(0x10000, 8, 300, 128),
                 .k = dense(0x20000, 2, 500, 128),
                 .v = dense(0x30000, 2, 500, 64),
                 .o = dense(0x40000, 8, 300, 64),
                 .batch = 3,
                 .seqlen_q = 300,
                 .seqlen_kv = 500,
                 .scale = 0.125};
  }

  bool pack() {
    encoder.asked.clear();
    LaunchShape shape = flash_fwd_sm90_family().launch_shape(problem, config);
    shape.tensor_maps = &encoder;
    shape.multiprocessors = multiprocessors;
    return flash_fwd_sm90_family().pack(problem, shape, arguments, launch);
  }
  FlashFwdSm90Params params() const {
    FlashFwdSm90Params params;
    std::memcpy(&params, launch.parameters.data(), sizeof(params));
    return params;
  }
};

}  // namespace

TEST_CASE("flash_fwd_sm90 describes Q, K, V and O to the copy engine, or leaves them to flash_fwd") {
  Packing packing;
  REQUIRE(packing.pack());
  REQUIRE(packing.encoder.asked.size() == 4);
  const std::vector<PanelTensor>& asked = packing.encoder.asked;
  CHECK(asked[0].box_rows == 64);
  CHECK(asked[0].rows == 300);
  CHECK(asked[0].heads == 8);
  CHECK(asked[1].box_rows == 144);
  CHECK(asked[1].rows == 500);
  CHECK(asked[1].heads == 2);
  CHECK(asked[2].columns == 64);
  CHECK(asked[3].data == address(0x40000));
  CHECK(asked[3].box_rows == 64);
  for (const PanelTensor& tensor : asked)
    CHECK(tensor.copies == PanelCopies::one);
  const FlashFwdSm90Params params = packing.params();
  CHECK(params.diagonal == 200);
  CHECK(params.heads_per_kv.value == 4);
  CHECK(packing.launch.begins_early);

  for (TensorView Arguments::*tensor : {&Arguments::q, &Arguments::k, &Arguments::v, &Arguments::o}) {
    Packing unaligned;
    (unaligned.arguments.*tensor).data = address(0x50002);
    CHECK_FALSE(unaligned.pack());
  }
  packing.encoder.encodes = 3;
  CHECK_FALSE(packing.pack());
  const std::optional<FamilyConfig> other = flash_fwd_sm90_family().fallback(packing.problem, packing.config);
  REQUIRE(other);
  CHECK(other->family == &flash_fwd_family());
  CHECK(other->config.at("TENSOR_COPIES") == 0);
  // It does not wait for the launch before it.
  REQUIRE(other->family->pack(packing.problem, other->family->launch_shape(packing.problem, other->config),
                              packing.arguments, packing.launch));
  CHECK_FALSE(packing.launch.begins_early);
}

TEST_CASE("flash_fwd_sm90 describes columns that are no whole panels, and leaves unaligned rows to others") {
  Packing packing;
  packing.problem.head_dim = packing.problem.head_dim_v = 72;
  const auto dense = [](uintptr_t place, int64_t heads, int64_t rows) {
    return TensorView{address(place), {heads * rows * 72, rows * 72, 72, 1}};
  };
  packing.arguments.q = dense(0x10000, 8, 300);
  packing.arguments.k = dense(0x20000, 2, 500);
  packing.arguments.v = dense(0x30000, 2, 500);
  packing.arguments.o = dense(0x40000, 8, 300);
  REQUIRE(packing.pack());
  REQUIRE(packing.encoder.asked.size() == 4);
  for (const PanelTensor& tensor : packing.encoder.asked) {
    CHECK(tensor.columns == 72);
    CHECK(tensor.row_stride == 72);
    CHECK(tensor.panels() == 2);
    CHECK(tensor.box_panels() == 1);
  }
  // Q and O, two tiles of K and of V, each of two panels, the pieces and the barriers.
  CHECK(packing.launch.shared_bytes ==
        2 * (2 * 2 * 64 + 2 * 2 * 144) * 128 + 24 * 2 * 2 + 8 * (3 * 2 * 2 + 4 * 2 + 2));
  packing.arguments.k.stride[2] = 76;
  CHECK_FALSE(packing.pack());
}

TEST_CASE("consumers of long rows share a place for outputs, or leave them to their threads without room") {
  Packing packing;
  packing.problem.head_dim = packing.problem.head_dim_v = 256;
  packing.config.set("BLOCK_N", 64);
  REQUIRE(packing.pack());
  CHECK(packing.encoder.asked.size() == 4);
  // Q of both consumers and O of one, two tiles of K and of V, each of four panels, the pieces and the
  // barriers.
  CHECK(packing.launch.shared_bytes ==
        4 * (3 * 64 + 2 * 2 * 64) * 128 + 24 * 2 + 8 * (3 * 2 + 4 * 2 + 2 + 2 + 1));
  packing.config.set("BLOCK_N", 80);
  REQUIRE(packing.pack());
  CHECK(packing.encoder.asked.size() == 3);
  CHECK(packing.launch.shared_bytes == 4 * (2 * 64 + 2 * 2 * 80) * 128 + 24 * 2 + 8 * (3 * 2 + 4 * 2 + 2));
}

TEST_CASE("flash_fwd_sm90 launches as many blocks as there are multiprocessors, or one for each tile") {
  Packing packing;
  REQUIRE(packing.pack());
  CHECK(packing.launch.grid == 10);
  CHECK(packing.params().walk.blocks == 10);
  packing.multiprocessors = 1000;
  REQUIRE(packing.pack());
  CHECK(packing.launch.grid == 3 * 8 * 3);
  packing.multiprocessors = 0;
  REQUIRE(packing.pack());
  CHECK(packing.launch.grid == 3 * 8 * 3);
  packing.multiprocessors = 10;
  packing.config.set("PERSISTENT", 0);
  REQUIRE(packing.pack());
  CHECK(packing.launch.grid == 3 * 8 * 3);
  CHECK(packing.launch.region_count == 4);
}

TEST_CASE("one consumer is the model's choice where tiles of more rows leave multiprocessors idle") {
  const DeviceSpec device = *known_device("sm_90a");
  const auto rows_of_first = [&](int64_t batch, int64_t heads, int64_t rows, int64_t keys) {
    const Problem problem{.dtype = DType::bf16,
                          .batch = batch,
                          .heads_q = heads,
                          .heads_kv = heads,
                          .seqlen_q = rows,
                          .seqlen_kv = keys,
                          .head_dim = 128,
                          .head_dim_v = 128};
    for (const Candidate& candidate : enumerate_candidates(problem, device, {})) {
      if (candidate.family == &flash_fwd_sm90_family()) return candidate.config.at("BLOCK_M");
    }
    return 0;
  };
  CHECK(rows_of_first(1, 16, 512, 512) == 64);
  CHECK(rows_of_first(8, 32, 1, 8192) == 64);
  CHECK(rows_of_first(1, 16, 1024, 1024) > 64);
  CHECK(rows_of_first(4, 32, 4096, 4096) > 64);
}

TEST_CASE("blocks of one consumer share a multiprocessor where their registers and memory allow") {
  const DeviceSpec device = *known_device("sm_90a");
  const auto blocks_of = [&](int64_t dim, int block_n) {
    const Problem problem{.dtype = DType::bf16, .head_dim = dim, .head_dim_v = dim};
    const Config config{
        {"BLOCK_M", 64}, {"BLOCK_N", block_n}, {"STAGES", 2}, {"TAKE_TURNS", 0}, {"PERSISTENT", 0}};
    const BudgetVerdict verdict =
        check_budget(flash_fwd_sm90_family().resources(problem, config), device, {});
    return verdict.fits ? verdict.blocks_per_multiprocessor : 0;
  };
  CHECK(blocks_of(64, 128) == 2);
  CHECK(blocks_of(128, 96) == 2);
  CHECK(blocks_of(128, 128) == 1);
  CHECK(blocks_of(256, 64) == 1);
  CHECK(blocks_of(256, 128) == 0);
}

TEST_CASE(
    "flash_fwd_sm90 leaves problems without keys to flash_fwd and describes nothing where there are no "
    "rows") {
  Packing packing;
  packing.encoder.encodes = 0;
  packing.arguments.seqlen_kv = 0;
  CHECK_FALSE(packing.pack());
  packing.arguments.seqlen_q = 0;
  CHECK(packing.pack());
  CHECK(packing.launch.grid == 0);
}
