// A number to divide by, of kernels' parameters, shared by templates and host: kernels would otherwise
// compute its reciprocal for every division, on the units that exponentials need.
#pragma once

// For dividends below 2^31.
struct Divisor {
  unsigned value;
  unsigned multiplier;  // 2^shift / value, rounded up
  unsigned shift;       // 31 and up: the least for which that is exact enough
};
