// ModuleCache: images loaded on a backend, kept for the life of a context. One load per key.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

#include "backend/backend.h"
#include "cache/single_flight.h"

namespace attune {

// Thread-safe. Unloading a module needs its backend, so destroy this object, and every module it gave, before
// the backend.
class ModuleCache {
 public:
  // Keyed by backend, image hash and shared_bytes. No lock is held while loading. Throws what Backend::load
  // throws, to all who wait for that load; the next caller tries again.
  std::shared_ptr<const Module> get_or_load(Backend& backend, const CompiledImage& image,
                                            uint32_t shared_bytes);

  // Gives up all modules; those in use elsewhere stay loaded until they are released.
  void clear();

 private:
  using Key = std::tuple<const Backend*, std::string, uint32_t>;

  SingleFlight<Key, std::shared_ptr<const Module>> modules_;
};

}  // namespace attune
