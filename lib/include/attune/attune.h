/* attune: fused attention kernels that tune themselves to the GPU they run on.
 *
 * Read from top to bottom: version, thread safety, status, context, problem, plan, tuning, memory.
 * C11 and C++11. No CUDA header is needed: a CUstream or cudaStream_t is passed as `struct CUstream_st *`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTUNE_ATTUNE_H
#define ATTUNE_ATTUNE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version -------------------------------------------------------------------------------------- */

/* The one source of the version; the build and the package files read these lines. */
#define ATTUNE_VERSION_MAJOR 0
#define ATTUNE_VERSION_MINOR 1
#define ATTUNE_VERSION_PATCH 0
#define ATTUNE_VERSION_NUMBER \
  (ATTUNE_VERSION_MAJOR * 10000 + ATTUNE_VERSION_MINOR * 100 + ATTUNE_VERSION_PATCH)

#if defined(__GNUC__)
#define ATTUNE_API __attribute__((visibility("default")))
#else
#define ATTUNE_API
#endif

#ifdef __cplusplus
/* An enum holds any int, as it does in C, so that a wrong value can be looked at and refused. */
#define ATTUNE_ENUM_TYPE : int
/* Designated initialisers are C++20, and warned about for the fields they leave out. */
#define ATTUNE_STRUCT_INIT(type)                  \
  [] {                                            \
    type attune_init = {};                        \
    attune_init.struct_size = sizeof attune_init; \
    return attune_init;                           \
  }()
#else
#define ATTUNE_ENUM_TYPE
#define ATTUNE_STRUCT_INIT(type) \
  { .struct_size = sizeof(type) }
#endif

/* The version of the library that is loaded, as ATTUNE_VERSION_NUMBER. Never fails. Since 0.1. */
ATTUNE_API int32_t attune_version(void);

/* ---- Thread safety --------------------------------------------------------------------------------
 *
 * attune_context_t  internally locked: any thread may use it at any time, but destroy it once and last.
 * attune_plan_t     immutable: threads may execute one plan at once, each with its own workspace.
 * descriptions      plain data, read during the call only.
 *
 * The message of the last error belongs to the calling thread.
 * After fork() the child must not use what the parent created: calls return ATTUNE_ERROR_CONTEXT_LOST, and
 * destroying does nothing. It may create a context of its own; on cuda only if the parent had none.
 *
 * ---- Struct versions ------------------------------------------------------------------------------
 *
 * Every struct starts with struct_size, filled in by its _INIT macro, and only ever grows at its end.
 * A caller older than the library passes a shorter struct: what is missing reads as zero, and fields are
 * added such that zero means what was before. A caller newer than the library passes a longer one:
 * accepted while the unknown tail is zero, else ATTUNE_ERROR_UNSUPPORTED names the offset.
 * Of a struct that the library fills, it writes no more than struct_size bytes.
 *
 * ---- Status --------------------------------------------------------------------------------------- */

/* Name, fixed value, text. Values are never reused. */
#define ATTUNE_STATUS_MAP(X)                                                               \
  X(ATTUNE_OK, 0, "ok")                                                                    \
  X(ATTUNE_ERROR_INVALID_ARGUMENT, 1, "invalid argument")                                  \
  X(ATTUNE_ERROR_UNSUPPORTED, 2, "the problem is valid but not supported")                 \
  X(ATTUNE_ERROR_CAPACITY, 3, "more than the plan's capacity")                             \
  X(ATTUNE_ERROR_WORKSPACE, 4, "workspace missing, too small or misaligned")               \
  X(ATTUNE_ERROR_NO_DEVICE, 5, "no usable device or driver")                               \
  X(ATTUNE_ERROR_NO_COMPILER, 6, "no usable run-time compiler")                            \
  X(ATTUNE_ERROR_INCOMPATIBLE_DRIVER, 7, "the compiler is newer than the driver can load") \
  X(ATTUNE_ERROR_NO_FEASIBLE_CONFIG, 8, "no configuration fits the device")                \
  X(ATTUNE_ERROR_COMPILE_FAILED, 9, "a kernel did not compile")                            \
  X(ATTUNE_ERROR_LAUNCH_FAILED, 10, "a kernel could not be launched or failed")            \
  X(ATTUNE_ERROR_OUT_OF_MEMORY, 11, "out of memory")                                       \
  X(ATTUNE_ERROR_CONTEXT_LOST, 12, "the context is gone (device reset or fork)")           \
  X(ATTUNE_ERROR_DATABASE, 13, "the tuning database cannot be used")                       \
  X(ATTUNE_ERROR_INTERNAL, 14, "internal error")

