#include "problem/bucket.h"

#include <set>

#include "support/catch.h"

using namespace attune;

TEST_CASE("length classes are half octaves above 64") {
  struct Edge {
    int64_t length, expected;
  };
  // Each class at its last length and at the first of the next.
  const Edge edges[] = {{0, 1},      {1, 1},       {2, 16},     {16, 16},   {17, 64},   {64, 64},
                        {65, 128},   {128, 128},   {129, 192},  {192, 192}, {193, 256}, {256, 256},
                        {257, 384},  {384, 384},   {385, 512},  {512, 512}, {513, 768}, {768, 768},
                        {769, 1024}, {1024, 1024}, {1025, 1536}};
  for (const Edge& edge : edges) {
    INFO(edge.length);
    CHECK(length_class(edge.length) == edge.expected);
  }
  constexpr int64_t kLongest = int64_t{1} << 30;
  CHECK(length_class(kLongest) == kLongest);
  CHECK(length_class(kLongest - 1) == kLongest);
  CHECK(length_class(kLongest / 4 * 3) == kLongest / 4 * 3);
  CHECK(length_class(kLongest / 4 * 3 + 1) == kLongest);
}

TEST_CASE("a length class is the smallest class that holds the length") {
  std::set<int64_t> classes;
  int64_t previous = 0;
  for (int64_t length = 1; length <= 5000; ++length) {
    const int64_t of_length = length_class(length);
    REQUIRE(of_length >= length);
    REQUIRE(of_length >= previous);                 // monotonic
    REQUIRE(length_class(of_length) == of_length);  // a class is in itself
    previous = of_length;
    classes.insert(of_length);
  }
  CHECK(classes ==
        std::set<int64_t>{1, 16, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144});
}

TEST_CASE("waves are counted in tiles of 128 rows over the multiprocessors") {
  const auto waves = [](int64_t batch, int64_t heads, int64_t seqlen_q, int multiprocessors) {
    return wave_class({.batch = batch, .heads_q = heads, .heads_kv = heads, .seqlen_q = seqlen_q},
                      multiprocessors);
  };
  // One tile a head, 100 multiprocessors: both sides of every edge.
  CHECK(waves(1, 1, 128, 100) == "<0.5");
  CHECK(waves(1, 49, 128, 100) == "<0.5");
  CHECK(waves(1, 50, 128, 100) == "<1");
  CHECK(waves(1, 99, 128, 100) == "<1");
  CHECK(waves(1, 100, 128, 100) == "<2");
  CHECK(waves(1, 199, 128, 100) == "<2");
  CHECK(waves(1, 200, 128, 100) == "<4");
  CHECK(waves(1, 399, 128, 100) == "<4");
  CHECK(waves(1, 400, 128, 100) == ">=4");
  // Batch and tiles count as heads do; a part of a tile is a tile.
  CHECK(waves(10, 10, 128, 100) == "<2");
  CHECK(waves(1, 50, 129, 100) == "<2");
  CHECK(waves(1, 50, 256, 100) == "<2");
  CHECK(waves(1, 50, 257, 100) == "<2");
  CHECK(waves(1, 50, 385, 100) == "<4");
  CHECK(waves(1, 50, 0, 100) == "<0.5");
  // The largest problem there may be.
  CHECK(waves(1 << 30, 1 << 20, 64, 132) == ">=4");
}

TEST_CASE("the bucket key joins static key, length classes and waves") {
  Problem problem{.dtype = DType::bf16,
                  .mask = Mask::causal,
                  .batch = 2,
                  .heads_q = 32,
                  .heads_kv = 8,
                  .seqlen_q = 4096,
                  .seqlen_kv = 5000,
                  .head_dim = 128,
                  .head_dim_v = 128};
  CHECK(bucket_key(problem, 132) == "forward bf16 d128 dv128 group4 causal | Nq<=4096 Nk<=6144 waves>=4");
  Problem neighbour = problem;
  neighbour.seqlen_q = 3073, neighbour.seqlen_kv = 6144, neighbour.layout = Layout::bshd;
  CHECK(bucket_key(neighbour, 132) == bucket_key(problem, 132));
  neighbour.seqlen_q = 3072;
  CHECK(bucket_key(neighbour, 132) != bucket_key(problem, 132));
  CHECK(bucket_key(problem, 1000) == "forward bf16 d128 dv128 group4 causal | Nq<=4096 Nk<=6144 waves<4");
}
