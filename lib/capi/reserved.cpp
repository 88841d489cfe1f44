#include "capi/reserved.h"

#include <cstdint>
#include <utility>

#include "base/error.h"

namespace attune {
namespace {

[[noreturn]] void refuse(const char* field, const std::string& value) {
  fail(ATTUNE_ERROR_UNSUPPORTED,
       "attune_attention_args: {} = {} is reserved; version {}.{}.{} does not support it", field, value,
       ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR, ATTUNE_VERSION_PATCH);
}

// Also refuses NaN.
template <typename Number>
void require(const char* field, Number value, Number unset) {
  if (!(value == unset)) refuse(field, fmt::format("{}", value));
}

void require_null(const char* field, const void* pointer) {
  if (pointer) refuse(field, fmt::format("{}", pointer));
}

void require_unset(const char* field, const attune_tensor& tensor) {
  const bool has_strides =
      tensor.stride[0] != 0 || tensor.stride[1] != 0 || tensor.stride[2] != 0 || tensor.stride[3] != 0;
  if (!tensor.data && !has_strides) return;
  refuse(field, fmt::format("{{{}, strides {} {} {} {}}}", tensor.data, tensor.stride[0], tensor.stride[1],
                            tensor.stride[2], tensor.stride[3]));
}

// A forward plan that is given gradients is most likely not the plan that was meant.
void require_no_gradients(const attune_attention_args& args) {
  const std::pair<const char*, const void*> fields[] = {{"dout", args.dout.data},
                                                        {"dq", args.dq.data},
                                                        {"dk", args.dk.data},
                                                        {"dv", args.dv.data},
                                                        {"dlse", args.dlse}};
  for (const auto& [field, pointer] : fields) {
    if (!pointer) continue;
    fail(ATTUNE_ERROR_INVALID_ARGUMENT,
         "attune_attention_args: {} = {} is for plans of ATTUNE_BACKWARD, and this one is of ATTUNE_FORWARD",
         field, pointer);
  }
}

}  // namespace

void check_reserved(const attune_attention_args& args, Operation operation) {
  if (operation != Operation::backward) require_no_gradients(args);
  require_unset("bias", args.bias);
  require_unset("dbias", args.dbias);
  require("softcap", args.softcap, 0.0);
  require("window_left", args.window_left, int64_t{-1});
  require("window_right", args.window_right, int64_t{-1});
  require_null("cu_seqlens_q", args.cu_seqlens_q);
  require_null("cu_seqlens_k", args.cu_seqlens_k);
  require_null("seqused_q", args.seqused_q);
  require_null("seqused_k", args.seqused_k);
  require_null("page_table", args.page_table);
  require("page_table_stride", args.page_table_stride, int64_t{0});
  require("dropout_p", args.dropout_p, 0.0);
  require("philox_seed", args.philox_seed, uint64_t{0});
  require("philox_offset", args.philox_offset, uint64_t{0});
  require_null("philox_device", args.philox_device);
  require_null("sink", args.sink);
  require_null("alibi", args.alibi);
}

}  // namespace attune
