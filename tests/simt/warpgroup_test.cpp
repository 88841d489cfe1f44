// Products of warpgroups: right for every layout, and each planted fault reported under every seed.
#include <cmath>

#include "isa/float_formats.h"
#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kSeeds = 10;
constexpr int kRows = 64;

// How a product is asked for.
struct Shape {
  bool f16 = true;
  bool a_in_registers = false;
  bool transpose_b = false;
  int columns = 64;
  int depth = 64;
  bool accumulate = false;
};

// Small integers: sums of their products are exact in every order.
int a_of(int row, int k) {
  return (row * 7 + k * 3) % 9 - 4;
}
int b_of(int k, int column) {
  return (k * 5 + column * 11 + column / 64) % 7 - 3;
}

// A and B in panels of 64 columns, swizzled, as tensor copies leave them; A behind it as rows, for fragments.
struct Product {
  Shape layout;
  std::vector<uint16_t> image;
  std::vector<uint16_t> rows_of_a;
  std::vector<float> output;
  int a_bytes;
  TestLaunch launch;

  explicit Product(const Shape& how)
      : layout(how), output(kRows * how.columns, -1.0f), a_bytes(kRows * how.depth * 2) {
    const auto bits = [&](int value) {
      const auto real = static_cast<float>(value);
      return how.f16 ? f16_from_float(real) : bf16_from_float(real);
    };
    image.resize(static_cast<size_t>(a_bytes / 2 + how.depth * ((how.columns + 63) / 64 * 64)));
    const auto put = [&](int base, int rows, int row, int column, uint16_t value) {
      const int byte = base + column / 64 * rows * 128 + row * 128 + column % 64 * 2;
      image[static_cast<size_t>((byte ^ (byte / 128 % 8 * 16)) / 2)] = value;
    };
    for (int k = 0; k < how.depth; ++k) {
      for (int row = 0; row < kRows; ++row)
        put(0, kRows, row, k, bits(a_of(row, k)));
      for (int column = 0; column < how.columns; ++column) {
        const uint16_t value = bits(b_of(k, column));
        how.transpose_b ? put(a_bytes, how.depth, k, column, value)
                        : put(a_bytes, how.columns, column, k, value);
      }
    }
    for (int row = 0; row < kRows; ++row) {
      for (int k = 0; k < how.depth; ++k)
        rows_of_a.push_back(bits(a_of(row, k)));
    }
    launch.threads = 128;
    launch.shared_bytes = static_cast<int>(2 * image.size());
    launch.params = {.input = image.data(),
                     .second = rows_of_a.data(),
                     .output = output.data(),
                     .n = static_cast<int>(image.size() / 8)};
    launch.input_bytes = 2 * image.size();
    launch.second_bytes = 2 * rows_of_a.size();
    launch.output_bytes = 4 * output.size();
  }

  double worst_error() const {
    double worst = 0;
    for (int row = 0; row < kRows; ++row) {
      for (int column = 0; column < layout.columns; ++column) {
        int sum = layout.accumulate ? 100 * row + column : 0;
        for (int k = 0; k < layout.depth; ++k)
          sum += a_of(row, k) * b_of(k, column);
        const double error = std::fabs(output[static_cast<size_t>(row * layout.columns + column)] - sum);
        if (!(error <= worst)) worst = error;  // NaN counts
      }
    }
    return worst;
  }
};

// The kernel in parts, for faults to be put between them.
struct Text {
  std::string fill =
      "for (int i = t; i < params.n; i += 128) tile.store16(8 * i, input.load16(8 * i));\n"
      "block_barrier();\n";
  std::string b_stride = "1024";
  std::string b_leading = "DEPTH * 128";
  std::string b_place = "A_BYTES";
  std::string arrive = "warpgroup_arrive();\n";
  std::string multiply;
  std::string commit = "warpgroup_commit();\n";
  std::string wait = "warpgroup_wait<0>();\n";
  std::string store =
      "for (int n = 0; n < TILES; ++n)\n"
      "  for (int e = 0; e < 4; ++e)\n"
      "    output.store((row + e / 2 * 8) * COLUMNS + 8 * n + column + e % 2, sum[n][e]);\n";

