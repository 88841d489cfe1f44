// Division by a number that the host has prepared.
#pragma once

#include "attention/divisor.h"
#include "isa/isa.cuh"

namespace attune {

ATTUNE_FN u32 quotient(u32 dividend, const Divisor& divisor) {
  return static_cast<u32>(static_cast<u64>(dividend) * divisor.multiplier >> divisor.shift);
}

}  // namespace attune