typedef enum attune_status ATTUNE_ENUM_TYPE {
#define ATTUNE_STATUS_ENUMERATOR(name, value, text) name = value,
  ATTUNE_STATUS_MAP(ATTUNE_STATUS_ENUMERATOR)
#undef ATTUNE_STATUS_ENUMERATOR
} attune_status;

/* The text of a status; a fixed text for values that are not statuses. Never NULL. Since 0.1. */
ATTUNE_API const char* attune_status_string(attune_status status);

/* Why the last failing call on this thread failed, with the numbers; "" when none failed yet. Calls that
 * succeed leave it. Valid until the next attune call on this thread. Never NULL. Since 0.1. */
ATTUNE_API const char* attune_last_error_message(void);

/* ---- Context: one device, its compiled kernels and its tuning database ------------------------------- */

typedef struct attune_context* attune_context_t;

typedef enum attune_tuning ATTUNE_ENUM_TYPE {
  ATTUNE_TUNING_DEFAULT = 0, /* the environment's ATTUNE_TUNING, else miss */
  ATTUNE_TUNING_MISS = 1,    /* tune at plan creation, within tuning_seconds, when no fresh record exists */
  ATTUNE_TUNING_OFF = 2,     /* never time anything: a record, else the cost model's choice */
  ATTUNE_TUNING_FORCE = 3    /* tune at plan creation even when a record exists */
} attune_tuning;

typedef enum attune_log_level ATTUNE_ENUM_TYPE {
  ATTUNE_LOG_OFF = 0,
  ATTUNE_LOG_ERROR = 1,
  ATTUNE_LOG_WARNING = 2,
  ATTUNE_LOG_INFO = 3,
  ATTUNE_LOG_DEBUG = 4
} attune_log_level;

/* Called from any thread, one call at a time. Must not call attune. `message` lives for the call. */
typedef void (*attune_log_callback)(attune_log_level level, const char* message, void* user_data);

/* A NULL, empty or zero field takes the environment's value, and without one the default. Strings are UTF-8
 * and copied. */
typedef struct attune_context_options {
  size_t struct_size;
  const char*
      device; /* cuda[:n], simt[:sm_XX], recorded[:GPU], reference, auto; ATTUNE_DEVICE; default "cuda" */
  const char* cache_dir;    /* of database and images, "" = memory only; ATTUNE_CACHE_DIR; else cache home */
  const char* nvrtc_path;   /* libnvrtc.so file or its directory; ATTUNE_NVRTC; default: searched */
  const char* template_dir; /* kernel templates instead of the embedded ones; ATTUNE_TEMPLATE_DIR */
  attune_tuning tuning;     /* ATTUNE_TUNING = miss | off | force; default miss */
  attune_log_level log_level;       /* ATTUNE_LOG = off | error | warning | info | debug; default off */
  attune_log_callback log_callback; /* NULL: standard error */
  void* log_user_data;
  double margin_fraction;       /* safety margin of the budget, 0 to 0.9 of each device limit; default 0 */
  int64_t margin_bytes;         /* safety margin in bytes of shared memory; default 0 */
  double tuning_seconds;        /* bound on tuning at plan creation, seconds of wall time; default 3 */
  int64_t tuning_scratch_bytes; /* bound on its memory beside 5 % of what is free, bytes; default 256 MiB */
  int32_t check; /* 1: expensive checks at execute: overlapping outputs, and whether backward's lse is that of
                  * q and k, on sampled rows; ATTUNE_CHECK = 0 | 1 */
  int32_t reserved; /* 0 */
  /* A tuning database file that is only read, asked after the one in cache_dir; it belongs to this user or to
   * root, nobody else can write to it. One that cannot be used costs one logged warning. Default: none. */
  const char* site_database;
  const char* worker_path; /* attune-tune, for trials; "" = this process; NULL = ours */
} attune_context_options;

