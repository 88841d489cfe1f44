// TensorMap: what the copy engine of sm_90 and later knows of a tensor, as the driver encodes it. Opaque,
// shared by templates and host; the emulator fills it with a description of its own.
#pragma once

struct alignas(128) TensorMap {
  unsigned long long bits[16];
};
