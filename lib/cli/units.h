// Units: numbers as people read them in tables.
#pragma once

#include <cstdint>
#include <string>

namespace attune {

// Four significant digits of microseconds, without the unit: "612.3", "0.8312", "12345".
std::string microseconds(double seconds);

// "612.3 [610.1, 614.0]"; without an interval only the median, nothing when there is no time.
std::string microseconds_with_interval(double median, double low, double high);

// "449.1"; nothing without a time.
std::string teraflops(double flops, double seconds);

// "0.8 s", "12 s", "3 min 20 s".
std::string duration(double seconds);

// "139.8 GiB", "224 KiB", "16 B".
std::string byte_count(int64_t bytes);

// "2026-11-22 14:03", local time.
std::string date_time(int64_t unix_seconds);

}  // namespace attune