#define ATTUNE_CONTEXT_OPTIONS_INIT ATTUNE_STRUCT_INIT(attune_context_options)

/* Creates a context. `options` may be NULL: all defaults. "cuda" binds the calling thread's current CUDA
 * context, else device 0's primary context; "auto" takes cuda when it works, else simt, the CPU emulator,
 * which is correct and slow. "recorded" answers tuning from stored trials of a real GPU that need not be
 * here: plans can be made and asked, executing them and its memory are UNSUPPORTED. "reference" computes in
 * double precision on the CPU: slow, without compiler or tuning, in host memory and at once. A cache
 * directory that cannot be used costs one logged warning, and memory takes its place. A compiler is looked
 * for when the first kernel is built. Errors: INVALID_ARGUMENT, UNSUPPORTED, NO_DEVICE (names the way out),
 * OUT_OF_MEMORY. Since 0.1. */
ATTUNE_API attune_status attune_context_create(attune_context_t* context,
                                               const attune_context_options* options);

/* Destroys the context. Its plans must be destroyed before it, and its memory freed: a plan that outlives
 * its context must neither be used nor destroyed. NULL is allowed. Since 0.1. */
ATTUNE_API void attune_context_destroy(attune_context_t context);

typedef struct attune_device_info {
  size_t struct_size;
  char backend[16];                /* "cuda", "simt", "recorded" or "reference" */
  char name[128];                  /* as the driver says it */
  char arch[16];                   /* "sm_90a" */
  int32_t multiprocessors;         /* count */
  int32_t reserved;                /* 0 */
  int64_t shared_memory_per_block; /* bytes a block may opt in to */
  int64_t global_memory;           /* bytes; 0 elsewhere than on cuda */
} attune_device_info;

#define ATTUNE_DEVICE_INFO_INIT ATTUNE_STRUCT_INIT(attune_device_info)

/* What the context runs on. Errors: INVALID_ARGUMENT, UNSUPPORTED, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_context_get_device_info(attune_device_info* info, attune_context_t context);

/* ---- Problem description ------------------------------------------------------------------------------ */

typedef enum attune_operation ATTUNE_ENUM_TYPE {
  ATTUNE_FORWARD = 0,
  ATTUNE_BACKWARD = 1 /* the gradients of q, k and v */
} attune_operation;

/* 0 is invalid. */
typedef enum attune_dtype ATTUNE_ENUM_TYPE {
  ATTUNE_F16 = 1,
  ATTUNE_BF16 = 2, /* compute capability 8.0 */
  ATTUNE_F32 = 3,
  ATTUNE_F64 = 4
} attune_dtype;

/* Order of the dimensions of q, k, v and o in memory; 0 is invalid. */
typedef enum attune_layout ATTUNE_ENUM_TYPE {
  ATTUNE_BHSD = 1,   /* [batch, head, sequence, dim], dense */
  ATTUNE_BSHD = 2,   /* [batch, sequence, head, dim], dense */
  ATTUNE_STRIDED = 3 /* each tensor's strides are read */
} attune_layout;

typedef enum attune_mask ATTUNE_ENUM_TYPE {
  ATTUNE_MASK_NONE = 0,
  ATTUNE_MASK_CAUSAL = 1,         /* query i sees key j when j <= i + seqlen_kv - seqlen_q (bottom right) */
  ATTUNE_MASK_CAUSAL_TOP_LEFT = 2 /* query i sees key j when j <= i */
} attune_mask;

