/* Every function of attune.h with NULL and with bad sizes: a status and a message with the numbers, never a
 * crash. */
#include "expect.h"

#include <stdint.h>

static attune_attention_desc small_problem(void) {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_BF16;
  desc.layout = ATTUNE_BSHD;
  desc.heads_q = 2;
  desc.heads_kv = 1;
  desc.head_dim = 64;
  desc.max_batch = 1;
  desc.max_seqlen_q = desc.max_seqlen_kv = 16;
  return desc;
}

static void without_a_context(void) {
  attune_context_t const none = NULL;
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  attune_attention_desc desc = small_problem();
  attune_plan_t plan = (attune_plan_t)&info;
  void* pointer = &info;

  EXPECT(strcmp(attune_last_error_message(), "") == 0);
  EXPECT(strcmp(attune_status_string(ATTUNE_OK), "ok") == 0);
  EXPECT(strlen(attune_status_string((attune_status)-1)) > 0);
  EXPECT(strlen(attune_status_string((attune_status)99)) > 0);
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_context_create(NULL, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_context_get_device_info(&info, none));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_plan_create(&plan, none, &desc));
  EXPECT(plan == NULL);
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_context_tune(none, &desc, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_memory_allocate(&pointer, none, 16));
  EXPECT(pointer == NULL);
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_memory_free(none, &info));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_memory_copy(none, &info, &desc, 1));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_stream_synchronize(none, NULL));
  attune_context_destroy(NULL);
}

static void without_a_plan(void) {
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  size_t bytes = 7;
  attune_match match = ATTUNE_MATCH_EXACT;
  const char* config = "?";
  uint64_t fingerprint = 7;

  EXPECT_ERROR(INVALID_ARGUMENT, "plan|NULL", attune_plan_get_workspace_size(NULL, &bytes));
  EXPECT_ERROR(INVALID_ARGUMENT, "plan|NULL", attune_plan_get_match(NULL, &match));
  EXPECT_ERROR(INVALID_ARGUMENT, "plan|NULL", attune_plan_get_config(NULL, &config));
  EXPECT_ERROR(INVALID_ARGUMENT, "plan|NULL", attune_plan_get_fingerprint(NULL, &fingerprint));
  EXPECT(bytes == 0 && match == ATTUNE_MATCH_DEFAULT && config == NULL && fingerprint == 0);
  EXPECT_ERROR(INVALID_ARGUMENT, "plan|NULL", attune_plan_execute(NULL, &args, NULL, 0, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "plan|NULL", attune_workspace_init(NULL, NULL, 0, NULL));
  attune_plan_destroy(NULL);
}

static void bad_context_options(void) {
  attune_context_t context = NULL;
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  options.struct_size = 0;
  EXPECT_ERROR(INVALID_ARGUMENT, "struct_size = 0|16", attune_context_create(&context, &options));
  options.struct_size = SIZE_MAX;
  EXPECT_ERROR(INVALID_ARGUMENT, "18446744073709551615|4096", attune_context_create(&context, &options));
  options = (attune_context_options)ATTUNE_CONTEXT_OPTIONS_INIT;
  options.device = "toaster";
  EXPECT_ERROR(INVALID_ARGUMENT, "toaster|cuda|simt|auto", attune_context_create(&context, &options));
  EXPECT(context == NULL);
}

/* With a context on the emulator; nothing here compiles a kernel. */
static void bad_calls_on(attune_context_t context) {
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  attune_attention_desc desc = small_problem();
  attune_tune_options tune = ATTUNE_TUNE_OPTIONS_INIT;
  attune_plan_t plan = NULL;
  void* pointer = NULL;

  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_context_get_device_info(NULL, context));
  info.struct_size = 3;
  EXPECT_ERROR(INVALID_ARGUMENT, "struct_size = 3|24", attune_context_get_device_info(&info, context));

  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_plan_create(NULL, context, &desc));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_plan_create(&plan, context, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_context_tune(context, NULL, NULL));
  desc.struct_size = 8;
  EXPECT_ERROR(INVALID_ARGUMENT, "struct_size = 8|80", attune_plan_create(&plan, context, &desc));
  EXPECT_ERROR(INVALID_ARGUMENT, "struct_size = 8|80", attune_context_tune(context, &desc, NULL));
  desc = small_problem();
  desc.heads_q = -3;
  EXPECT_ERROR(INVALID_ARGUMENT, "heads_q = -3", attune_plan_create(&plan, context, &desc));
  EXPECT_ERROR(INVALID_ARGUMENT, "heads_q = -3", attune_context_tune(context, &desc, NULL));
  desc = small_problem();
  tune.struct_size = 15;
  EXPECT_ERROR(INVALID_ARGUMENT, "struct_size = 15|16", attune_context_tune(context, &desc, &tune));
  EXPECT(plan == NULL);

  EXPECT_ERROR(INVALID_ARGUMENT, "16 bytes|NULL", attune_memory_allocate(NULL, context, 16));
  EXPECT_ERROR(OUT_OF_MEMORY, "18446744073709551615", attune_memory_allocate(&pointer, context, SIZE_MAX));
  EXPECT(pointer == NULL);
  EXPECT_OK(attune_memory_allocate(&pointer, context, 0));
  EXPECT(pointer == NULL);
  EXPECT_OK(attune_memory_free(context, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "8 bytes|destination", attune_memory_copy(context, NULL, &info, 8));
  EXPECT_ERROR(INVALID_ARGUMENT, "8 bytes|source", attune_memory_copy(context, &info, NULL, 8));
  EXPECT_OK(attune_memory_copy(context, NULL, NULL, 0));
  EXPECT_ERROR(INVALID_ARGUMENT, "stream", attune_stream_synchronize(context, (struct CUstream_st*)&info));
  EXPECT_OK(attune_stream_synchronize(context, NULL));
}

