// Each verb of isa/simt.h against a plain computation of what it promises.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>

#include "isa/float_formats.h"
#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;

namespace {

constexpr int kSeeds = 3;

void run(const KernelSource& source, const Launch& launch) {
  const CompiledImage image = compile(source);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    REQUIRE(report_of(image, launch, seed) == "");
  }
}

// Runs `body` on one warp with lane values `in` of global memory and gives what each lane stored.
std::vector<float> run_on_warp(const std::vector<float>& in, const std::string& body, int per_lane = 1) {
  std::vector<float> out(32 * per_lane, NAN);
  TestLaunch launch;
  launch.params = {.input = in.data(), .second = nullptr, .output = out.data(), .n = 0};
  launch.input_bytes = in.size() * sizeof(float);
  launch.output_bytes = out.size() * sizeof(float);
  const std::string head =
      "const Global<const float> in(static_cast<const float*>(params.input));\n"
      "const Global<float> out(static_cast<float*>(params.output));\n"
      "const int lane = lane_index();\n";
  run(test_kernel(32, head + body), launch.pack());
  return out;
}

std::vector<float> random_values(size_t count) {
  std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(generator);
  return values;
}

float to_float(DType dtype, uint16_t bits) {
  return dtype == DType::f16 ? f16_to_float(bits) : bf16_to_float(bits);
}
uint16_t from_float(DType dtype, float value) {
  return dtype == DType::f16 ? f16_from_float(value) : bf16_from_float(value);
}

std::vector<uint16_t> random_elements(DType dtype, size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<uint16_t> elements(count);
  for (uint16_t& element : elements)
    element = from_float(dtype, normal(generator));
  return elements;
}

}  // namespace

TEST_CASE("threads, lanes, warps and blocks know who they are", "[simt]") {
  std::vector<int> out(3 * 96 * 4, -1);
  TestLaunch launch;
  launch.threads = 96;
  launch.grid = 3;
  launch.params.output = out.data();
  launch.output_bytes = out.size() * sizeof(int);
  run(test_kernel(96,
                  "const Global<int> out = Global<int>(static_cast<int*>(params.output)) +\n"
                  "    (block_index() * 96 + thread_index()) * 4;\n"
                  "out.store(0, thread_index());\nout.store(1, lane_index());\n"
                  "block_barrier();\n"
                  "out.store(2, warp_index());\nout.store(3, static_cast<int>(block_index()));"),
      launch.pack());
  for (int block = 0; block < 3; ++block) {
    for (int thread = 0; thread < 96; ++thread) {
      const int* got = &out[(block * 96 + thread) * 4];
      CHECK(std::vector<int>(got, got + 4) == std::vector<int>{thread, thread % 32, thread / 32, block});
    }
  }
}

TEST_CASE("quad_maximum and quad_sum", "[simt]") {
  const std::vector<float> in = random_values(64);
  const std::vector<float> out = run_on_warp(in,
                                             "float v[2] = {in.load(2 * lane), in.load(2 * lane + 1)};\n"
                                             "float w[2] = {v[0], v[1]};\n"
                                             "quad_maximum(v);\nquad_sum(w);\n"
                                             "out.store(4 * lane, v[0]);\nout.store(4 * lane + 1, v[1]);\n"
                                             "out.store(4 * lane + 2, w[0]);\nout.store(4 * lane + 3, w[1]);",
                                             4);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 2; ++i) {
      const float* quad = &in[lane / 4 * 8 + i];
      CHECK(out[4 * lane + i] == std::max(std::max(quad[0], quad[2]), std::max(quad[4], quad[6])));
      CHECK(out[4 * lane + 2 + i] == (quad[0] + quad[2]) + (quad[4] + quad[6]));
    }
  }
}

TEST_CASE("quad_maximum ignores NaN and keeps infinities", "[simt]") {
  std::vector<float> in(32, -std::numeric_limits<float>::infinity());
  in[5] = NAN;
  in[6] = 2;
  const std::vector<float> out =
      run_on_warp(in, "float v[1] = {in.load(lane)};\nquad_maximum(v);\nout.store(lane, v[0]);");
  CHECK(out[4] == 2);
  CHECK(out[0] == -std::numeric_limits<float>::infinity());
}

TEST_CASE("quad_broadcast takes the value of any position, also into its own source", "[simt]") {
  const std::vector<float> in = random_values(32);
  for (int source = 0; source < 4; ++source) {
    const std::string body = "float v[1] = {in.load(lane)};\nquad_broadcast(v, v, " + std::to_string(source) +
                             ");\nout.store(lane, v[0]);";
    const std::vector<float> out = run_on_warp(in, body);
    for (int lane = 0; lane < 32; ++lane)
      CHECK(out[lane] == in[lane / 4 * 4 + source]);
  }
}