/* Bits of attune_attention_desc.flags. */
#define ATTUNE_PLAN_SINGLE_CONFIG UINT64_C(1) /* one for all lengths: the same bits in any batch */
#define ATTUNE_PLAN_DETERMINISTIC \
  UINT64_C(2) /* bitwise repeatable; both passes are, in this version, anyway */

/* What a plan is made for. Capacities bound what execute may be given; lengths may be smaller at every call.
 * Reserved fields must be as _INIT leaves them; they name what later versions add. */
typedef struct attune_attention_desc {
  size_t struct_size;
  attune_operation operation;
  attune_dtype dtype; /* of q, k, v, o; statistics are f32 */
  attune_layout layout;
  attune_mask mask;
  int64_t heads_q;       /* a multiple of heads_kv: query head h reads kv head h / (heads_q / heads_kv) */
  int64_t heads_kv;      /* 0: heads_q */
  int64_t head_dim;      /* of q and k: 1 to 256 */
  int64_t head_dim_v;    /* of v and o: 1 to 256; 0: head_dim */
  int64_t max_batch;     /* capacity, sequences */
  int64_t max_seqlen_q;  /* capacity, rows */
  int64_t max_seqlen_kv; /* capacity, rows */
  uint64_t flags;        /* ATTUNE_PLAN_* */
  int64_t page_size;     /* reserved: 0 */
  uint64_t features;     /* reserved: 0 (softcap, bias, dropout, alibi, sink, varlen) */
} attune_attention_desc;

#define ATTUNE_ATTENTION_DESC_INIT ATTUNE_STRUCT_INIT(attune_attention_desc)

/* ---- Plan: a problem bound to a config and a compiled kernel ------------------------------------------ */

typedef struct attune_plan* attune_plan_t;

/* How the plan's config was found. */
typedef enum attune_match ATTUNE_ENUM_TYPE {
  ATTUNE_MATCH_DEFAULT = 0, /* the cost model's choice: nothing was measured */
  ATTUNE_MATCH_NEAR = 1,    /* measured for other lengths or batches, the nearest known, on this device */
  ATTUNE_MATCH_EXACT = 2 /* measured for this class of problems on this device, maybe by an older version */
} attune_match;

/* Creates a plan: looks up or tunes a config (ATTUNE_TUNING), compiles or loads its kernel. May take
 * seconds; takes no part in stream captures. A description that this context has planned before takes
 * microseconds, but for ATTUNE_TUNING_FORCE. Where the database knows of faster configs for other lengths,
 * the plan holds up to three of those, too, unless ATTUNE_PLAN_SINGLE_CONFIG forbids it. Errors:
 * INVALID_ARGUMENT, UNSUPPORTED, NO_COMPILER, INCOMPATIBLE_DRIVER, NO_FEASIBLE_CONFIG, COMPILE_FAILED,
 * OUT_OF_MEMORY, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_plan_create(attune_plan_t* plan, attune_context_t context,
                                            const attune_attention_desc* desc);

/* Destroys the plan; executions must be complete. NULL is allowed. Since 0.1. */
ATTUNE_API void attune_plan_destroy(attune_plan_t plan);

/* Bytes of device memory that execute takes, for every length up to capacity; constant for the plan's life;
 * 0 is possible. Errors of this and of the next three: INVALID_ARGUMENT, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_plan_get_workspace_size(attune_plan_t plan, size_t* bytes);

/* How the config was found; of the stages of backward, the one that is known least. Since 0.1. */
ATTUNE_API attune_status attune_plan_get_match(attune_plan_t plan, attune_match* match);

/* The family and config for the plan's capacity as text, such as "flash_fwd BLOCK_M=128 ..."; of the stages
 * of backward, with "; " between. Lives as long as the plan. Since 0.1. */
ATTUNE_API attune_status attune_plan_get_config(attune_plan_t plan, const char** config);