  explicit Text(const Shape& layout) {
    const std::string b_step =
        layout.transpose_b ? "step * 2048" : "step / 4 * COLUMNS * 128 + step % 4 * 32";
    const std::string rest = "advance(b, " + b_step + "), ACCUMULATE || step > 0);\n";
    const std::string verb =
        fmt::format("multiply_warpgroup<{}, {}>(sum, ", layout.f16 ? "f16" : "bf16", layout.transpose_b);
    const std::string from_registers =
        "const int k = (16 * step + column) / 2;\n"
        "const u32 a[4] = {second.load(row * DEPTH / 2 + k), second.load((row + 8) * DEPTH / 2 + k),\n"
        "                  second.load(row * DEPTH / 2 + k + 4), second.load((row + 8) * DEPTH / 2 + k + "
        "4)};\n";
    multiply = "for (int step = 0; step < DEPTH / 16; ++step) {\n" +
               (layout.a_in_registers ? from_registers + verb + "a, " + rest
                                      : verb + "advance(a, step / 4 * 8192 + step % 4 * 32), " + rest) +
               "}\n";
  }

  KernelSource source(const Shape& layout, int threads = 128) const {
    const std::string head = fmt::format(
        "constexpr int COLUMNS = {}, TILES = COLUMNS / 8, DEPTH = {}, A_BYTES = 128 * DEPTH;\n"
        "constexpr bool ACCUMULATE = {};\n"
        "const int t = thread_index();\n"
        "const Shared<u16> tile = dynamic_shared<u16>(0);\n"
        "const Global<const u16> input(static_cast<const u16*>(params.input));\n"
        "const Global<const u32> second(static_cast<const u32*>(params.second));\n"
        "const Global<float> output(static_cast<float*>(params.output));\n"
        "const int row = warp_index() * 16 + lane_index() / 4;\n"
        "const int column = 2 * (lane_index() % 4);\n"
        "float sum[TILES][4];\n"
        "for (int n = 0; n < TILES; ++n)\n"
        "  for (int e = 0; e < 4; ++e) sum[n][e] = 100 * (row + e / 2 * 8) + 8 * n + column + e % 2;\n"
        "(void)second, (void)output, (void)tile, (void)input;\n",
        layout.columns, layout.depth, layout.accumulate);
    const std::string descriptors =
        "const u64 a = matrix_descriptor(0, 0);\n"
        "const u64 b = matrix_descriptor(" +
        b_place + ", " + b_leading + ", " + b_stride + ");\n(void)a;\n";
    return test_kernel(threads, head + fill + descriptors + arrive + multiply + commit + wait + store);
  }
};

void check_right(const Shape& layout, const Text& text) {
  const CompiledImage image = compile(text.source(layout));
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Product product(layout);
    INFO("seed " << seed << ", columns " << layout.columns << ", depth " << layout.depth << ", transposed "
                 << layout.transpose_b << ", registers " << layout.a_in_registers);
    CHECK(report_of(image, product.launch.pack(), seed) == "");
    CHECK(product.worst_error() == 0);
  }
}
void check_right(const Shape& layout) {
  check_right(layout, Text(layout));
}

void check_reported(const Shape& layout, const Text& text, const std::vector<std::string>& parts) {
  const CompiledImage image = compile(text.source(layout));
  Product product(layout);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::string report = report_of(image, product.launch.pack(), seed);
    CHECK_THAT(report, ContainsSubstring("block 0, thread ") && ContainsSubstring("test.cuh:"));
    for (const std::string& part : parts)
      CHECK_THAT(report, ContainsSubstring(part));
  }
}

}  // namespace

TEST_CASE("warpgroup products are right for every layout", "[simt]") {
  for (const int columns : {32, 64, 128, 256}) {
    for (const bool transpose : {false, true}) {
      for (const bool registers : {false, true}) {
        check_right({.f16 = registers == transpose,
                     .a_in_registers = registers,
                     .transpose_b = transpose,
                     .columns = columns,
                     .depth = columns == 64 || columns == 128 ? 128 : 64,
                     .accumulate = columns == 64});
      }
    }
  }
  check_right({.columns = 96});
  check_right({.columns = 192, .accumulate = true});
}

TEST_CASE("warpgroup products are right for columns that end within a panel", "[simt]") {
  for (const int columns : {8, 24, 72, 136, 200, 248}) {
    check_right({.a_in_registers = true, .transpose_b = true, .columns = columns, .accumulate = true});
    check_right({.f16 = false, .columns = columns});
  }
}

