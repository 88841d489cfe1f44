// The driver functions attune calls, as a table of pointers. For lib/cuda/*.cpp only, which include <cuda.h> before it:
// no header of this room may show a CUDA type.
#ifndef ATTUNE_CUDA_DRIVER_API_INL
#define ATTUNE_CUDA_DRIVER_API_INL

#ifndef CUDA_VERSION
#error "include <cuda.h> before cuda/driver_api.inl"
#endif

// X(presence, member, symbol, parameters). Symbols are spelled out, version suffix and all, and so are the types:
// cuda.h renames functions to the newest version it knows, which an older driver does not have.
#define ATTUNE_DRIVER_FUNCTIONS(X)                                                                             \
  X(required, init, "cuInit", (unsigned flags))                                                                \
  X(required, driver_get_version, "cuDriverGetVersion", (int* version))                                        \
  X(required, get_error_name, "cuGetErrorName", (CUresult result, const char** text))                          \
  X(required, get_error_string, "cuGetErrorString", (CUresult result, const char** text))                      \
  X(required, device_get_count, "cuDeviceGetCount", (int* count))                                              \
  X(required, device_get, "cuDeviceGet", (CUdevice * device, int ordinal))                                     \
  X(required, device_get_name, "cuDeviceGetName", (char* name, int bytes, CUdevice device))                    \
  X(required, device_get_attribute, "cuDeviceGetAttribute",                                                    \
    (int* value, CUdevice_attribute attribute, CUdevice device))                                               \
  X(required, device_total_mem, "cuDeviceTotalMem_v2", (size_t* bytes, CUdevice device))                       \
  X(required, primary_ctx_retain, "cuDevicePrimaryCtxRetain", (CUcontext * context, CUdevice device))          \
  X(required, primary_ctx_release, "cuDevicePrimaryCtxRelease_v2", (CUdevice device))                          \
  X(required, primary_ctx_get_state, "cuDevicePrimaryCtxGetState",                                             \
    (CUdevice device, unsigned* flags, int* active))                                                           \
  X(required, ctx_get_current, "cuCtxGetCurrent", (CUcontext * context))                                       \
  X(required, ctx_push_current, "cuCtxPushCurrent_v2", (CUcontext context))                                    \
  X(required, ctx_pop_current, "cuCtxPopCurrent_v2", (CUcontext * context))                                    \
  X(required, ctx_get_device, "cuCtxGetDevice", (CUdevice * device))                                           \
  X(optional, ctx_get_id, "cuCtxGetId", (CUcontext context, unsigned long long* id))                           \
  X(required, mem_alloc, "cuMemAlloc_v2", (CUdeviceptr * pointer, size_t bytes))                               \
  X(required, mem_free, "cuMemFree_v2", (CUdeviceptr pointer))                                                 \
  X(required, mem_get_info, "cuMemGetInfo_v2", (size_t* free, size_t* total))                                  \
  X(required, memcpy_async, "cuMemcpyAsync",                                                                   \
    (CUdeviceptr destination, CUdeviceptr source, size_t bytes, CUstream stream))                              \
  X(required, memset_d8_async, "cuMemsetD8Async",                                                              \
    (CUdeviceptr destination, unsigned char byte, size_t bytes, CUstream stream))                              \
  X(required, stream_create, "cuStreamCreate", (CUstream * stream, unsigned flags))                            \
  X(required, stream_destroy, "cuStreamDestroy_v2", (CUstream stream))                                         \
  X(required, stream_synchronize, "cuStreamSynchronize", (CUstream stream))                                    \
  X(required, stream_get_ctx, "cuStreamGetCtx", (CUstream stream, CUcontext * context))                        \
  X(required, stream_is_capturing, "cuStreamIsCapturing", (CUstream stream, CUstreamCaptureStatus * status))   \
  X(optional, stream_begin_capture, "cuStreamBeginCapture_v2", (CUstream stream, CUstreamCaptureMode mode))     \
  X(optional, stream_end_capture, "cuStreamEndCapture", (CUstream stream, CUgraph * graph))                    \
  X(optional, graph_instantiate, "cuGraphInstantiateWithFlags",                                                \
    (CUgraphExec * executable, CUgraph graph, unsigned long long flags))                                       \
  X(optional, graph_launch, "cuGraphLaunch", (CUgraphExec executable, CUstream stream))                        \
  X(optional, graph_exec_destroy, "cuGraphExecDestroy", (CUgraphExec executable))                              \
  X(optional, graph_destroy, "cuGraphDestroy", (CUgraph graph))                                                \
  X(required, exchange_capture_mode, "cuThreadExchangeStreamCaptureMode", (CUstreamCaptureMode * mode))        \
  X(required, event_create, "cuEventCreate", (CUevent * event, unsigned flags))                                \
  X(required, event_destroy, "cuEventDestroy_v2", (CUevent event))                                             \
  X(required, event_record, "cuEventRecord", (CUevent event, CUstream stream))                                 \
  X(required, event_elapsed_time, "cuEventElapsedTime", (float* milliseconds, CUevent start, CUevent end))     \
  X(required, module_load_data, "cuModuleLoadData", (CUmodule * module, const void* image))                    \
  X(required, module_unload, "cuModuleUnload", (CUmodule module))                                              \
  X(required, module_get_function, "cuModuleGetFunction",                                                      \
    (CUfunction * function, CUmodule module, const char* name))                                                \
  X(optional, library_load_data, "cuLibraryLoadData",                                                          \
    (CUlibrary * library, const void* image, CUjit_option* jit_options, void** jit_values, unsigned jit_count, \
     CUlibraryOption* options, void** values, unsigned count))                                                 \
  X(optional, library_unload, "cuLibraryUnload", (CUlibrary library))                                          \
  X(optional, library_get_kernel, "cuLibraryGetKernel", (CUkernel * kernel, CUlibrary library, const char* name)) \
  X(optional, kernel_get_function, "cuKernelGetFunction", (CUfunction * function, CUkernel kernel))            \
  X(optional, func_load, "cuFuncLoad", (CUfunction function))                                                  \
  X(required, func_get_attribute, "cuFuncGetAttribute",                                                        \
    (int* value, CUfunction_attribute attribute, CUfunction function))                                         \
  X(required, func_set_attribute, "cuFuncSetAttribute",                                                        \
    (CUfunction function, CUfunction_attribute attribute, int value))                                          \
  X(optional, tensor_map_encode_tiled, "cuTensorMapEncodeTiled",                                               \
    (CUtensorMap * map, CUtensorMapDataType type, cuuint32_t rank, void* address, const cuuint64_t* sizes,     \
     const cuuint64_t* strides, const cuuint32_t* box, const cuuint32_t* element_strides,                      \
     CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,           \
     CUtensorMapFloatOOBfill fill))                                                                            \
  X(required, launch_kernel, "cuLaunchKernel",                                                                 \
    (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
     unsigned block_z, unsigned shared_bytes, CUstream stream, void** parameters, void** extra))               \
  X(optional, launch_kernel_ex, "cuLaunchKernelEx",                                                            \
    (const CUlaunchConfig* config, CUfunction function, void** parameters, void** extra))

namespace attune {

// An optional function that this driver lacks is a null pointer.
struct DriverApi {
#define ATTUNE_DRIVER_POINTER(presence, member, symbol, parameters) CUresult(CUDAAPI* member) parameters = nullptr;
  ATTUNE_DRIVER_FUNCTIONS(ATTUNE_DRIVER_POINTER)
#undef ATTUNE_DRIVER_POINTER
};

}  // namespace attune

#endif
