// SiteTable: numbers for the places in a template from which shared memory is accessed, small enough for a
// Stamp.
#pragma once

#include <array>
#include <cstdint>

#include "isa/simt_api.h"
#include "simt/stamp.h"

namespace attune::simt {

class SiteTable {
 public:
  void clear() { sites_.fill({nullptr, 0}); }

  // 0 when there are more places than numbers: then reports name one place instead of two.
  int number_of(attune_simt_site site) {
    const auto start =
        static_cast<uint32_t>(site.line) + static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site.file));
    for (uint32_t i = start; i < start + kProbes; ++i) {
      attune_simt_site& slot = sites_[i % Stamp::kSites];
      if (slot.line == site.line && slot.file == site.file) return static_cast<int>(i % Stamp::kSites);
      if (!slot.file && i % Stamp::kSites != 0) {
        slot = site;
        return static_cast<int>(i % Stamp::kSites);
      }
    }
    return 0;
  }
  attune_simt_site at(int number) const { return sites_[static_cast<size_t>(number)]; }  // no file: unknown

 private:
  static constexpr uint32_t kProbes = 8;

  std::array<attune_simt_site, Stamp::kSites> sites_{};  // the first stays empty
};

}  // namespace attune::simt
