// The recorded backend: a GPU that is not there, whose trials are answered from stored samples. It computes
// nothing, and says of every time where it was measured.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace attune {

// A module that stands for a recorded trial. Each sample is given out once, in the order in which it was
// taken: a race that goes on longer than the recorded one finds no more, since the same sample twice would
// pretend certainty.
class RecordedModule final : public Module {
 public:
  RecordedModule(int registers, int local_bytes, std::vector<double> samples)
      : registers_(registers), local_bytes_(local_bytes), samples_(std::move(samples)) {}

  int registers() const override { return registers_; }
  int local_bytes() const override { return local_bytes_; }
  int static_shared_bytes() const override { return 0; }

  // At most `count` samples, in seconds.
  std::vector<double> next_samples(size_t count) const;

 private:
  const int registers_;
  const int local_bytes_;
  const std::vector<double> samples_;
  mutable std::atomic<size_t> next_ =
      0;  // timing is no change of the kernel, so Backend::time takes it const
};

// What is known of the GPU that was recorded.
struct RecordedDevice {
  std::string key;  // as its records have it
  DeviceSpec spec;
  std::string version;     // what decides that answers taken from it are stale: "recording 1700000000"
  std::string provenance;  // see Backend::provenance
};

class RecordedBackend : public Backend {
 public:
  virtual const std::string& recorded_key() const = 0;
};

// `make_compiler` is called once, at the first use of the compiler; what it throws, compiler() throws. Memory
// and launches are refused: Error (UNSUPPORTED). The name is "recorded", so what is learnt here has a device
// key of its own.
std::unique_ptr<RecordedBackend> make_recorded_backend(
    RecordedDevice device, std::function<std::unique_ptr<Compiler>()> make_compiler);

}  // namespace attune