TEST_CASE("warp_maximum and warp_sum round as the shuffles of a GPU do", "[simt]") {
  const std::vector<float> in = random_values(32);
  const std::vector<float> out = run_on_warp(
      in,
      "out.store(2 * lane, warp_maximum(in.load(lane)));\nout.store(2 * lane + 1, warp_sum(in.load(lane)));",
      2);
  std::vector<float> sums = in;
  for (int step = 16; step > 0; step /= 2) {
    for (int i = 0; i < step; ++i)
      sums[i] += sums[i + step];
  }
  for (int lane = 0; lane < 32; ++lane) {
    CHECK(out[2 * lane] == *std::max_element(in.begin(), in.end()));
    CHECK(out[2 * lane + 1] == sums[0]);
  }
}

TEST_CASE("uniform gives what all lanes have, and to lanes that differ what none has", "[simt]") {
  for (const char* value : {"-70001", "lane == 5 ? 8 : 7", "lane == 31 ? 7 + (1 << 20) : 7"}) {
    INFO(value);
    const std::string body = fmt::format(
        "const int value = {};\n"
        "out.store(lane, uniform(value) == value ? 1.0f : 0.0f);\n",
        value);
    const bool equal = std::string_view(value).find("lane") == std::string_view::npos;
    CHECK(run_on_warp({0}, body) == std::vector<float>(32, equal ? 1.0f : 0.0f));
  }
}

TEST_CASE("arithmetic", "[simt]") {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> in = {1.5f, -130.0f, -infinity, 130.0f, NAN, 0.0f};
  const std::vector<float> out =
      run_on_warp(in,
                  "if (lane < 6) out.store(lane, exp2_approximate(in.load(lane)));\n"
                  "if (lane == 6) out.store(6, multiply_add(3.0f, 4.0f, 0.5f));\n"
                  "if (lane == 7) out.store(7, natural_log(2.0f));\n"
                  "if (lane == 8) out.store(8, maximum(in.load(4), 1.0f));\n"
                  "if (lane == 9) out.store(9, -infinity());");
  CHECK(out[0] == Approx(std::exp2(1.5)));
  CHECK(out[1] == 0);  // a denormal result
  CHECK(out[2] == 0);
  CHECK(out[3] == infinity);
  CHECK(std::isnan(out[4]));
  CHECK(out[5] == 1);
  CHECK(out[6] == 12.5f);
  CHECK(out[7] == Approx(std::log(2.0)));
  CHECK(out[8] == 1);
  CHECK(out[9] == -infinity);
}

TEST_CASE("pack_pair puts the first argument into the lower half", "[simt]") {
  const std::vector<float> in = {1.0f, -2.0f, 65504.0f, 3.14159f};
  const std::vector<float> out = run_on_warp(
      in,
      "const Global<u32> bits(static_cast<u32*>(params.output));\n"
      "if (lane < 2) bits.store(lane, pack_pair<f16>(in.load(2 * lane), in.load(2 * lane + 1)));\n"
      "if (lane >= 2 && lane < 4) bits.store(lane, pack_pair<bf16>(in.load(2 * lane - 4), in.load(2 * lane - "
      "3)));");
  for (int i = 0; i < 2; ++i) {
    const auto f16 = std::bit_cast<uint32_t>(out[i]);
    const auto bf16 = std::bit_cast<uint32_t>(out[2 + i]);
    CHECK(f16 == (f16_from_float(in[2 * i]) | static_cast<uint32_t>(f16_from_float(in[2 * i + 1])) << 16));
    CHECK(bf16 == (bf16_from_float(in[2 * i]) | static_cast<uint32_t>(bf16_from_float(in[2 * i + 1])) << 16));
  }
}

TEST_CASE("load_matrices spreads matrices and their transposes over the lanes", "[simt]") {
  // Two loads of four matrices from rows of 64 elements: matrix m of load i lies at rows 8·(m % 2), columns
  // 8·(m / 2) + 16·i.
  const std::vector<uint16_t> in = random_elements(DType::bf16, 16 * 64, 3);
  for (const bool transpose : {false, true}) {
    std::vector<uint32_t> out(32 * 8);
    TestLaunch launch;
    launch.params = {.input = in.data(), .second = nullptr, .output = out.data(), .n = 0};
    launch.input_bytes = in.size() * 2;
    launch.output_bytes = out.size() * 4;
    launch.shared_bytes = 16 * 64 * 2;
    const std::string body =
        std::string(
            "const int lane = lane_index();\n"
            "const Shared<bf16> tile = dynamic_shared<bf16>(0);\n"
            "const Global<const bf16> in(static_cast<const bf16*>(params.input));\n"
            "for (int i = lane; i < 128; i += 32) tile.store16(8 * i, in.load16(8 * i));\n"
            "warp_barrier();\n"
            "u32 fragment[2][4];\n"
            "load_matrices<2, ") +
        (transpose ? "true" : "false") +
        ">(fragment, [&](int i) { return tile + (64 * (lane % 16) + lane / 16 * 8 + 16 * i); });\n"
        "const Global<u32> out(static_cast<u32*>(params.output));\n"
        "for (int i = 0; i < 8; ++i) out.store(8 * lane + i, fragment[i / 4][i % 4]);";
    run(test_kernel(32, body), launch.pack());
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 8; ++i) {
        const int matrix = i % 4;
        const auto element = [&](int row, int column) {
          if (transpose) std::swap(row, column);
          return static_cast<uint32_t>(
              in[64 * (row + 8 * (matrix % 2)) + column + 8 * (matrix / 2) + 16 * (i / 4)]);
        };
        const int row = lane / 4;
        const int column = lane % 4 * 2;
        CHECK(out[8 * lane + i] == (element(row, column) | element(row, column + 1) << 16));
      }
    }
  }
}

