// The verbs of isa/simt_api.h that concern warpgroups.
#pragma once

#include "isa/simt_api.h"

namespace attune::simt {

void warpgroup_barrier(attune_simt_thread* thread, attune_simt_site site);
void change_registers(attune_simt_thread* thread, int count, int claim, attune_simt_site site);
void multiply_warpgroup(attune_simt_thread* thread, float* sum, int tiles, const unsigned* fragment,
                        unsigned long long a, unsigned long long b, int transpose_b, int accumulate,
                        attune_simt_format format, attune_simt_site site);
void warpgroup_arrive(attune_simt_thread* thread);
void warpgroup_commit(attune_simt_thread* thread);
void warpgroup_wait(attune_simt_thread* thread, int pending, attune_simt_site site);

}  // namespace attune::simt
