#include "dispatch/packed_launches.h"

#include <cstdint>
#include <cstring>

namespace attune {

PackedLaunches::PackedLaunches() : places_(std::make_unique_for_overwrite<std::array<Place, kPlaces>>()) {}

bool PackedLaunches::Place::is_of(const attune_attention_args& wanted,
                                  const void* wanted_workspace) const noexcept {
  return module && workspace == wanted_workspace && std::memcmp(&args, &wanted, sizeof(args)) == 0;
}

// Layers differ in their keys and values; where they share those, in their outputs.
PackedLaunches::Place& PackedLaunches::place_of(const attune_attention_args& args) noexcept {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio
  const auto word = [](const attune_tensor& tensor) { return reinterpret_cast<uint64_t>(tensor.data); };
  const uint64_t mixed = (word(args.k) * 3 + word(args.v) * 5 + word(args.q) * 7 + word(args.o)) * kGolden;
  static_assert(kPlaces == size_t{1} << (64 - 58));
  return (*places_)[mixed >> 58];
}

void PackedLaunches::keep(const attune_attention_args& args, const void* workspace, const Module& module,
                          const Launch& packed) noexcept {
  Place& place = place_of(args);
  const Visit visit(place);
  if (!visit) return;
  place.args = args;
  place.workspace = workspace;
  place.module = &module;
  place.packed = packed;
}

}  // namespace attune
