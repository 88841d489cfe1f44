// Arguments of backward that make no sense, one test each, and what ATTUNE_CHECK finds.
#include <cmath>

#include "capi/backward_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

constexpr attune_status kInvalid = ATTUNE_ERROR_INVALID_ARGUMENT;

using Args = attune_attention_args;

// A backward plan, and arguments for it that are right.
class Bench {
 public:
  explicit Bench(attune_layout layout = ATTUNE_BHSD, bool check = false) {
    attune_context_options options = simt_options();
    options.check = 1;
    if (check) context_ = make_context(options);
    attune_context_t context = check ? context_.get() : shared_context();
    attune_attention_desc desc = small_backward_desc();
    backward_ = std::make_unique<Backward>(context, desc, Forward::Shape{2, 5, 7});
    desc.layout = layout;
    plan_ = make_plan(context, desc);
  }

  template <typename Change>
  void check_refused(std::initializer_list<std::string> words, const Change& change) const {
    Args args = backward_->args();
    change(args);
    check_fails(backward_->execute(plan_.get(), args), kInvalid, words);
  }
  const Backward& backward() const { return *backward_; }
  attune_plan_t plan() const { return plan_.get(); }

 private:
  ContextHandle context_;
  PlanHandle plan_;
  std::unique_ptr<Backward> backward_;
};

void* shifted(const void* pointer, int bytes) {
  return const_cast<char*>(static_cast<const char*>(pointer)) + bytes;
}

}  // namespace

TEST_CASE("backward asks for what forward gave", "[simt]") {
  const Bench bench;
  bench.check_refused({"lse is NULL", "forward"}, [](Args& a) { a.lse = nullptr; });
  bench.check_refused({"o.data is NULL"}, [](Args& a) { a.o.data = nullptr; });
  bench.check_refused({"dout.data is NULL"}, [](Args& a) { a.dout.data = nullptr; });
  bench.check_refused({"q.data is NULL"}, [](Args& a) { a.q.data = nullptr; });
  bench.check_refused({"dq, dk and dv are all NULL"},
                      [](Args& a) { a.dq.data = a.dk.data = a.dv.data = nullptr; });
}

TEST_CASE("backward's tensors lie on whole elements", "[simt]") {
  const Bench bench;
  bench.check_refused({"dout = 0x", "2 bytes", "bf16"},
                      [](Args& a) { a.dout.data = shifted(a.dout.data, 1); });
  bench.check_refused({"dk = 0x", "2 bytes"}, [](Args& a) { a.dk.data = shifted(a.dk.data, 3); });
  bench.check_refused({"lse = 0x", "4 bytes", "f32"}, [](Args& a) { a.lse = shifted(a.lse, 2); });
  bench.check_refused({"dlse = 0x", "4 bytes"}, [](Args& a) { a.dlse = shifted(a.dlse, 2); });
}

TEST_CASE("backward's outputs cannot broadcast, its inputs can", "[simt]") {
  const Bench bench(ATTUNE_STRIDED);
  bench.check_refused({"dq", "stride 2 is 0 over 5"}, [](Args& a) { a.dq.stride[2] = 0; });
  bench.check_refused({"dk", "stride 1 is 0 over 2"}, [](Args& a) { a.dk.stride[1] = 0; });
  bench.check_refused({"dv", "stride 0 is 0 over 2"}, [](Args& a) { a.dv.stride[0] = 0; });
  bench.check_refused({"dv", "column stride = 2"}, [](Args& a) { a.dv.stride[3] = 2; });
  Args args = bench.backward().args();
  args.dout.stride[0] = args.dout.stride[2] = args.k.stride[1] = 0;
  CHECK(bench.backward().execute(bench.plan(), args) == ATTUNE_OK);
}

TEST_CASE("backward's lengths are within capacity", "[simt]") {
  const Bench bench;
  Args args = bench.backward().args();
  args.seqlen_q = 81;
  check_fails(bench.backward().execute(bench.plan(), args), ATTUNE_ERROR_CAPACITY, {"seqlen_q = 81", "80"});
}

