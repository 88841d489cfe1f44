#include "cache/compiled_images.h"

#include <utility>

namespace attune {

ImageResult CompiledImages::get_or_build(Compiler& compiler, const KernelSource& source) {
  const std::string key = image_key(compiler, source);
  ImageResult mine;  // set by make(), so only when this call is the one that makes the value
  const auto make = [&]() -> std::shared_ptr<const CompileResult> {
    if (std::optional<CompiledImage> image = disk_.find(key)) {
      CompileResult found;
      found.log = image->log;
      found.image = std::move(image);
      mine = {.result = std::make_shared<const CompileResult>(std::move(found)), .source = ImageSource::disk};
      ++hits_disk_;
      return mine.result;
    }
    CompileResult built = compiler.compile(source);
    ++builds_;
    mine = {.result = std::make_shared<const CompileResult>(built), .source = ImageSource::built};
    if (!built.image) return mine.result;
    disk_.store(key, *built.image);
    built.image->compile_seconds = 0;  // for those to whom it comes from the cache
    return std::make_shared<const CompileResult>(std::move(built));
  };
  const auto flight = results_.get(key, make);
  if (flight.made_here) return mine;
  ++hits_memory_;
  return {.result = flight.value, .source = ImageSource::memory};
}

ImageCounts CompiledImages::counts() const {
  return {.hits_memory = hits_memory_, .hits_disk = hits_disk_, .builds = builds_};
}

}  // namespace attune