/* A hash of all that decides the bits of the plan's results: configs, images, which lengths take which, how
 * keys are divided, device. Plans of equal fingerprints, in whatever process, give equal bits for equal
 * inputs (and a workspace for all or none); compare it between ranks or runs. Since 0.1. */
ATTUNE_API attune_status attune_plan_get_fingerprint(attune_plan_t plan, uint64_t* fingerprint);

/* One tensor, for ever: address of element [0, 0, 0, 0] and strides of (batch, head, row, column) in
 * elements. Strides are read under ATTUNE_STRIDED only; there a stride of 0 broadcasts an input, and the
 * column stride must be 1. */
typedef struct attune_tensor {
  void* data;
  int64_t stride[4];
} attune_tensor;

#define ATTUNE_SAME_AS_PLAN INT64_C(-1)

/* What one execution reads and writes. Device memory. Any alignment of whole elements works; rows that all
 * start on a boundary of 16 bytes (address and strides) are read and written faster.
 *
 * q    [batch, heads_q, seqlen_q, head_dim]     o    [batch, heads_q, seqlen_q, head_dim_v]
 * k    [batch, heads_kv, seqlen_kv, head_dim]   lse  [batch, heads_q, seqlen_q], dense, f32 (f64 for f64)
 * v    [batch, heads_kv, seqlen_kv, head_dim_v]
 *
 * ATTUNE_FORWARD reads q, k, v and writes o, lse. ATTUNE_BACKWARD reads these five and dout, dlse, and writes
 * dq, dk, dv, each as what it is the gradient of; dk and dv are sums over the query heads of a group. A row
 * that saw no key (lse = -inf) has no gradient and gives none. Outputs overlap nothing, nor the workspace.
 *
 * Reserved fields must be as _INIT leaves them. */
typedef struct attune_attention_args {
  size_t struct_size;
  attune_tensor q, k, v, o;
  void* lse;     /* natural-log sum of exp of each row, -inf if fully masked; forward: NULL is not written */
  int64_t batch; /* ATTUNE_SAME_AS_PLAN: max_batch */
  int64_t seqlen_q;                  /* ATTUNE_SAME_AS_PLAN: max_seqlen_q */
  int64_t seqlen_kv;                 /* ATTUNE_SAME_AS_PLAN: max_seqlen_kv */
  double scale;                      /* of the scores; 0: 1 / sqrt(head_dim) */
  attune_tensor dout, dq, dk, dv;    /* backward; dq, dk, dv: data NULL is not computed, but not all three */
  attune_tensor bias, dbias;         /* reserved */
  const void* dlse;                  /* backward: gradient of lse, of its shape and dtype; NULL: zero */
  double softcap;                    /* reserved */
  int64_t window_left, window_right; /* reserved; -1: unlimited */
  const int32_t *cu_seqlens_q, *cu_seqlens_k; /* reserved: varlen */
  const int32_t *seqused_q, *seqused_k;       /* reserved: varlen */
  const int32_t* page_table;                  /* reserved: pages */
  int64_t page_table_stride;                  /* reserved: pages */
  double dropout_p;                           /* reserved */
  uint64_t philox_seed, philox_offset;        /* reserved: dropout */
  const uint64_t* philox_device;              /* reserved: dropout */
  const float* sink;                          /* reserved */
  const float* alibi;                         /* reserved */
} attune_attention_args;

#ifdef __cplusplus
#define ATTUNE_ATTENTION_ARGS_INIT                                                          \
  [] {                                                                                      \
    attune_attention_args attune_init = {};                                                 \
    attune_init.struct_size = sizeof attune_init;                                           \
    attune_init.batch = attune_init.seqlen_q = attune_init.seqlen_kv = ATTUNE_SAME_AS_PLAN; \
    attune_init.window_left = attune_init.window_right = -1;                                \
    return attune_init;                                                                     \
  }()
