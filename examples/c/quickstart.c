/* attune in one screen: causal grouped-query attention in bf16 on whatever device there is, which
 * ATTUNE_DEVICE=cuda, simt or auto chooses. Needs no CUDA header. Returns 0 when the result is right. */
#include <attune/attune.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEQLEN = 128, HEADS_Q = 4, HEADS_KV = 2, DIM = 64, GROUP = HEADS_Q / HEADS_KV };
enum { Q_SIZE = SEQLEN * HEADS_Q * DIM, KV_SIZE = SEQLEN * HEADS_KV * DIM };

/* Leaves the program when a call fails; attune says why. */
static void check(attune_status status, const char* call) {
  if (status == ATTUNE_OK) return;
  fprintf(stderr, "%s: %s: %s\n", call, attune_status_string(status), attune_last_error_message());
  exit(1);
}
#define CHECK(call) check((call), #call)

/* bf16 is the upper half of a float. */
static uint16_t to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)(bits >> 16);
}

static float from_bf16(uint16_t value) {
  uint32_t bits = (uint32_t)value << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

/* Random numbers in device memory, copied from `host`: multiples of 1/128, which bf16 holds exactly. */
static void* upload_random(attune_context_t context, uint16_t* host, size_t count) {
  void* device;
  for (size_t i = 0; i < count; ++i)
    host[i] = to_bf16((float)(rand() % 255 - 127) / 128);
  CHECK(attune_memory_allocate(&device, context, count * sizeof *host));
  CHECK(attune_memory_copy(context, device, host, count * sizeof *host));
  return device;
}

int main(void) {
  static uint16_t q[Q_SIZE], k[KV_SIZE], v[KV_SIZE], o[Q_SIZE];
  static const char* const match_names[] = {"the cost model's choice", "measured for a similar problem",
                                            "measured for this problem"};

  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  if (!getenv("ATTUNE_DEVICE")) options.device = "auto"; /* a GPU, else the CPU emulator */
  attune_context_t context;
  CHECK(attune_context_create(&context, &options));
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  CHECK(attune_context_get_device_info(&info, context));
  printf("device  %s (%s, %s)\n", info.name, info.backend, info.arch);

  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_BF16;
  desc.layout = ATTUNE_BSHD;
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.heads_q = HEADS_Q;
  desc.heads_kv = HEADS_KV;
  desc.head_dim = DIM;
  desc.max_batch = 1;
  desc.max_seqlen_q = desc.max_seqlen_kv = SEQLEN;
  attune_plan_t plan;
  const char* config;
  attune_match match;
  size_t workspace_bytes;
  CHECK(attune_plan_create(&plan, context, &desc)); /* once; every length up to the capacity is served */
  CHECK(attune_plan_get_config(plan, &config));
  CHECK(attune_plan_get_match(plan, &match));
  CHECK(attune_plan_get_workspace_size(plan, &workspace_bytes));
  printf("config  %s\nmatch   %s\n", config, match_names[match]);

  void* workspace;
  CHECK(attune_memory_allocate(&workspace, context, workspace_bytes));
  CHECK(attune_workspace_init(plan, workspace, workspace_bytes, NULL));
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = upload_random(context, q, Q_SIZE);
  args.k.data = upload_random(context, k, KV_SIZE);
  args.v.data = upload_random(context, v, KV_SIZE);
  args.o.data = upload_random(context, o, Q_SIZE);
  CHECK(attune_plan_execute(plan, &args, workspace, workspace_bytes, NULL)); /* asynchronous */
  CHECK(attune_stream_synchronize(context, NULL));
  CHECK(attune_memory_copy(context, o, args.o.data, sizeof o));

  /* Row 0 sees key 0 only, so in every head it is row 0 of v, up to the rounding of bf16. */
  int wrong = 0;
  for (int i = 0; i < HEADS_Q * DIM; ++i) {
    const float want = from_bf16(v[i / DIM / GROUP * DIM + i % DIM]);
    if (!(fabsf(from_bf16(o[i]) - want) <= fabsf(want) / 128)) ++wrong; /* a NaN is wrong, too */
  }
  printf("result  %d of %d elements of row 0 are wrong\n", wrong, HEADS_Q * DIM);

  void* const memory[] = {args.q.data, args.k.data, args.v.data, args.o.data, workspace};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; ++i)
    CHECK(attune_memory_free(context, memory[i]));
  attune_plan_destroy(plan);
  attune_context_destroy(context);
  return wrong != 0;
}
