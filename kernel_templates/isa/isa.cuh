// The verbs kernels are written in, for whichever world compiles the template.
//
// On a GPU (NVRTC) they are PTX and intrinsics; on the host they call the SIMT emulator, with the same names
// and the same meaning, so that one kernel text runs in both. This folder is the only place with inline PTX,
// and the only place that asks which world it is in. Rules for templates:
//   - global and shared memory only through Global<T> and Shared<T>; dynamic shared memory only through
//   dynamic_shared();
//   - whatever waits or exchanges data between threads is a verb of this folder; collectives are called by
//   whole warps;
//   - fragments are fixed arrays passed by reference, so that one call moves a whole k-step.
#pragma once

#if defined(ATTUNE_SIMT)
#include "isa/simt.h"
#else
#include "isa/arrivals.cuh"
#include "isa/portable.cuh"
#include "isa/sm80.cuh"
#include "isa/sm90.cuh"
#include "isa/sm90_tensor_stores.cuh"
#include "isa/sm90_warpgroup.cuh"
#endif
