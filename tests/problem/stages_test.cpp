// Stages: what an operation is done in, and what each is worth.
#include "problem/stages.h"

#include "base/error.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("backward has three stages that differ in their operation only; others are their own stage") {
  Problem problem{.operation = Operation::backward, .mask = Mask::causal, .heads_q = 8, .heads_kv = 2};
  const std::vector<Problem> stages = stages_of(problem);
  REQUIRE(stages.size() == 3);
  double share = 0;
  for (const Problem& stage : stages) {
    CHECK(is_stage_of_backward(stage.operation));
    share += tuning_share(stage.operation);
    Problem same = stage;
    same.operation = Operation::backward;
    CHECK(same == problem);
  }
  CHECK(std::abs(share - 1) < 1e-12);
  CHECK(static_key(stages[1]) == "backward_dkv bf16 d64 dv64 group4 causal");
  for (const Operation operation : {Operation::forward, Operation::row_softmax, Operation::backward_dq}) {
    problem.operation = operation;
    CHECK(stages_of(problem) == std::vector{problem});
    CHECK(tuning_share(Operation::forward) == 1);
  }
}

TEST_CASE("backward counts 2.5 times the operations of forward, its stages what they do") {
  Problem problem{.batch = 2,
                  .heads_q = 4,
                  .heads_kv = 4,
                  .seqlen_q = 512,
                  .seqlen_kv = 512,
                  .head_dim = 128,
                  .head_dim_v = 128};
  const double forward = flops(problem);
  const auto of = [&](Operation operation) {
    problem.operation = operation;
    return flops(problem);
  };
  CHECK(of(Operation::backward) == 2.5 * forward);
  CHECK(of(Operation::backward_dkv) == 2 * forward);
  CHECK(of(Operation::backward_dq) == 1.5 * forward);
  CHECK(of(Operation::backward_delta) == 2.0 * 2 * 4 * 512 * 128);
  problem.mask = Mask::causal;
  CHECK(of(Operation::backward) == 2.5 * forward / 2);
}

TEST_CASE("a stage's least traffic is each tensor once") {
  Problem problem{.dtype = DType::f16,
                  .batch = 2,
                  .heads_q = 4,
                  .heads_kv = 1,
                  .seqlen_q = 10,
                  .seqlen_kv = 20,
                  .head_dim = 64,
                  .head_dim_v = 32};
  const auto of = [&](Operation operation) {
    problem.operation = operation;
    return minimum_bytes(problem);
  };
  const double q = 80 * 64 * 2, o = 80 * 32 * 2, k = 40 * 64 * 2, v = 40 * 32 * 2, row = 80 * 4;
  CHECK(of(Operation::backward_delta) == 2 * o + 3 * row);                // o dout, lse and two terms
  CHECK(of(Operation::backward_dkv) == q + o + 2 * k + 2 * v + 2 * row);  // q dout k v dk dv
  CHECK(of(Operation::backward_dq) == 2 * q + o + k + v + 2 * row);       // q dq dout k v
  CHECK(of(Operation::backward) == 2 * q + 2 * o + 2 * k + 2 * v + row);  // the tensors of the caller
}

TEST_CASE("backward and its stages are validated as forward is") {
  for (const Operation operation :
       {Operation::backward, Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq}) {
    CHECK_NOTHROW(validate({.operation = operation}));
    CHECK_THROWS_AS(validate({.operation = operation, .heads_q = 3, .heads_kv = 2}), Error);
    CHECK_THROWS_AS(validate({.operation = operation, .head_dim = 257}), Error);
  }
}
