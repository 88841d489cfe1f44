#include "tools/findings.h"

#include <fmt/format.h>

#include "base/environment.h"
#include "base/error.h"
#include "cuda/cuda_device.h"
#include "cuda/driver.h"
#include "simt/host_compiler.h"
#include "simt/options.h"

namespace attune {

DriverFindings find_driver() {
  DriverFindings findings;
  try {
    const std::shared_ptr<const Driver> driver = Driver::open();
    findings.release = driver->release();
    findings.cuda_version = driver->cuda_version();
    for (int ordinal = 0; ordinal < driver->device_count(); ++ordinal) {
      findings.devices.push_back(read_cuda_device(*driver, ordinal));
    }
    if (findings.devices.empty()) findings.problem = "the driver sees no GPU";
  } catch (const Error& error) {
    findings.problem = error.what();
  }
  return findings;
}

NvrtcSearch find_nvrtc(const std::string& nvrtc, const DriverFindings& driver) {
  return search_nvrtc(nvrtc_hints(nvrtc),
                      driver.cuda_version > 0 ? std::optional(driver.cuda_version) : std::nullopt);
}

namespace {

// The compiler's own words in "simt abi 1 | c++ (Debian ...) 12.2.0 | -std=c++20 ...".
std::string version_in(const std::string& identity) {
  constexpr std::string_view kBar = " | ";
  const size_t first = identity.find(kBar);
  if (first == std::string::npos) return identity;
  const size_t begin = first + kBar.size();
  return identity.substr(begin, identity.find(kBar, begin) - begin);
}

}  // namespace

HostCompilerFindings find_host_compiler() {
  try {
    const simt::SimtOptions options =
        simt::parse_options(environment_value(EnvironmentVariable::simt).value_or(""));
    const std::string identity = HostCompiler(options.cxx).identity();
    return {.identity = identity, .version = version_in(identity), .problem = ""};
  } catch (const Error& error) {
    return {.identity = "", .version = "", .problem = error.what()};
  }
}

std::string cuda_version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

}  // namespace attune
