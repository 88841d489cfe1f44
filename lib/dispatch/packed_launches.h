// PackedLaunches: the launches a plan packed lately. Who comes back with the same arguments, as every layer
// of a model does at its next step, pays for neither checking nor packing them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "attune/attune.h"
#include "backend/backend.h"
#include "kernels/family.h"

namespace attune {

// For any number of threads, none of which ever waits: a place that somebody is at is one that knows nothing.
class PackedLaunches {
 public:
  PackedLaunches();

  // Calls launch(module, packed) with what was kept for these arguments, of which every byte counts, and this
  // workspace. False when nothing was called.
  template <typename LaunchPacked>
  bool launch(const attune_attention_args& args, const void* workspace, LaunchPacked&& launch) {
    Place& place = place_of(args);
    const Visit visit(place);
    if (!visit || !place.is_of(args, workspace)) return false;
    launch(*place.module, place.packed);
    return true;
  }
  // `module` lives as long as this object.
  void keep(const attune_attention_args& args, const void* workspace, const Module& module,
            const Launch& packed) noexcept;

 private:
  // Layers that fall into one place are packed at every call.
  static constexpr size_t kPlaces = 64;

  struct Place {
    std::atomic<bool> taken{false};
    const Module* module = nullptr;  // null: nothing is kept
    const void* workspace = nullptr;
    attune_attention_args args;
    Launch packed;

    bool is_of(const attune_attention_args& wanted, const void* wanted_workspace) const noexcept;
  };
  // A thread at a place, unless there was one.
  class Visit {
   public:
    explicit Visit(Place& place) noexcept
        : place_(place.taken.exchange(true, std::memory_order_acquire) ? nullptr : &place) {}
    ~Visit() {
      if (place_) place_->taken.store(false, std::memory_order_release);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    explicit operator bool() const noexcept { return place_ != nullptr; }

   private:
    Place* const place_;
  };

  Place& place_of(const attune_attention_args& args) noexcept;

  std::unique_ptr<std::array<Place, kPlaces>> places_;
};

}  // namespace attune
