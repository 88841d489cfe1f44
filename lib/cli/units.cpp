#include "cli/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

namespace attune {
namespace {

std::string four_digits(double value) {
  if (!(value > 0) || !std::isfinite(value)) return fmt::format("{}", value);
  const int magnitude = static_cast<int>(std::floor(std::log10(value)));
  return fmt::format("{:.{}f}", value, std::clamp(3 - magnitude, 0, 6));
}

}  // namespace

std::string microseconds(double seconds) {
  return four_digits(seconds * 1e6);
}

std::string microseconds_with_interval(double median, double low, double high) {
  if (!(median > 0)) return "";
  if (!(low > 0) || !(high > low)) return microseconds(median);
  return fmt::format("{} [{}, {}]", microseconds(median), microseconds(low), microseconds(high));
}

std::string teraflops(double flops, double seconds) {
  return seconds > 0 ? fmt::format("{:.1f}", flops / seconds * 1e-12) : "";
}

std::string duration(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string byte_count(int64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* larger : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = larger;
  }
  // Whole multiples without a fraction: a limit of 227 KiB is exact.
  return value == std::floor(value) ? fmt::format("{:.0f} {}", value, unit)
                                    : fmt::format("{:.1f} {}", value, unit);
}

std::string date_time(int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm local{};
  if (!localtime_r(&time, &local)) return "?";
  char text[32];
  const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &local);
  return std::string(text, length);
}

}  // namespace attune