static void bad_calls_on_a_plan(attune_context_t context) {
  const attune_attention_desc desc = small_problem();
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  attune_plan_t plan = NULL;

  EXPECT_OK(attune_plan_create(&plan, context, &desc));
  if (plan == NULL) return;
  EXPECT_ERROR(INVALID_ARGUMENT, "bytes|NULL", attune_plan_get_workspace_size(plan, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "match|NULL", attune_plan_get_match(plan, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "config|NULL", attune_plan_get_config(plan, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "fingerprint|NULL", attune_plan_get_fingerprint(plan, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "NULL", attune_plan_execute(plan, NULL, NULL, 0, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "q.data|NULL", attune_plan_execute(plan, &args, NULL, 0, NULL));
  args.struct_size = sizeof(size_t);
  EXPECT_ERROR(INVALID_ARGUMENT, "struct_size = 8", attune_plan_execute(plan, &args, NULL, 0, NULL));
  EXPECT_ERROR(WORKSPACE, "256", attune_workspace_init(plan, (void*)(uintptr_t)264, 1024, NULL));
  attune_plan_destroy(plan);
}

static void bad_calls_on_a_backward_plan(attune_context_t context) {
  attune_attention_desc desc = small_problem();
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  attune_plan_t plan = NULL;
  size_t bytes = 0;
  void* workspace = NULL;

  desc.operation = (attune_operation)2;
  EXPECT_ERROR(INVALID_ARGUMENT, "operation = 2|backward = 1", attune_plan_create(&plan, context, &desc));
  desc.operation = ATTUNE_BACKWARD;
  EXPECT_OK(attune_plan_create(&plan, context, &desc));
  if (plan == NULL) return;
  EXPECT_OK(attune_plan_get_workspace_size(plan, &bytes));
  EXPECT(bytes > 0);
  EXPECT_ERROR(WORKSPACE, "0 bytes", attune_plan_execute(plan, &args, NULL, 0, NULL));
  EXPECT_OK(attune_memory_allocate(&workspace, context, bytes));
  EXPECT_ERROR(WORKSPACE, "are needed", attune_plan_execute(plan, &args, workspace, bytes - 1, NULL));
  EXPECT_ERROR(INVALID_ARGUMENT, "dq, dk and dv|NULL",
               attune_plan_execute(plan, &args, workspace, bytes, NULL));
  args.dq.data = workspace;
  EXPECT_ERROR(INVALID_ARGUMENT, "q.data|NULL", attune_plan_execute(plan, &args, workspace, bytes, NULL));
  args.batch = 0;
  EXPECT_OK(attune_plan_execute(plan, &args, workspace, bytes, NULL));
  EXPECT_OK(attune_workspace_init(plan, workspace, bytes, NULL));
  EXPECT_OK(attune_memory_free(context, workspace));
  attune_plan_destroy(plan);
}

int main(void) {
  attune_context_t context = NULL;
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  options.device = "simt:sm_80";
  options.cache_dir = ""; /* memory only */
  options.tuning = ATTUNE_TUNING_OFF;

  without_a_context();
  without_a_plan();
  bad_context_options();
  EXPECT_OK(attune_context_create(&context, &options));
  if (context != NULL) {
    bad_calls_on(context);
    bad_calls_on_a_plan(context);
    bad_calls_on_a_backward_plan(context);
  }
  attune_context_destroy(context);
  if (failures != 0) fprintf(stderr, "%d expectations failed\n", failures);
  return failures != 0;
}