#else
#define ATTUNE_ATTENTION_ARGS_INIT                                                                           \
  {                                                                                                          \
    .struct_size = sizeof(attune_attention_args), .batch = ATTUNE_SAME_AS_PLAN,                              \
    .seqlen_q = ATTUNE_SAME_AS_PLAN, .seqlen_kv = ATTUNE_SAME_AS_PLAN, .window_left = -1, .window_right = -1 \
  }
#endif

struct CUstream_st;

/* Checks, packs and launches: no allocation, lock, synchronisation or compile; capturable in a CUDA graph.
 * Asynchronous on `stream` (NULL, 1 and 2: CUDA's own default streams), programmatic launches behind it must
 * wait for its outputs; synchronous on simt and reference. batch = 0 and seqlen_q = 0 launch nothing;
 * seqlen_kv = 0 writes o = 0, lse = -inf. Backward is at most three launches; seqlen_q = 0 writes dk = dv =
 * 0, seqlen_kv = 0 dq = 0. `workspace`: 256-byte aligned device memory, attune_plan_get_workspace_size bytes
 * or more; NULL for a slower forward. A kernel's fault shows at the next synchronisation; on simt, here.
 * Errors: INVALID_ARGUMENT, UNSUPPORTED, CAPACITY, WORKSPACE, LAUNCH_FAILED, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_plan_execute(attune_plan_t plan, const attune_attention_args* args,
                                             void* workspace, size_t workspace_bytes,
                                             struct CUstream_st* stream);

/* Prepares a workspace before its first execute and after a failed one; fresh memory serves as it is, too.
 * Takes NULL as execute does. Errors: INVALID_ARGUMENT, WORKSPACE, LAUNCH_FAILED, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_workspace_init(attune_plan_t plan, void* workspace, size_t workspace_bytes,
                                               struct CUstream_st* stream);

/* ---- Tuning ------------------------------------------------------------------------------------------- */

typedef struct attune_tune_options {
  size_t struct_size;
  double seconds;   /* bound on wall time; 0: none, every candidate is tried */
  int32_t force;    /* 1: tune again although a record exists */
  int32_t reserved; /* 0 */
} attune_tune_options;

#define ATTUNE_TUNE_OPTIONS_INIT ATTUNE_STRUCT_INIT(attune_tune_options)

/* Tunes for a problem now and keeps every trial in the database; later plans of its class take the winner.
 * Uses scratch memory only. `options` may be NULL. On simt, whose times say nothing about a GPU, at most 8
 * candidates are tried, and plan creation tunes under ATTUNE_TUNING_FORCE only; reference has nothing to
 * tune. Errors: as attune_plan_create, and LAUNCH_FAILED. Since 0.1. */
ATTUNE_API attune_status attune_context_tune(attune_context_t context, const attune_attention_desc* desc,
                                             const attune_tune_options* options);

/* ---- Memory, for programs without CUDA headers ------------------------------------------------------- */

/* Device memory, 256-byte aligned; host memory on simt and reference. bytes = 0 gives NULL.
 * Errors: INVALID_ARGUMENT, OUT_OF_MEMORY, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_memory_allocate(void** pointer, attune_context_t context, size_t bytes);

/* Frees what attune_memory_allocate gave; NULL is allowed. Errors: INVALID_ARGUMENT, CONTEXT_LOST.
 * Since 0.1. */
ATTUNE_API attune_status attune_memory_free(attune_context_t context, void* pointer);

/* Copies between host and device in either direction, after the work queued in the default stream, and
 * returns when done. Errors: INVALID_ARGUMENT, LAUNCH_FAILED (of that work), CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_memory_copy(attune_context_t context, void* destination, const void* source,
                                            size_t bytes);

/* Waits for the stream's work and reports its faults.
 * Errors: INVALID_ARGUMENT, LAUNCH_FAILED, CONTEXT_LOST. Since 0.1. */
ATTUNE_API attune_status attune_stream_synchronize(attune_context_t context, struct CUstream_st* stream);

#ifdef __cplusplus
}
#endif

#endif /* ATTUNE_ATTUNE_H */
