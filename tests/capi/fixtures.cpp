#include "capi/fixtures.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "base/files.h"
#include "reference/naive.h"
#include "support/catch.h"

namespace attune::capi_test {
namespace {

void set_environment(const char* name, const std::optional<std::string>& value) {
  value ? ::setenv(name, value->c_str(), 1) : ::unsetenv(name);
}

HostTensor random_tensor(const attune_attention_desc& desc, int64_t batch, int64_t heads, int64_t rows,
                         int64_t columns, uint64_t seed) {
  HostTensor tensor(static_cast<DType>(desc.dtype), {batch, heads, rows, columns},
                    static_cast<Layout>(desc.layout));
  tensor.fill_random(seed);
  return tensor;
}

}  // namespace

void check_fails(attune_status got, attune_status want, std::initializer_list<std::string> words) {
  const std::string message = attune_last_error_message();
  INFO("message: " << message);
  CHECK(std::string(attune_status_string(got)) == attune_status_string(want));
  for (const std::string& word : words) {
    INFO("word: " << word);
    CHECK(message.find(word) != std::string::npos);
  }
  CHECK_FALSE(message.empty());
}

attune_context_options simt_options() {
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  options.device = "simt:sm_80";
  options.cache_dir = "";
  options.tuning = ATTUNE_TUNING_OFF;
  return options;
}

ContextHandle make_context(const attune_context_options& options) {
  attune_context_t context = nullptr;
  const attune_status status = attune_context_create(&context, &options);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
  REQUIRE(context != nullptr);
  return ContextHandle(context);
}

PlanHandle make_plan(attune_context_t context, const attune_attention_desc& desc) {
  attune_plan_t plan = nullptr;
  const attune_status status = attune_plan_create(&plan, context, &desc);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
  REQUIRE(plan != nullptr);
  return PlanHandle(plan);
}

attune_context_t shared_context() {
  static const ContextHandle kContext = make_context(simt_options());
  return kContext.get();
}

attune_attention_desc small_desc() {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_BF16;
  desc.layout = ATTUNE_BHSD;
  desc.heads_q = 4;
  desc.heads_kv = 2;
  desc.head_dim = 32;
  desc.max_batch = 2;
  desc.max_seqlen_q = 80;
  desc.max_seqlen_kv = 96;
  return desc;
}

DeviceMemory::DeviceMemory(attune_context_t context, size_t bytes) : context_(context) {
  REQUIRE(attune_memory_allocate(&data_, context, bytes) == ATTUNE_OK);
}

DeviceMemory::DeviceMemory(attune_context_t context, const HostTensor& tensor)
    : DeviceMemory(context, tensor.storage().size()) {
  REQUIRE(attune_memory_copy(context, data_, tensor.storage().data(), tensor.storage().size()) == ATTUNE_OK);
}

void DeviceMemory::read(void* host, size_t bytes) const {
  REQUIRE(attune_memory_copy(context_, host, data_, bytes) == ATTUNE_OK);
}

Forward::Forward(attune_context_t context, const attune_attention_desc& desc, Shape shape, uint64_t seed)
    : context_(context),
      desc_(desc),
      shape_(shape),
      q_(random_tensor(desc, shape.batch, desc.heads_q, shape.seqlen_q, desc.head_dim, seed)),
      k_(random_tensor(desc, shape.batch, desc.heads_kv, shape.seqlen_kv, desc.head_dim, seed + 1)),
      v_(random_tensor(desc, shape.batch, desc.heads_kv, shape.seqlen_kv, desc.head_dim, seed + 2)),
      o_(random_tensor(desc, shape.batch, desc.heads_q, shape.seqlen_q, desc.head_dim, seed + 3)),
      device_q_(context, q_),
      device_k_(context, k_),
      device_v_(context, v_),
      device_o_(context, o_),
      device_lse_(context, static_cast<size_t>(shape.batch * desc.heads_q * shape.seqlen_q) * sizeof(float)) {
}

attune_attention_args Forward::args() const {
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = device_q_.data();
  args.k.data = device_k_.data();
  args.v.data = device_v_.data();
  args.o.data = device_o_.data();
  args.lse = static_cast<float*>(device_lse_.data());
  args.batch = shape_.batch;
  args.seqlen_q = shape_.seqlen_q;
  args.seqlen_kv = shape_.seqlen_kv;
  return args;
}

Forward::Result Forward::read() const {
  REQUIRE(attune_stream_synchronize(context_, nullptr) == ATTUNE_OK);
  Result result{o_, {}};
  device_o_.read(result.o.storage().data(), result.o.storage().size());
  result.lse.assign(static_cast<size_t>(shape_.batch * desc_.heads_q * shape_.seqlen_q),
                    std::numeric_limits<float>::quiet_NaN());
  device_lse_.read(result.lse.data(), result.lse.size() * sizeof(float));
  return result;
}

Comparison Forward::compare(const Result& result) const {
  const AttentionInputs inputs{q_, k_, v_, static_cast<Mask>(desc_.mask)};
  const std::vector<double> lse(result.lse.begin(), result.lse.end());
  return compare_attention(result.o, lse, reference_attention(inputs), naive_attention(inputs));
}

void LogCapture::attach(attune_context_options& options, attune_log_level level) {
  options.log_level = level;
  options.log_user_data = this;
  options.log_callback = [](attune_log_level of, const char* message, void* self) {
    auto& capture = *static_cast<LogCapture*>(self);
    const std::lock_guard lock(capture.mutex_);
    capture.lines_.push_back({of, message});
  };
}

std::vector<LogCapture::Line> LogCapture::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

int LogCapture::count(attune_log_level level) const {
  const std::vector<Line> all = lines();
  return static_cast<int>(std::ranges::count(all, level, &Line::level));
}

bool LogCapture::says(const std::string& text) const {
  const std::vector<Line> all = lines();
  return std::ranges::any_of(all,
                             [&](const Line& line) { return line.text.find(text) != std::string::npos; });
}

EnvironmentGuard::EnvironmentGuard(const char* name, const std::optional<std::string>& value) : name_(name) {
  if (const char* before = std::getenv(name)) before_ = before;
  set_environment(name, value);
}

EnvironmentGuard::~EnvironmentGuard() {
  set_environment(name_, before_);
}

std::string printed_by(const std::function<void()>& body) {
  const ScratchDirectory scratch;
  const std::filesystem::path path = scratch.path() / "printed";
  std::fflush(nullptr);
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const int output = ::dup(STDOUT_FILENO), error = ::dup(STDERR_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  body();
  std::fflush(nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(error, STDERR_FILENO);
  for (const int descriptor : {file, output, error})
    ::close(descriptor);
  return read_file(path).value_or("");
}

}  // namespace attune::capi_test
