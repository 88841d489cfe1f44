// attention/positive_maximum.cuh: rows compared as integers follow the same maxima as rows compared as
// floats.
#include <cmath>
#include <limits>
#include <random>

#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;

namespace {

constexpr size_t kLanes = 32;
constexpr size_t kScores = 8;   // of a lane: two tiles, two rows
constexpr size_t kResults = 7;  // of a lane and a way: moved, and of two rows maximum, correction, sum

constexpr const char* kBody = R"(
  const float* scores = static_cast<const float*>(params.input) + 8 * lane_index();
  const float* maxima = static_cast<const float*>(params.second);
  float* results = static_cast<float*>(params.output) + 14 * lane_index();
  for (int way = 0; way < 2; ++way) {
    float score[1][2][4];
    for (int i = 0; i < 8; ++i)
      score[0][i / 4][i % 4] = scores[i];
    RowStatistics<float, 1> rows;
    float correction[2] = {1, 1};
    for (int i = 0; i < 2; ++i) {
      rows.maximum[i] = maxima[2 * (lane_index() / 4) + i];  // a row is a quad's
      rows.sum[i] = 3;
    }
    const bool moved = way == 0 ? raise_maximum(score, rows, correction, 0.25f)
                                : raise_positive_maximum(score, rows, correction, 0.25f);
    *results++ = moved;
    for (int i = 0; i < 2; ++i) {
      *results++ = rows.maximum[i];
      *results++ = correction[i];
      *results++ = rows.sum[i];
    }
  }
)";

KernelSource source() {
  KernelSource kernel = with_change(test_kernel(32, kBody), "test.cuh", "#include \"isa/isa.cuh\"",
                                    "#include \"attention/positive_maximum.cuh\"\n#include \"isa/isa.cuh\"");
  for (const char* path : {"attention/positive_maximum.cuh", "attention/softmax.cuh"})
    kernel.files.push_back({path, template_store().text(path)});
  return kernel;
}

struct Inputs {
  std::vector<float> scores = filled(kLanes * kScores, 0.0f);
  std::vector<float> maxima = filled(2 * kLanes / 4, 0.0f);
};

// The two ways' results agree in all lanes; returns whether the maxima moved.
bool check_same(const CompiledImage& image, const Inputs& inputs) {
  std::vector<float> results = filled(kLanes * 2 * kResults, -1.0f);
  TestLaunch launch;
  launch.params = {
      .input = inputs.scores.data(), .second = inputs.maxima.data(), .output = results.data(), .n = 0};
  launch.input_bytes = 4 * inputs.scores.size();
  launch.second_bytes = 4 * inputs.maxima.size();
  launch.output_bytes = 4 * results.size();
  REQUIRE(report_of(image, launch.pack(), 1) == "");
  for (size_t lane = 0; lane < kLanes; ++lane) {
    for (size_t i = 0; i < kResults; ++i) {
      INFO("lane " << lane << ", result " << i);
      REQUIRE(results[(2 * lane) * kResults + i] == results[(2 * lane + 1) * kResults + i]);
    }
  }
  return results[0] != 0;
}

}  // namespace

TEST_CASE("row maxima compared as integers are those compared as floats", "[simt]") {
  const CompiledImage image = compile(source());
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  int moves = 0, stays = 0;
  for (const float centre : {0.0f, -50.0f, 50.0f}) {
    for (const float before : {kNone, -100.0f, -49.0f, -0.0f, 0.0f, 3.0f, 90.0f}) {
      Inputs inputs;
      for (float& score : inputs.scores)
        score = centre + 10 * normal(random);
      for (float& maximum : inputs.maxima)
        maximum = before;
      INFO("scores around " << centre << ", maxima " << before);
      ++(check_same(image, inputs) ? moves : stays);
      // Some rows see fewer keys, or none, and some have other maxima.
      for (size_t i = 0; i < inputs.scores.size(); ++i) {
        if (i % 3 == 0 || i / kScores < 8) inputs.scores[i] = kNone;
      }
      for (size_t i = 0; i < inputs.maxima.size(); i += 3)
        inputs.maxima[i] = 5 * normal(random);
      ++(check_same(image, inputs) ? moves : stays);
    }
  }
  CHECK(moves > 10);
  CHECK(stays > 5);
}

TEST_CASE("a row of negative scores moves its maximum", "[simt]") {
  const CompiledImage image = compile(source());
  Inputs inputs;
  for (size_t i = 0; i < inputs.scores.size(); ++i)
    inputs.scores[i] = -1.0f - static_cast<float>(i);
  for (float& maximum : inputs.maxima)
    maximum = -1000;
  CHECK(check_same(image, inputs));
  for (float& maximum : inputs.maxima)
    maximum = -std::numeric_limits<float>::infinity();
  CHECK(check_same(image, inputs));
  for (float& maximum : inputs.maxima)
    maximum = 0;
  CHECK_FALSE(check_same(image, inputs));
}