TEST_CASE("a sum is NaN until its group was waited for", "[simt]") {
  const Shape layout;
  Text text(layout);
  text.wait =
      "bool seen = false;\n"
      "for (int n = 0; n < TILES; ++n)\n"
      "  for (int e = 0; e < 4; ++e) seen = seen || sum[n][e] == sum[n][e];\n"
      "warpgroup_wait<1>();\n"
      "seen = seen || sum[1][1] == sum[1][1];\n"
      "warpgroup_wait<0>();\n"
      "if (seen) sum[0][0] = -12345;\n";
  check_right(layout, text);
}

TEST_CASE("products of several groups on one sum are added in order", "[simt]") {
  const Shape layout;
  Text text(layout);
  const std::string again = text.multiply;
  text.wait = "float other[TILES][4];\n" + text.arrive;
  std::string on_other = again;
  on_other.replace(on_other.find("(sum,"), 5, "(other,");
  // The second group starts `sum` again; the third is another sum, still unfinished when `sum` is read.
  text.wait += again + text.commit + on_other + text.commit + "warpgroup_wait<1>();\n";
  text.store += "warpgroup_wait<0>();\nif (!(other[0][0] == sum[0][0])) output.store(0, -1.0f);\n";
  check_right(layout, text);
}

TEST_CASE("misuse of warpgroup products is reported", "[simt]") {
  const Shape layout;
  Text text(layout);
  SECTION("no wait") {
    text.wait = "";
    check_reported(layout, text, {"the thread ended without a warpgroup_wait that covers this product"});
  }
  SECTION("a wait that leaves the group pending") {
    text.wait = "warpgroup_wait<1>();\n";
    check_reported(layout, text, {"ended without a warpgroup_wait"});
  }
  SECTION("no commit") {
    text.commit = "";
    check_reported(layout, text, {"ended without a warpgroup_wait"});
  }
  SECTION("no arrive") {
    text.arrive = "";
    check_reported(layout, text, {"a product without warpgroup_arrive"});
  }
  SECTION("a sum written to in flight") {
    text.wait = "if (t == 77) sum[3][1] = 0;\n" + text.wait;
    check_reported(layout, text, {"thread 77", "a sum was written to while a product on it was in flight"});
  }
  SECTION("an operand written to before the wait") {
    text.wait = "if (t == 40) tile.store(A_BYTES / 2 + 24, 0);\n" + text.wait;
    check_reported(layout, text,
                   {"store of 2 bytes at shared byte 8240, which an unfinished product reads",
                    "read by multiply_warpgroup (test.cuh:"});
  }
  SECTION("another warp's operand written to after the wait") {
    text.wait += "if (t == 40) tile.store(A_BYTES / 2 + 24, 0);\n";
    check_reported(layout, text, {"shared byte 8240", "read by multiply_warpgroup"});
  }
  SECTION("an operand that others have just stored") {
    text.fill = "for (int i = t; i < params.n; i += 128) tile.store16(8 * i, input.load16(8 * i));\n";
    check_reported(layout, text, {"data race on shared byte", "by multiply_warpgroup"});
  }
  SECTION("by some threads only") {
    text.multiply = "if (t != 3) " + text.multiply;
    check_reported(layout, text, {"multiply_warpgroup was reached by 127 of 128 threads of the warpgroup"});
  }
  SECTION("with different matrices") {
    text.multiply =
        "for (int i = 0; i < 1; ++i) multiply_warpgroup<f16, false>(sum, a, advance(b, t == 9 ? 32 : 0), "
        "false);\n";
    check_reported(layout, text,
                   {"divergence within a warpgroup", "with other sizes, descriptors or groups"});
  }
}

TEST_CASE("operands may be written to again once everybody has waited", "[simt]") {
  const Shape layout;
  Text text(layout);
  SECTION("after a barrier") {
    text.wait += "warpgroup_barrier();\nif (t == 40) tile.store(A_BYTES / 2 + 24, 0);\n";
  }
  SECTION("its own rows of A at once") {
    text.wait += "warp_barrier();\ntile.store16(warp_index() * 1024 + lane_index() * 8, Bytes16{});\n";
  }
  check_right(layout, text);
}

