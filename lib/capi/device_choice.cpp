#include "capi/device_choice.h"

#include <charconv>

#include "base/error.h"
#include "capi/recorded_device.h"
#include "cuda/cuda_backend.h"
#include "cuda/driver.h"
#include "db/shipped_db.h"
#include "device/device_spec.h"
#include "reference/reference_backend.h"
#include "simt/simt_backend.h"

namespace attune {
namespace {

int parse_ordinal(std::string_view word, std::string_view digits) {
  int ordinal = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (error != std::errc() || end != digits.data() + digits.size() || ordinal < 0) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT,
         "device '{}': '{}' is not a device number; cuda:0 is the first device", word, digits);
  }
  return ordinal;
}

std::string parse_arch(std::string_view word, std::string_view arch) {
  if (known_device(arch)) return std::string(arch);
  std::string known;
  for (const DeviceSpec& spec : known_devices())
    known += (known.empty() ? "" : ", ") + spec.arch;
  fail(ATTUNE_ERROR_INVALID_ARGUMENT,
       "device '{}': '{}' is not an architecture that can be emulated; known: {}", word, arch, known);
}

}  // namespace

DeviceChoice parse_device(std::string_view word) {
  const size_t colon = word.find(':');
  const std::string_view kind = word.substr(0, colon);
  const bool has_detail = colon != std::string_view::npos;
  const std::string_view detail = has_detail ? word.substr(colon + 1) : std::string_view();
  if (kind == "cuda")
    return {.kind = DeviceKind::cuda, .ordinal = has_detail ? parse_ordinal(word, detail) : -1, .arch = ""};
  if (kind == "simt") return {.kind = DeviceKind::simt, .arch = has_detail ? parse_arch(word, detail) : ""};
  if (kind == "recorded") {
    if (has_detail && detail.empty())
      fail(ATTUNE_ERROR_INVALID_ARGUMENT, "device '{}': a part of a GPU's name is missing; recorded:H200",
           word);
    return {.kind = DeviceKind::recorded, .arch = "", .gpu = std::string(detail)};
  }
  if (word == "reference") return {.kind = DeviceKind::reference, .arch = ""};
  if (word == "auto") return {.kind = DeviceKind::automatic, .arch = ""};
  fail(ATTUNE_ERROR_INVALID_ARGUMENT,
       "device '{}' is unknown; known: cuda, cuda:N, simt, simt:sm_XX, recorded, recorded:GPU, reference, "
       "auto",
       word);
}

std::unique_ptr<Backend> make_backend(const DeviceChoice& choice, const std::string& nvrtc_path,
                                      const std::string& simt_options, const Log& log) {
  if (choice.kind == DeviceKind::cuda) return make_cuda_backend(choice.ordinal, nvrtc_path, log);
  if (choice.kind == DeviceKind::recorded) {
    return make_recorded_device(*open_shipped_db(log), choice.gpu, nvrtc_path, log);
  }
  if (choice.kind == DeviceKind::reference) return make_reference_backend();
  if (choice.kind == DeviceKind::automatic) {
    std::string why_not;
    if (cuda_available(&why_not)) {
      try {
        return make_cuda_backend(choice.ordinal, nvrtc_path, log);
      } catch (const Error& error) {  // a GPU in exclusive use, or without memory
        log.warning("auto: the GPU cannot be used, the emulator takes its place: {}", error.what());
      }
    } else {
      log.info("auto: the emulator is used: {}", why_not);
    }
  }
  return make_simt_backend(choice.arch, simt_options, log);
}

}  // namespace attune
