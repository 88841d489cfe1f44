// Arguments of execute that make no sense, one test each: a status and the numbers, and the plan works on.
#include <cmath>
#include <cstdint>
#include <limits>

#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

constexpr attune_status kInvalid = ATTUNE_ERROR_INVALID_ARGUMENT;
constexpr attune_status kUnsupported = ATTUNE_ERROR_UNSUPPORTED;
constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min();

using Args = attune_attention_args;

// A plan, and arguments for it that are right.
class Bench {
 public:
  explicit Bench(attune_layout layout = ATTUNE_BHSD) : desc_(small_desc()) {
    desc_.layout = layout;
    plan_ = make_plan(shared_context(), desc_);
    attune_attention_desc dense = desc_;
    dense.layout = ATTUNE_BHSD;
    forward_ = std::make_unique<Forward>(shared_context(), dense, Forward::Shape{2, 5, 7});
  }

  Args right_args() const {
    Args args = forward_->args();
    const auto dense = [](int64_t heads, int64_t rows, attune_tensor& tensor) {
      const int64_t strides[] = {heads * rows * 32, rows * 32, 32, 1};
      std::copy_n(strides, 4, tensor.stride);
    };
    dense(4, 5, args.q);
    dense(2, 7, args.k);
    dense(2, 7, args.v);
    dense(4, 5, args.o);
    return args;
  }

  attune_status execute(const Args& args) const {
    return attune_plan_execute(plan_.get(), &args, nullptr, 0, nullptr);
  }

  template <typename Change>
  void check_refused(attune_status status, std::initializer_list<std::string> words,
                     const Change& change) const {
    Args args = right_args();
    change(args);
    check_fails(execute(args), status, words);
  }

  attune_plan_t plan() const { return plan_.get(); }

 private:
  attune_attention_desc desc_;
  PlanHandle plan_;
  std::unique_ptr<Forward> forward_;
};

void* shifted(void* pointer, int bytes) {
  return static_cast<char*>(pointer) + bytes;
}

}  // namespace

TEST_CASE("right arguments are taken, and what a layout does not read is not looked at", "[simt]") {
  CHECK(Bench().execute(Bench().right_args()) == ATTUNE_OK);
  CHECK(Bench(ATTUNE_STRIDED).execute(Bench(ATTUNE_STRIDED).right_args()) == ATTUNE_OK);
  const Bench bench;
  Args args = bench.right_args();
  args.q.stride[3] = -12345;
  CHECK(bench.execute(args) == ATTUNE_OK);
  args.lse = nullptr;
  CHECK(bench.execute(args) == ATTUNE_OK);
}

TEST_CASE("null arguments and tensors", "[simt]") {
  const Bench bench;
  check_fails(attune_plan_execute(bench.plan(), nullptr, nullptr, 0, nullptr), kInvalid,
              {"attune_attention_args", "NULL"});
  bench.check_refused(kInvalid, {"q.data", "NULL"}, [](Args& a) { a.q.data = nullptr; });
  bench.check_refused(kInvalid, {"k.data", "NULL"}, [](Args& a) { a.k.data = nullptr; });
  bench.check_refused(kInvalid, {"v.data", "NULL"}, [](Args& a) { a.v.data = nullptr; });
  bench.check_refused(kInvalid, {"o.data", "NULL"}, [](Args& a) { a.o.data = nullptr; });
}

TEST_CASE("negative lengths", "[simt]") {
  const Bench bench;
  bench.check_refused(kInvalid, {"batch = -2"}, [](Args& a) { a.batch = -2; });
  bench.check_refused(kInvalid, {"seqlen_q = -3"}, [](Args& a) { a.seqlen_q = -3; });
  bench.check_refused(kInvalid, {"seqlen_kv = -9223372036854775808"},
                      [](Args& a) { a.seqlen_kv = kSmallest; });
}

TEST_CASE("more than the capacity", "[simt]") {
  const Bench bench;
  bench.check_refused(ATTUNE_ERROR_CAPACITY, {"batch = 3", "2"}, [](Args& a) { a.batch = 3; });
  bench.check_refused(ATTUNE_ERROR_CAPACITY, {"seqlen_q = 81", "80"}, [](Args& a) { a.seqlen_q = 81; });
  bench.check_refused(ATTUNE_ERROR_CAPACITY, {"seqlen_kv = 9223372036854775807", "96"},
                      [](Args& a) { a.seqlen_kv = INT64_MAX; });
}

TEST_CASE("misaligned addresses", "[simt]") {
  const Bench bench;
  bench.check_refused(kInvalid, {"v = 0x", "2 bytes", "bf16"},
                      [](Args& a) { a.v.data = shifted(a.v.data, 15); });
  bench.check_refused(kInvalid, {"lse", "4"},
                      [](Args& a) { a.lse = static_cast<float*>(shifted(a.lse, 2)); });
}

TEST_CASE("strides that kernels cannot take", "[simt]") {
  const Bench bench(ATTUNE_STRIDED);
  bench.check_refused(kInvalid, {"o", "column stride = 2"}, [](Args& a) { a.o.stride[3] = 2; });
  bench.check_refused(kInvalid, {"k", "column stride = 0"}, [](Args& a) { a.k.stride[3] = 0; });
  bench.check_refused(kInvalid, {"v", "row stride = -32"}, [](Args& a) { a.v.stride[2] = -32; });
  bench.check_refused(kInvalid, {"o", "stride 1", "4"}, [](Args& a) { a.o.stride[1] = 0; });
}