TEST_CASE("wrong matrix descriptors are noticed", "[simt]") {
  const Shape layout{.transpose_b = true, .columns = 128};
  Text text(layout);
  SECTION("stride out of bounds") {
    text.b_stride = "32768";
    check_reported(layout, text, {"load of 16 bytes at shared byte", "out of bounds"});
  }
  SECTION("leading out of bounds") {
    text.b_leading = "65536";
    check_reported(layout, text, {"load of 16 bytes at shared byte", "out of bounds"});
  }
  SECTION("start off the swizzle's boundary") {
    text.b_place = "A_BYTES + 128";
    check_reported(layout, text, {"its row at byte 8320 must be on a multiple of 1024"});
  }
  SECTION("columns beyond the panel") {
    text.b_place = "A_BYTES + 32";
    check_reported(layout, text, {"a matrix descriptor for 128 columns from byte 32 of a row of 128 bytes"});
  }
  SECTION("no swizzle") {
    text.multiply = "multiply_warpgroup<f16, true>(sum, a, b & ~(u64{3} << 62), false);\n";
    check_reported(layout, text, {"a matrix descriptor with swizzle 0 and base offset 0: must be 1"});
  }
  SECTION("a wrong stride or leading within bounds gives wrong sums") {
    for (const bool stride : {true, false}) {
      Text wrong(layout);
      (stride ? wrong.b_stride : wrong.b_leading) = "0";
      Product product(layout);
      CHECK(report_of(compile(wrong.source(layout)), product.launch.pack(), 1) == "");
      CHECK(product.worst_error() > 0);
    }
  }
}

TEST_CASE("warpgroups need whole blocks of them", "[simt]") {
  const Shape layout;
  Product product(layout);
  product.launch.threads = 160;
  Text text(layout);
  text.fill = "block_barrier();\n";
  text.multiply = "multiply_warpgroup<f16, false>(sum, a, b, false);\n";
  CHECK_THAT(
      report_of(compile(text.source(layout, 160)), product.launch.pack(), 1),
      ContainsSubstring("multiply_warpgroup in a block of 160 threads: must be whole warpgroups of 128"));
}

TEST_CASE("registers move between warpgroups", "[simt]") {
  TestLaunch launch;
  launch.threads = 384;
  const auto report = [&](const std::string& first, const std::string& others, uint64_t seed) {
    return report_of(
        compile(test_kernel(384, "if (warpgroup_index() == 0) { " + first + " } else { " + others + " }")),
        launch.pack(), seed);
  };
  for (uint64_t seed = 1; seed <= 3; ++seed)
    CHECK(report("release_registers<24>();", "claim_registers<240>();", seed) == "");
  CHECK_THAT(report("release_registers<40>();", "claim_registers<240>();", 1),
             ContainsSubstring("claims 240 registers for each thread, but the block has 64512"));
  CHECK_THAT(report("release_registers<36>();", "", 1),
             ContainsSubstring("must be a multiple of 8 from 24 to 240"));
  CHECK_THAT(report("release_registers<24>();", "claim_registers<160>();", 1),
             ContainsSubstring("a claim of 160 registers for each thread, which has 168"));
}

TEST_CASE("blocks that share a multiprocessor have a part of its registers each", "[simt]") {
  TestLaunch launch;
  const auto report = [&](unsigned threads, int claim) {
    launch.threads = threads;
    KernelSource source = test_kernel(
        threads,
        fmt::format("if (warpgroup_index() == 0) release_registers<24>(); else claim_registers<{}>();",
                    claim));
    std::string& text = source.files.front().text;
    const std::string alone = fmt::format("ATTUNE_KERNEL(test, TestParams, {})", threads);
    text.replace(text.find(alone), alone.size(),
                 fmt::format("ATTUNE_KERNEL_BLOCKS(test, TestParams, {}, 2)", threads));
    return report_of(compile(source), launch.pack(), 1);
  };
  CHECK(report(256, 232) == "");
  CHECK_THAT(report(256, 240),
             ContainsSubstring("claims 240 registers for each thread, but the block has 32768"));
  // Threads are launched with eights of registers: 80 here, though 85 would be there.
  CHECK(report(384, 104) == "");
  CHECK_THAT(report(384, 112),
             ContainsSubstring("claims 112 registers for each thread, but the block has 30720"));
}
