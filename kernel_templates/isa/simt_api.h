// What a kernel template compiled for the host and the SIMT emulator know of each other: plain C data and
// functions.
//
// The emulator fills one attune_simt_thread per OS thread and rewrites it whenever it switches to another of
// the block's threads; a template reads who it is there, and reaches everything that waits, is heavy or is
// checked through `api`. Shared addresses are byte offsets into the block's dynamic shared memory. Any change
// here is a new ABI version.
#pragma once

#define ATTUNE_SIMT_ABI_VERSION 7u

// Where in the template a verb was called: what reports name.
struct attune_simt_site {
  const char* file;
  int line;
};

struct attune_simt_api;
struct TensorMap;

struct attune_simt_thread {
  const attune_simt_api* api;
  long long block;  // index in the grid
  int thread;       // index in the block
  // The region of global memory that the last checked access fell into: accesses inside need no call. Empty:
  // none yet.
  unsigned long long region_begin;
  unsigned long long region_end;
};

enum attune_simt_access { ATTUNE_SIMT_LOAD = 0, ATTUNE_SIMT_STORE = 1 };
enum attune_simt_reduction { ATTUNE_SIMT_MAXIMUM = 0, ATTUNE_SIMT_SUM = 1 };
enum attune_simt_real { ATTUNE_SIMT_F32 = 0, ATTUNE_SIMT_F64 = 1 };  // what a void* of values points to
enum attune_simt_format { ATTUNE_SIMT_F16 = 0, ATTUNE_SIMT_BF16 = 1, ATTUNE_SIMT_TF32 = 2 };

// Every function may switch to other threads and back; those that find a fault never return.
struct attune_simt_api {
  void (*block_barrier)(attune_simt_thread*, attune_simt_site);
  void (*warp_barrier)(attune_simt_thread*, attune_simt_site);
  void (*require_shared_bytes)(attune_simt_thread*, unsigned bytes, attune_simt_site);

  // Checks an access of `bytes` (a power of two, at most 16, also its alignment) and returns where it lies.
  unsigned char* (*shared_access)(attune_simt_thread*, long long offset, int bytes, attune_simt_access,
                                  attune_simt_site);
  // Checks an access to global memory that is not within the last region, or is misaligned.
  void (*global_access)(attune_simt_thread*, unsigned long long address, int bytes, attune_simt_access,
                        attune_simt_site);

  // Collectives of a warp. Each v[i] of `count` values is reduced over the quad, or over the warp.
  void (*quad_reduce)(attune_simt_thread*, void* v, int count, attune_simt_reduction, attune_simt_real,
                      attune_simt_site);
  void (*quad_broadcast)(attune_simt_thread*, void* out, const void* v, int count, int source,
                         attune_simt_real, attune_simt_site);
  void (*warp_reduce)(attune_simt_thread*, float* v, attune_simt_reduction, attune_simt_site);
  // fragment[count][4] of this lane; offsets[i] is its row of the i-th load.
  void (*load_matrices)(attune_simt_thread*, unsigned* fragment, int count, int transpose,
                        const long long* offsets, attune_simt_site);
  // c[m][n][4] += a[m][4] · b[n / 2][4] of this lane.
  void (*multiply_tiles)(attune_simt_thread*, float* c, const unsigned* a, const unsigned* b, int m, int n,
                         attune_simt_format, attune_simt_site);

  // The first `bytes` of 16 are copied, the others become zero.
  void (*copy_async16)(attune_simt_thread*, long long offset, unsigned long long source, int bytes,
                       attune_simt_site);
  void (*copy_async_commit)(attune_simt_thread*);
  void (*copy_async_wait)(attune_simt_thread*, int pending);

  // Barriers at byte offsets of shared memory, and copies that arrive there.
  void (*mbarrier_init)(attune_simt_thread*, long long barrier, unsigned arrivals, attune_simt_site);
  void (*mbarrier_init_fence)(attune_simt_thread*);
  void (*mbarrier_arrive)(attune_simt_thread*, long long barrier, attune_simt_site);
  void (*mbarrier_expect)(attune_simt_thread*, long long barrier, unsigned bytes, attune_simt_site);
  void (*mbarrier_wait)(attune_simt_thread*, long long barrier, unsigned parity, attune_simt_site);
  // Of one panel, or with -1 of all.
  void (*copy_tensor)(attune_simt_thread*, long long offset, const TensorMap* map, long long barrier,
                      int panel, int row, int head, int batch, attune_simt_site);
  void (*copy_bulk)(attune_simt_thread*, long long offset, unsigned long long source, unsigned bytes,
                    long long barrier, attune_simt_site);

  // Matrices of the warp's lanes to shared memory, as load_matrices has them; stores of the copy engine.
  void (*store_matrices)(attune_simt_thread*, const unsigned* fragment, int count, const long long* offsets,
                         attune_simt_site);
  void (*async_proxy_fence)(attune_simt_thread*);
  void (*store_tensor)(attune_simt_thread*, const TensorMap* map, long long offset, int column, int row,
                       int head, int batch, attune_simt_site);
  void (*bulk_commit)(attune_simt_thread*);
  void (*bulk_wait_read)(attune_simt_thread*, int pending);

  // Collectives of a warpgroup of 128 threads.
  void (*warpgroup_barrier)(attune_simt_thread*, attune_simt_site);
  void (*change_registers)(attune_simt_thread*, int count, int claim, attune_simt_site);
  // Starts sum[tiles][4] of this thread = or += A · B for one k-step. A is `fragment` (4 words of this
  // thread), or where that is null the matrix that `a` describes.
  void (*multiply_warpgroup)(attune_simt_thread*, float* sum, int tiles, const unsigned* fragment,
                             unsigned long long a, unsigned long long b, int transpose_b, int accumulate,
                             attune_simt_format, attune_simt_site);
  void (*warpgroup_arrive)(attune_simt_thread*);
  void (*warpgroup_commit)(attune_simt_thread*);
  void (*warpgroup_wait)(attune_simt_thread*, int pending, attune_simt_site);
};

// Exported by a compiled template as `attune_simt_kernel`.
struct attune_simt_kernel_info {
  unsigned abi_version;
  unsigned threads;  // of a block
  unsigned blocks;   // that share the registers of a multiprocessor
  unsigned long long parameter_bytes;
  void (*enter)(attune_simt_thread*);   // once on each OS thread, before its first kernel thread
  void (*run)(const void* parameters);  // one thread of a block, from its beginning to its end
};