TEST_CASE("strides that overflow", "[simt]") {
  const Bench bench(ATTUNE_STRIDED);
  bench.check_refused(kInvalid, {"q", "batch stride"}, [](Args& a) { a.q.stride[0] = INT64_MAX - 15; });
  bench.check_refused(kInvalid, {"k", "row stride"}, [](Args& a) { a.k.stride[2] = int64_t{1} << 62; });
}

TEST_CASE("an input may broadcast", "[simt]") {
  const Bench bench(ATTUNE_STRIDED);
  Args args = bench.right_args();
  args.k.stride[0] = args.v.stride[0] = 0;
  args.q.stride[1] = 0;
  CHECK(bench.execute(args) == ATTUNE_OK);
}

TEST_CASE("scales", "[simt]") {
  const Bench bench;
  bench.check_refused(kInvalid, {"scale = nan"}, [](Args& a) { a.scale = std::nan(""); });
  bench.check_refused(kInvalid, {"scale = inf"}, [](Args& a) { a.scale = INFINITY; });
  bench.check_refused(kInvalid, {"scale = 1e+39"}, [](Args& a) { a.scale = 1e39; });
  bench.check_refused(kUnsupported, {"scale = -1"}, [](Args& a) { a.scale = -1; });
}

TEST_CASE("a workspace that is given where none is needed must be aligned all the same", "[simt]") {
  const Bench bench;
  size_t bytes = 99;
  REQUIRE(attune_plan_get_workspace_size(bench.plan(), &bytes) == ATTUNE_OK);
  CHECK(bytes == 0);
  const DeviceMemory memory(shared_context(), 512);
  const Args args = bench.right_args();
  CHECK(attune_workspace_init(bench.plan(), nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(attune_workspace_init(bench.plan(), memory.data(), 512, nullptr) == ATTUNE_OK);
  CHECK(attune_plan_execute(bench.plan(), &args, memory.data(), 512, nullptr) == ATTUNE_OK);
  void* const misaligned = shifted(memory.data(), 16);
  check_fails(attune_workspace_init(bench.plan(), misaligned, 496, nullptr), ATTUNE_ERROR_WORKSPACE, {"256"});
  check_fails(attune_plan_execute(bench.plan(), &args, misaligned, 496, nullptr), ATTUNE_ERROR_WORKSPACE,
              {"256"});
}

TEST_CASE("reserved fields are refused by name", "[simt]") {
  const Bench bench;
  static float number = 0;
  static int32_t index = 0;
  static uint64_t seed = 0;
  const auto refused = [&](const char* name, const auto& change) {
    bench.check_refused(kUnsupported, {name}, change);
  };
  refused("bias", [](Args& a) { a.bias.data = &number; });
  refused("dbias", [](Args& a) { a.dbias.data = &number; });
  refused("softcap = 30", [](Args& a) { a.softcap = 30; });
  refused("softcap = nan", [](Args& a) { a.softcap = std::nan(""); });
  refused("window_left = 128", [](Args& a) { a.window_left = 128; });
  refused("window_right = 0", [](Args& a) { a.window_right = 0; });
  refused("cu_seqlens_q", [](Args& a) { a.cu_seqlens_q = &index; });
  refused("cu_seqlens_k", [](Args& a) { a.cu_seqlens_k = &index; });
  refused("seqused_q", [](Args& a) { a.seqused_q = &index; });
  refused("seqused_k", [](Args& a) { a.seqused_k = &index; });
  refused("page_table", [](Args& a) { a.page_table = &index; });
  refused("page_table_stride = 4", [](Args& a) { a.page_table_stride = 4; });
  refused("dropout_p = 0.5", [](Args& a) { a.dropout_p = 0.5; });
  refused("philox_seed = 42", [](Args& a) { a.philox_seed = 42; });
  refused("philox_offset = 1", [](Args& a) { a.philox_offset = 1; });
  refused("philox_device", [](Args& a) { a.philox_device = &seed; });
  refused("sink", [](Args& a) { a.sink = &number; });
  refused("alibi", [](Args& a) { a.alibi = &number; });
}

TEST_CASE("tensors of backward are refused by name", "[simt]") {
  const Bench bench;
  static float number = 0;
  bench.check_refused(kInvalid, {"dout", "ATTUNE_BACKWARD"}, [](Args& a) { a.dout.data = &number; });
  bench.check_refused(kInvalid, {"dq", "ATTUNE_BACKWARD"}, [](Args& a) { a.dq.data = &number; });
  bench.check_refused(kInvalid, {"dk", "ATTUNE_BACKWARD"}, [](Args& a) { a.dk.data = &number; });
  bench.check_refused(kInvalid, {"dv", "ATTUNE_BACKWARD"}, [](Args& a) { a.dv.data = &number; });
  bench.check_refused(kInvalid, {"dlse", "ATTUNE_BACKWARD"}, [](Args& a) { a.dlse = &number; });
}

TEST_CASE("the emulator has no streams", "[simt]") {
  const Bench bench;
  const Args args = bench.right_args();
  auto* const stream = reinterpret_cast<CUstream_st*>(uintptr_t{0x1000});
  check_fails(attune_plan_execute(bench.plan(), &args, nullptr, 0, stream), kInvalid, {"0x1000"});
  for (const uintptr_t own : {1, 2}) {
    CHECK(attune_plan_execute(bench.plan(), &args, nullptr, 0, reinterpret_cast<CUstream_st*>(own)) ==
          ATTUNE_OK);
  }
}
