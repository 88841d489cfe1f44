#include "cache/compiled_images.h"

#include <utility>

namespace attune {

std::shared_ptr<const CompileResult> CompiledImages::find_on_disk(const std::string& key) {
  std::optional<CompiledImage> image = disk_.find(key);
  if (!image) return nullptr;
  ++hits_disk_;
  CompileResult found;
  found.log = image->log;
  found.image = std::move(image);
  return std::make_shared<const CompileResult>(std::move(found));
}

ImageResult CompiledImages::get_or_build(Compiler& compiler, const KernelSource& source) {
  const std::string key = image_key(compiler, source);
  ImageResult mine;  // set by make(), so only when this call is the one that makes the value
  const auto from_disk = [&] {
    mine = {.result = find_on_disk(key), .source = ImageSource::disk};
    return mine.result != nullptr;
  };
  const auto make = [&]() -> Flights::Made {
    if (from_disk()) return made(mine.result);
    const std::unique_ptr<BuildLock> lock = disk_.lock_build(key);
    if (lock && from_disk()) return made(mine.result);  // another process has built it meanwhile
    CompileResult built = compiler.compile(source);
    ++builds_;
    mine = {.result = std::make_shared<const CompileResult>(built), .source = ImageSource::built};
    if (!built.image) return made(mine.result);
    disk_.store(key, *built.image);
    built.image->compile_seconds = 0;  // for those to whom it comes from the cache
    return made(std::make_shared<const CompileResult>(std::move(built)));
  };
  const auto flight = results_.get(key, make);
  if (flight.made_here) return mine;
  ++hits_memory_;
  return {.result = flight.value, .source = ImageSource::memory};
}

CompiledImages::Flights::Made CompiledImages::made(std::shared_ptr<const CompileResult> result) {
  size_t bytes = sizeof(CompileResult) + result->log.size();
  if (result->image) bytes += result->image->bytes.size() + result->image->log.size();
  return {.value = std::move(result), .weight = bytes};
}

ImageCounts CompiledImages::counts() const {
  return {.hits_memory = hits_memory_, .hits_disk = hits_disk_, .builds = builds_};
}

}  // namespace attune
