#include "capi/installed_worker.h"

#include <dlfcn.h>

namespace attune {

std::filesystem::path installed_worker() {
  namespace fs = std::filesystem;
  constexpr const char* kProgram = "attune-tune";
  std::error_code error;
  fs::path file;
  if (Dl_info here{};
      ::dladdr(reinterpret_cast<const void*>(&installed_worker), &here) != 0 && here.dli_fname)
    file = fs::canonical(here.dli_fname, error);
  // NOTE: of a program, dladdr gives the words it was started with, which may be relative to a folder of
  // then.
  if (!file.has_extension()) file = fs::read_symlink("/proc/self/exe", error);
  const fs::path folder = file.parent_path();
  const fs::path beside = folder / kProgram;
  if (fs::exists(beside, error)) return beside;
  return (folder / ATTUNE_LIBDIR_TO_BINDIR / kProgram).lexically_normal();
}

}  // namespace attune
