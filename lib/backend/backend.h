// Backend: a device that loads, launches and times images. `cuda`, `simt` and `recorded` implement it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "compile/compiler.h"
#include "device/device_spec.h"
#include "kernels/family.h"

struct CUstream_st;

namespace attune {

using Stream = CUstream_st*;

// An image loaded on a backend. Unloaded by the destructor.
class Module {
 public:
  virtual ~Module() = default;
  virtual int registers() const = 0;    // per thread, as loaded; 0 when unknown
  virtual int local_bytes() const = 0;  // per thread
  virtual int static_shared_bytes() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;  // "cuda", "simt", "recorded"
  virtual const DeviceSpec& device() const = 0;
  // The device as ATTUNE_DEVICE names it, for another process to open: "cuda:0". Empty: only this one has it.
  virtual std::string word() const { return {}; }
  virtual Compiler& compiler() = 0;  // finds its compiler at first use
  // Versions that decide freshness of a record: "driver 580.65 nvrtc 13.0".
  virtual std::string driver_version() const = 0;
  // True when a timing here says something about speed.
  virtual bool timings_mean_speed() const = 0;
  // Where and when its times were measured, if not here and now: "NVIDIA H200, 2026-11-22, ...". Whoever
  // shows such a time shows this, too.
  virtual std::string provenance() const { return {}; }

  // Throws Error (OUT_OF_MEMORY). 256-byte aligned.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* pointer) noexcept = 0;
  virtual void copy(void* destination, const void* source, size_t bytes) = 0;  // either direction; waits
  virtual void fill(void* destination, unsigned char byte, size_t bytes, Stream stream) = 0;
  virtual size_t free_bytes() const = 0;  // of device memory; SIZE_MAX when unbounded

  // Loads an image and makes its kernel ready to launch with up to `shared_bytes` of dynamic shared memory.
  // Throws Error (LAUNCH_FAILED) when the device refuses it.
  virtual std::unique_ptr<Module> load(const CompiledImage& image, uint32_t shared_bytes) = 0;
  // Checks that the stream can be used here, then launches; allocates nothing on cuda. Throws Error
  // (LAUNCH_FAILED, INVALID_ARGUMENT for a stream of another device, CONTEXT_LOST).
  virtual void launch(const Module& module, const Launch& launch, Stream stream) = 0;
  // Describes tensors to the copy engine that kernels here may use; null where there is none.
  virtual const TensorMapEncoder* tensor_maps() const { return nullptr; }
  // A stream that waits for none of the caller's and is never captured: where plan creation launches.
  virtual Stream planning_stream() const { return nullptr; }
  // Whether the stream is being captured into a graph: then nobody may wait for it.
  virtual bool is_capturing(Stream) const { return false; }
  // Waits; reports what a kernel did wrong since the last call. Throws Error (LAUNCH_FAILED, CONTEXT_LOST).
  virtual void synchronize(Stream stream) = 0;

  // Seconds of `repetitions` single launches, L2 flushed before each where there is one. Warm-up is the
  // caller's. Fewer where recorded samples run out.
  virtual std::vector<double> time(const Module& module, const Launch& launch, int repetitions) = 0;
  // Whether time_by_replay is possible here.
  virtual bool can_replay() const { return false; }
  // Seconds of `repetitions` replays of one captured graph, each divided by its launches, which are this one
  // back to back: what a launch takes among its like, without what events add to one alone (more than a short
  // kernel takes), with the start that launches which begin early save, and with what fits the L2 there
  // already. A first replay is not counted. Throws Error (LAUNCH_FAILED, UNSUPPORTED).
  virtual std::vector<double> time_by_replay(const Module&, const Launch&, int /*repetitions*/) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "{} has no graphs to time launches by", name());
  }
};

}  // namespace attune