TEST_CASE("backward's workspace is there, large enough and aligned", "[simt]") {
  const Bench bench;
  const Args args = bench.backward().args();
  size_t bytes = 0;
  REQUIRE(attune_plan_get_workspace_size(bench.plan(), &bytes) == ATTUNE_OK);
  const DeviceMemory memory(shared_context(), bytes + 256);
  const auto refused = [&](void* workspace, size_t size, std::initializer_list<std::string> words) {
    check_fails(attune_plan_execute(bench.plan(), &args, workspace, size, nullptr), ATTUNE_ERROR_WORKSPACE,
                words);
    check_fails(attune_workspace_init(bench.plan(), workspace, size, nullptr), ATTUNE_ERROR_WORKSPACE, words);
  };
  refused(nullptr, bytes, {std::to_string(bytes)});
  refused(memory.data(), bytes - 1, {std::to_string(bytes - 1), std::to_string(bytes)});
  refused(shifted(memory.data(), 16), bytes, {"256"});
  CHECK(attune_workspace_init(bench.plan(), memory.data(), bytes, nullptr) == ATTUNE_OK);
  CHECK(attune_plan_execute(bench.plan(), &args, memory.data(), bytes, nullptr) == ATTUNE_OK);
}

TEST_CASE("a forward plan refuses tensors of backward", "[simt]") {
  const Bench bench;
  const PlanHandle forward = make_plan(shared_context(), small_desc());
  const Args args = bench.backward().args();
  check_fails(attune_plan_execute(forward.get(), &args, nullptr, 0, nullptr), kInvalid,
              {"dout", "ATTUNE_BACKWARD", "ATTUNE_FORWARD"});
}

TEST_CASE("ATTUNE_CHECK finds outputs of backward that share memory", "[simt]") {
  const Bench bench(ATTUNE_BHSD, true);
  CHECK(bench.backward().execute(bench.plan()) == ATTUNE_OK);
  bench.check_refused({"dq and q overlap", "0x"}, [](Args& a) { a.dq.data = a.q.data; });
  bench.check_refused({"dk and lse overlap"}, [](Args& a) { a.lse = a.dk.data; });  // which has room for it
  bench.check_refused({"dv and dout overlap"}, [](Args& a) { a.dv.data = a.dout.data; });
  bench.check_refused({"dk and dv overlap"}, [](Args& a) { a.dv.data = a.dk.data; });
  bench.check_refused({"dq and the workspace overlap"},
                      [&](Args& a) { a.dq.data = bench.backward().workspace(); });
  bench.check_refused({"the workspace and k overlap"},
                      [&](Args& a) { a.k.data = bench.backward().workspace(); });
  // What is not wanted overlaps nothing.
  Args args = bench.backward().args();
  args.dv.data = nullptr;
  CHECK(bench.backward().execute(bench.plan(), args) == ATTUNE_OK);
}

TEST_CASE("ATTUNE_CHECK finds rows of an output of backward that share memory", "[simt]") {
  const Bench bench(ATTUNE_STRIDED, true);
  bench.check_refused({"two rows of dk overlap"}, [](Args& a) { a.dk.stride[2] = 16; });
}

TEST_CASE("ATTUNE_CHECK names the first sampled row whose LSE is not that of q and k", "[simt]") {
  const Bench bench(ATTUNE_BHSD, true);
  Args args = bench.backward().args();
  args.scale = 0.5;  // not the one of the forward pass
  check_fails(bench.backward().execute(bench.plan(), args), kInvalid,
              {"lse of batch 0 head 0 row 0", "q, k, scale"});
  // One row, the last, with the LSE in base 2.
  std::vector<float> lse;
  for (const double value : bench.backward().lse())
    lse.push_back(static_cast<float>(value));
  lse.back() *= std::log2(std::exp(1.0f));
  args = bench.backward().args();
  args.lse = lse.data();  // host memory is device memory on the emulator
  check_fails(bench.backward().execute(bench.plan(), args), kInvalid,
              {"lse of batch 1 head 3 row 4", "row 8 of 8 that were looked at"});
}
