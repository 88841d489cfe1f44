// The launch of a kernel, for whoever launches: an execute, and what executes are measured by.
#pragma once

#include "backend/backend.h"

struct CUfunc_st;

namespace attune {

struct DriverApi;

// Puts the launch into the stream, such that one that begins early may; where the driver has no such
// launches, like any other. The context must be current. A CUresult.
int launch_kernel(const DriverApi& api, CUfunc_st* function, const Launch& launch, Stream stream) noexcept;

}  // namespace attune
