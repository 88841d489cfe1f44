// The binary interface of DLPack 1: how libraries of arrays tell each other where an array lies. Layouts
// only; the specification is at https://dmlc.github.io/dlpack.
#pragma once

#include <cstdint>

namespace attune_python::dlpack {

constexpr int32_t kCpu = 1, kCuda = 2, kCudaHost = 3;
constexpr uint8_t kFloat = 2, kBfloat = 4;

struct Device {
  int32_t type;
  int32_t id;
};

struct DataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: dense
  uint64_t byte_offset;
};

// In a capsule called "dltensor".
struct ManagedTensor {
  Tensor tensor;
  void* context;
  void (*deleter)(ManagedTensor*);
};

struct Version {
  uint32_t major;
  uint32_t minor;
};

constexpr uint64_t kReadOnly = 1;

// In a capsule called "dltensor_versioned".
struct VersionedTensor {
  Version version;
  void* context;
  void (*deleter)(VersionedTensor*);
  uint64_t flags;
  Tensor tensor;
};

// The functions behind __dlpack_c_exchange_api__ of an array's type (a capsule called "dlpack_exchange_api"),
// which look into an array without making a Python object. Those that are not used here are only
// placeholders.
struct ExchangeApi {
  Version version;
  ExchangeApi* previous;
  void (*managed_tensor_allocator)();
  void (*managed_tensor_from_object)();
  void (*managed_tensor_to_object)();
  int (*tensor_from_object)(void* object, Tensor* out);  // may be null; borrows from the object
  int (*current_stream)(int32_t device_type, int32_t device_id, void** stream);
};

}  // namespace attune_python::dlpack