namespace {

// A warp's product: A [16·M, 16] from shared memory through load_matrices, B [16, 8·N] likewise and
// transposed, or B^T [8·N, 16] and not transposed; C [16·M, 8·N] starts at one and is stored by the
// documented fragment map.
std::string product_body(const char* type, int m, int n, bool transpose) {
  const std::string t = type;
  return "constexpr int M = " + std::to_string(m) + ", N = " + std::to_string(n) + ";\n" +
         "constexpr bool kTranspose = " + (transpose ? "true" : "false") + ";\nusing T = " + t + ";\n" + R"(
const int lane = lane_index();
const Shared<T> a_tile = dynamic_shared<T>(0);
const Shared<T> b_tile = a_tile + 16 * M * 16;
const Global<const T> a_in(static_cast<const T*>(params.input));
const Global<const T> b_in(static_cast<const T*>(params.second));
for (int i = lane; i < 16 * M * 2; i += 32) copy_async16(a_tile + 8 * i, a_in + 8 * i);
for (int i = lane; i < 8 * N * 2; i += 32) copy_async16(b_tile + 8 * i, b_in + 8 * i);
copy_async_commit();
copy_async_wait<0>();
warp_barrier();
u32 a[M][4];
load_matrices<M, false>(a, [&](int m) { return a_tile + (256 * m + lane % 16 * 16 + lane / 16 * 8); });
u32 b[N / 2][4];
if (kTranspose) {
  load_matrices<N / 2, true>(b, [&](int j) { return b_tile + (16 * j + lane % 16 * 8 * N + lane / 16 * 8); });
} else {
  load_matrices<N / 2, false>(
      b, [&](int j) { return b_tile + (256 * j + (lane / 16 * 8 + lane % 8) * 16 + lane / 8 % 2 * 8); });
}
float c[M][N][4];
for (int i = 0; i < M * N * 4; ++i) (&c[0][0][0])[i] = 1;
multiply_tiles<T, M, N>(c, a, b);
const Global<float> out(static_cast<float*>(params.output));
for (int m = 0; m < M; ++m) {
  for (int n = 0; n < N; ++n) {
    for (int e = 0; e < 4; ++e) {
      out.store((16 * m + lane / 4 + e / 2 * 8) * 8 * N + 8 * n + lane % 4 * 2 + e % 2, c[m][n][e]);
    }
  }
}
)";
}

void check_product(DType dtype, int m, int n, bool transpose) {
  const std::vector<uint16_t> a = random_elements(dtype, 16 * m * 16, 1);
  const std::vector<uint16_t> b = random_elements(dtype, 16 * 8 * n, 2);
  std::vector<float> out(16 * m * 8 * n, NAN);
  TestLaunch launch;
  launch.params = {.input = a.data(), .second = b.data(), .output = out.data(), .n = 0};
  launch.input_bytes = a.size() * 2;
  launch.second_bytes = b.size() * 2;
  launch.output_bytes = out.size() * 4;
  launch.shared_bytes = static_cast<int>((a.size() + b.size()) * 2);
  run(test_kernel(32, product_body(dtype == DType::f16 ? "f16" : "bf16", m, n, transpose)), launch.pack());
  double worst = 0;
  for (int row = 0; row < 16 * m; ++row) {
    for (int column = 0; column < 8 * n; ++column) {
      double sum = 1;
      for (int k = 0; k < 16; ++k) {
        sum += static_cast<double>(to_float(dtype, a[16 * row + k])) *
               to_float(dtype, transpose ? b[8 * n * k + column] : b[16 * column + k]);
      }
      const double error = std::fabs(sum - out[8 * n * row + column]);
      if (!(error <= worst)) worst = error;
    }
  }
  CHECK(worst < 1e-5);
}

}  // namespace

TEST_CASE("multiply_tiles with fragments from load_matrices is a plain product", "[simt]") {
  for (const DType dtype : {DType::f16, DType::bf16}) {
    for (const bool transpose : {false, true}) {
      for (const int m : {1, 2}) {
        for (const int n : {2, 4, 8, 16}) {
          INFO(name_of(dtype) << " m " << m << " n " << n << (transpose ? " transposed" : ""));
          check_product(dtype, m, n, transpose);
        }
      }
    }
  }
}
