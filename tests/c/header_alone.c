/* The public header alone, as a C11 program sees it: it compiles first and by itself, _INIT leaves what it
 * says, and the layout is what bindings of other languages count on. */
#include <attune/attune.h>
#include <stdio.h>

_Static_assert(offsetof(attune_context_options, struct_size) == 0, "struct_size comes first");
_Static_assert(offsetof(attune_device_info, struct_size) == 0, "struct_size comes first");
_Static_assert(offsetof(attune_attention_desc, struct_size) == 0, "struct_size comes first");
_Static_assert(offsetof(attune_attention_args, struct_size) == 0, "struct_size comes first");
_Static_assert(offsetof(attune_tune_options, struct_size) == 0, "struct_size comes first");
_Static_assert(sizeof(attune_tensor) == 40 && offsetof(attune_tensor, stride) == 8,
               "attune_tensor is frozen for ever");
_Static_assert(sizeof(attune_dtype) == 4 && sizeof(attune_status) == 4, "enums are ints");
_Static_assert(ATTUNE_OK == 0 && ATTUNE_ERROR_INTERNAL == 14, "statuses have fixed values");

static int failures = 0;

static void expect(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "not so: %s\n", what);
  ++failures;
}
#define EXPECT(condition) expect((condition), #condition)

int main(void) {
  const attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  const attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  const attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  const attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  const attune_tune_options tune = ATTUNE_TUNE_OPTIONS_INIT;

  EXPECT(options.struct_size == sizeof options && options.device == NULL && options.check == 0);
  EXPECT(info.struct_size == sizeof info && info.name[0] == '\0');
  EXPECT(desc.struct_size == sizeof desc && desc.dtype == 0 && desc.features == 0);
  EXPECT(args.struct_size == sizeof args && args.q.data == NULL && args.alibi == NULL);
  EXPECT(args.batch == ATTUNE_SAME_AS_PLAN && args.seqlen_q == ATTUNE_SAME_AS_PLAN);
  EXPECT(args.seqlen_kv == ATTUNE_SAME_AS_PLAN && args.window_left == -1 && args.window_right == -1);
  EXPECT(tune.struct_size == sizeof tune && tune.seconds == 0);
  EXPECT(attune_version() == ATTUNE_VERSION_NUMBER);
  return failures != 0;
}
