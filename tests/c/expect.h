/* For the C tests: a call must return a status, and when it fails, a message that holds given words and
 * numbers. */
#ifndef ATTUNE_TESTS_C_EXPECT_H
#define ATTUNE_TESTS_C_EXPECT_H

#include <attune/attune.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

/* `words` are separated by '|'. */
static void expect_status(attune_status got, attune_status want, const char* words, const char* call,
                          int line) {
  if (got != want) {
    fprintf(stderr, "line %d: %s: %d (%s), not %d (%s): %s\n", line, call, got, attune_status_string(got),
            want, attune_status_string(want), attune_last_error_message());
    ++failures;
    return;
  }
  if (want == ATTUNE_OK) return;
  const char* message = attune_last_error_message();
  if (*message == '\0') {
    fprintf(stderr, "line %d: %s: no message\n", line, call);
    ++failures;
  }
  while (*words != '\0') {
    char word[128];
    const size_t length = strcspn(words, "|");
    snprintf(word, sizeof word, "%.*s", (int)length, words);
    if (strstr(message, word) == NULL) {
      fprintf(stderr, "line %d: %s: '%s' is not in the message: %s\n", line, call, word, message);
      ++failures;
    }
    words += length + (words[length] == '|');
  }
}

#define EXPECT_OK(call) expect_status((call), ATTUNE_OK, "", #call, __LINE__)
#define EXPECT_ERROR(status, words, call) \
  expect_status((call), ATTUNE_ERROR_##status, (words), #call, __LINE__)

/* Any condition. */
static inline void expect_condition(int holds, const char* what, int line) {
  if (holds) return;
  fprintf(stderr, "line %d: not so: %s\n", line, what);
  ++failures;
}
#define EXPECT(condition) expect_condition((condition), #condition, __LINE__)

#endif
