// What the tests of the C API share: handles that clean up, a small problem, a log and an environment that
// remember.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "attune/attune.h"
#include "reference/compare.h"
#include "reference/tensor.h"

namespace attune::capi_test {

struct Destroy {
  void operator()(attune_context* context) const { attune_context_destroy(context); }
  void operator()(attune_plan* plan) const { attune_plan_destroy(plan); }
};
using ContextHandle = std::unique_ptr<attune_context, Destroy>;
using PlanHandle = std::unique_ptr<attune_plan, Destroy>;

// CHECKs that a call gave this status, with a message that holds all of the words.
void check_fails(attune_status got, attune_status want, std::initializer_list<std::string> words);

// Options for the emulator: nothing on disk, nothing tuned.
attune_context_options simt_options();
// REQUIREs that it works.
ContextHandle make_context(const attune_context_options& options);
PlanHandle make_plan(attune_context_t context, const attune_attention_desc& desc);

// One context on the emulator for all tests of this program, so that a kernel is compiled once.
attune_context_t shared_context();

// bf16, BHSD, 2 sequences, 4 query heads on 2, D = 32, up to 80 x 96.
attune_attention_desc small_desc();

// Device memory of a context, freed at the end.
class DeviceMemory {
 public:
  DeviceMemory(attune_context_t context, size_t bytes);
  DeviceMemory(attune_context_t context, const HostTensor& tensor);
  ~DeviceMemory() { attune_memory_free(context_, data_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* data() const { return data_; }
  void read(void* host, size_t bytes) const;

 private:
  attune_context_t context_;
  void* data_ = nullptr;
};

// Random tensors for one execution of a plan, on the device.
class Forward {
 public:
  struct Shape {
    int64_t batch, seqlen_q, seqlen_kv;
  };
  struct Result {
    HostTensor o;
    std::vector<float> lse;
  };

  Forward(attune_context_t context, const attune_attention_desc& desc, Shape shape, uint64_t seed = 1);

  // All that execute needs; may be changed before it.
  attune_attention_args args() const;
  Result read() const;
  // Against the reference.
  Comparison compare(const Result& result) const;

 private:
  attune_context_t context_;
  attune_attention_desc desc_;
  Shape shape_;
  HostTensor q_, k_, v_, o_;
  DeviceMemory device_q_, device_k_, device_v_, device_o_, device_lse_;
};

// Keeps what is logged, from any thread.
class LogCapture {
 public:
  struct Line {
    attune_log_level level;
    std::string text;
  };

  void attach(attune_context_options& options, attune_log_level level);
  std::vector<Line> lines() const;
  int count(attune_log_level level) const;
  bool says(const std::string& text) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

// Sets an environment variable, or unsets it, for the life of the object.
class EnvironmentGuard {
 public:
  EnvironmentGuard(const char* name, const std::optional<std::string>& value);
  ~EnvironmentGuard();
  EnvironmentGuard(const EnvironmentGuard&) = delete;
  EnvironmentGuard& operator=(const EnvironmentGuard&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// What `body` writes to standard output and standard error.
std::string printed_by(const std::function<void()>& body);

}  // namespace attune::capi_test
