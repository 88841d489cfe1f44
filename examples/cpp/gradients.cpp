// Attention and its gradients from C++: causal, grouped heads, fewer queries than keys, on whatever device
// there is, which ATTUNE_DEVICE=cuda, simt or auto chooses. Returns 0 when two identities hold that right
// gradients cannot miss.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <vector>

#include "attune_raii.h"

namespace {

using attune_raii::Buffer;
using attune_raii::Context;
using attune_raii::Plan;

constexpr int kBatch = 2, kHeadsQ = 4, kHeadsKv = 2, kQueries = 40, kKeys = 64, kDim = 32;
constexpr int kGroup = kHeadsQ / kHeadsKv;

// [batch, sequence, head, dim]
constexpr std::size_t kQuerySize = std::size_t{kBatch} * kQueries * kHeadsQ * kDim;
constexpr std::size_t kKeySize = std::size_t{kBatch} * kKeys * kHeadsKv * kDim;
constexpr std::size_t kRows = std::size_t{kBatch} * kHeadsQ * kQueries;

std::vector<float> random_values(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values)
    value = normal(generator);
  return values;
}

std::vector<float> downloaded(const Buffer<float>& buffer, std::size_t size) {
  std::vector<float> values(size);
  buffer.copy_to(values);
  return values;
}

attune_attention_desc problem(attune_operation operation) {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.operation = operation;
  desc.dtype = ATTUNE_F32;
  desc.layout = ATTUNE_BSHD;
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.heads_q = kHeadsQ;
  desc.heads_kv = kHeadsKv;
  desc.head_dim = kDim;
  desc.max_batch = kBatch;
  desc.max_seqlen_q = kQueries;
  desc.max_seqlen_kv = kKeys;
  return desc;
}

double inner_product(const std::vector<float>& left, const std::vector<float>& right) {
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    sum += double{left[i]} * right[i];
  return sum;
}

// Over all rows, of the heads [first, last) of one batch and one column.
double column_sum(const std::vector<float>& values, int rows, int heads, int batch, int first, int last,
                  int column) {
  double sum = 0;
  for (int row = 0; row < rows; ++row)
    for (int head = first; head < last; ++head)
      sum += values[((batch * rows + row) * heads + head) * kDim + column];
  return sum;
}

// The weights of a row of attention sum to 1, so dv summed over keys is dout summed over the rows of the
// group's heads. Adds up the differences, since a largest one would pass over a NaN.
double difference_of_sums(const std::vector<float>& dv, const std::vector<float>& dout) {
  double difference = 0;
  for (int batch = 0; batch < kBatch; ++batch)
    for (int head = 0; head < kHeadsKv; ++head)
      for (int column = 0; column < kDim; ++column)
        difference +=
            std::fabs(column_sum(dv, kKeys, kHeadsKv, batch, head, head + 1, column) -
                      column_sum(dout, kQueries, kHeadsQ, batch, head * kGroup, (head + 1) * kGroup, column));
  return difference;
}

bool run() {
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  if (std::getenv("ATTUNE_DEVICE") == nullptr) options.device = "auto";  // a GPU, else the CPU emulator
  const Context context(options);
  const attune_device_info info = context.device_info();
  std::printf("device    %s (%s, %s)\n", info.name, info.backend, info.arch);

  const Plan forward(context, problem(ATTUNE_FORWARD)), backward(context, problem(ATTUNE_BACKWARD));
  std::printf("forward   %s\nbackward  %s\n", forward.config().c_str(), backward.config().c_str());

  const std::vector<float> q = random_values(kQuerySize, 1), k = random_values(kKeySize, 2),
                           v = random_values(kKeySize, 3), dout = random_values(kQuerySize, 4);
  const Buffer<float> device_q(context, q), device_k(context, k), device_v(context, v),
      device_dout(context, dout);
  const Buffer<float> o(context, kQuerySize), lse(context, kRows);
  const Buffer<float> dq(context, kQuerySize), dk(context, kKeySize), dv(context, kKeySize);

  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = device_q.data();
  args.k.data = device_k.data();
  args.v.data = device_v.data();
  args.o.data = o.data();
  args.lse = lse.data();
  forward.execute(args);  // asynchronous; backward, on the same stream, comes after it
  args.dout.data = device_dout.data();
  args.dq.data = dq.data();
  args.dk.data = dk.data();
  args.dv.data = dv.data();
  backward.execute(args);
  context.synchronize();

  const double difference = difference_of_sums(downloaded(dv, kKeySize), dout);
  // Scores are linear in q and in k alike, so both sides are the sum of score times gradient of the score.
  const double of_q = inner_product(q, downloaded(dq, kQuerySize));
  const double of_k = inner_product(k, downloaded(dk, kKeySize));
  std::printf("sum of dv against sum of dout: %.1e apart in all\n<q, dq> = %.6f, <k, dk> = %.6f\n",
              difference, of_q, of_k);
  return difference < 1e-3 && std::fabs(of_q - of_k) < 1e-3;  // a NaN is wrong, too
}

}  // namespace

int main() {
  try {
    return run() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
