#include "cache/module_cache.h"

#include "base/error.h"

namespace attune {

std::shared_ptr<const Module> ModuleCache::get_or_load(Backend& backend, const CompiledImage& image,
                                                       uint32_t shared_bytes) {
  if (image.hash.empty()) fail(ATTUNE_ERROR_INTERNAL, "the image of {} has no hash", image.entry);
  const auto load = [&]() -> Flights::Made {
    return {.value = std::shared_ptr<const Module>(backend.load(image, shared_bytes))};
  };
  return modules_.get({&backend, image.hash, shared_bytes}, load).value;
}

}  // namespace attune
