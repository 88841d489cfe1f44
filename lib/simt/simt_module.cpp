#include "simt/simt_module.h"

#include <dlfcn.h>

#include <fstream>

#include "base/error.h"
#include "base/files.h"

namespace attune::simt {
namespace {

// NOTE: the file's name must never have been used before in this process. The loader knows libraries by name,
// and gives an old one back for a name it knows; the numbered names of in-memory files would come again.
void* open_library(const std::string& bytes, const std::string& name) {
  const ScratchDirectory scratch;
  const std::string path = (scratch.path() / "image.so").string();
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
  stream.close();
  if (!stream) fail(ATTUNE_ERROR_LAUNCH_FAILED, "cannot write {} to load kernel {}", path, name);
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* reason = ::dlerror();
    fail(ATTUNE_ERROR_LAUNCH_FAILED,
         "kernel {} cannot be loaded (set TMPDIR if programs may not run there): {}", name,
         reason ? reason : path);
  }
  return library;
}

}  // namespace

void SimtModule::Close::operator()(void* library) const {
  ::dlclose(library);
}

SimtModule::SimtModule(const CompiledImage& image, uint32_t shared_bytes)
    : name_(image.entry), shared_bytes_(shared_bytes), library_(open_library(image.bytes, image.entry)) {
  kernel_ = static_cast<const attune_simt_kernel_info*>(::dlsym(library_.get(), "attune_simt_kernel"));
  if (!kernel_ || !::dlsym(library_.get(), image.entry.c_str())) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "the image has no kernel {} for the emulator", image.entry);
  }
  if (kernel_->abi_version != ATTUNE_SIMT_ABI_VERSION) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "kernel {} was compiled for emulator ABI {}, this is {}", image.entry,
         kernel_->abi_version, ATTUNE_SIMT_ABI_VERSION);
  }
}

}  // namespace attune::simt
