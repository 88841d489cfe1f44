// ModuleCache: images loaded on a backend, the last used of them kept. One load per key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "cache/single_flight.h"

namespace attune {

// Thread-safe. Unloading a module needs its backend, so destroy this object, and every module it gave, before
// the backend.
class ModuleCache {
 public:
  // Modules that nobody may be using; those in use live on with their users.
  static constexpr size_t kCapacity = 64;

  explicit ModuleCache(size_t capacity = kCapacity) : modules_(capacity) {}

  // Keyed by backend, image hash and shared_bytes. No lock is held while loading. Throws what Backend::load
  // throws, to all who wait for that load; the next caller tries again.
  std::shared_ptr<const Module> get_or_load(Backend& backend, const CompiledImage& image,
                                            uint32_t shared_bytes);

 private:
  struct Key {
    const Backend* backend;
    std::string image_hash;
    uint32_t shared_bytes;

    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return std::hash<std::string>()(key.image_hash); }
  };
  using Flights = SingleFlight<Key, std::shared_ptr<const Module>, KeyHash>;

  Flights modules_;
};

}  // namespace attune
