// attune's C API with C++ lifetimes: what goes out of scope is destroyed, what fails throws. One header to
// copy into a program of yours and to change there; attune itself installs attune/attune.h alone.
#pragma once

#include <attune/attune.h>

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace attune_raii {

// A status other than ATTUNE_OK, with the reason and the numbers.
class Error : public std::runtime_error {
 public:
  explicit Error(attune_status status)
      : std::runtime_error(std::string(attune_status_string(status)) + ": " + attune_last_error_message()),
        status_(status) {}
  attune_status status() const { return status_; }

 private:
  attune_status status_;
};

inline void check(attune_status status) {
  if (status != ATTUNE_OK) throw Error(status);
}

struct DestroyContext {
  void operator()(attune_context_t context) const { attune_context_destroy(context); }
};
struct DestroyPlan {
  void operator()(attune_plan_t plan) const { attune_plan_destroy(plan); }
};

// One device. It must outlive the plans and the memory made with it.
class Context {
 public:
  explicit Context(const attune_context_options& options) {
    attune_context_t made = nullptr;
    check(attune_context_create(&made, &options));
    context_.reset(made);
  }

  attune_context_t get() const { return context_.get(); }

  attune_device_info device_info() const {
    attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
    check(attune_context_get_device_info(&info, get()));
    return info;
  }

  void synchronize(CUstream_st* stream = nullptr) const { check(attune_stream_synchronize(get(), stream)); }

 private:
  std::unique_ptr<std::remove_pointer_t<attune_context_t>, DestroyContext> context_;
};

// Device memory of `size` elements.
template <typename T>
class Buffer {
 public:
  Buffer(const Context& context, std::size_t size)
      : memory_(nullptr, Free{context.get()}), context_(context.get()), size_(size) {
    void* made = nullptr;
    check(attune_memory_allocate(&made, context_, size * sizeof(T)));
    memory_.reset(made);
  }

  Buffer(const Context& context, std::span<const T> values) : Buffer(context, values.size()) {
    check(attune_memory_copy(context_, memory_.get(), values.data(), values.size_bytes()));
  }

  void* data() const { return memory_.get(); }

  // Waits for the work queued in the default stream.
  void copy_to(std::span<T> values) const {
    if (values.size() != size_) throw std::length_error("Buffer::copy_to: of another size");
    check(attune_memory_copy(context_, values.data(), memory_.get(), values.size_bytes()));
  }

 private:
  struct Free {
    attune_context_t context;
    void operator()(void* memory) const { attune_memory_free(context, memory); }
  };
  std::unique_ptr<void, Free> memory_;
  attune_context_t context_;
  std::size_t size_;
};

// A plan with a workspace of its own, so that one thread at a time may execute it.
class Plan {
 public:
  Plan(const Context& context, const attune_attention_desc& desc)
      : plan_(create(context, desc)), workspace_(context, workspace_size()) {
    check(attune_workspace_init(plan_.get(), workspace_.data(), workspace_size(), nullptr));
  }

  // Asynchronous on the stream.
  void execute(const attune_attention_args& args, CUstream_st* stream = nullptr) const {
    check(attune_plan_execute(plan_.get(), &args, workspace_.data(), workspace_size(), stream));
  }

  std::string config() const {
    const char* text = nullptr;
    check(attune_plan_get_config(plan_.get(), &text));
    return text;
  }

 private:
  using Handle = std::unique_ptr<std::remove_pointer_t<attune_plan_t>, DestroyPlan>;

  static Handle create(const Context& context, const attune_attention_desc& desc) {
    attune_plan_t made = nullptr;
    check(attune_plan_create(&made, context.get(), &desc));
    return Handle(made);
  }

  std::size_t workspace_size() const {
    std::size_t bytes = 0;
    check(attune_plan_get_workspace_size(plan_.get(), &bytes));
    return bytes;
  }

  Handle plan_;
  Buffer<std::byte> workspace_;
};

}  // namespace attune_raii
