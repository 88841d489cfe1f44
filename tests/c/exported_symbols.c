/* What the shared library exports is what exported_symbols.txt lists, neither more nor less: a symbol that
 * goes breaks programs, and one that slips out becomes a promise. Uses nm. */
#define _POSIX_C_SOURCE 200809L
#include <attune/attune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SYMBOLS = 256, MAX_LINE = 4096, SKIPPED = 4 };

typedef struct symbols {
  char* name[MAX_SYMBOLS];
  int count;
} symbols;

/* The last word of each line, if it has any. */
static void read_symbols(FILE* file, symbols* found) {
  char line[MAX_LINE];
  while (found->count < MAX_SYMBOLS && fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    const char* space = strrchr(line, ' ');
    const char* name = space != NULL ? space + 1 : line;
    if (*name != '\0') found->name[found->count++] = strdup(name);
  }
}

/* The file of the libattune.so that this process has loaded. */
static int find_library(char* path, size_t size) {
  char line[MAX_LINE];
  int found = 0;
  FILE* maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
    const char* file = strchr(line, '/');
    if (file == NULL || strstr(file, "/libattune.so") == NULL) continue;
    snprintf(path, size, "%.*s", (int)strcspn(file, "\n"), file);
    found = 1;
  }
  if (maps != NULL) fclose(maps);
  return found;
}

static int report_missing(const symbols* from, const symbols* in, const char* what) {
  int missing = 0;
  for (int i = 0; i < from->count; ++i) {
    int found = 0;
    for (int j = 0; j < in->count && !found; ++j)
      found = strcmp(from->name[i], in->name[j]) == 0;
    if (found) continue;
    fprintf(stderr, "%s: %s\n", what, from->name[i]);
    ++missing;
  }
  return missing;
}

int main(void) {
  static symbols exported, listed;
  char library[MAX_LINE], command[MAX_LINE + 64], list[MAX_LINE];

  if (attune_version() == 0 || !find_library(library, sizeof library))
    return fprintf(stderr, "no libattune.so\n"), 1;
  snprintf(list, sizeof list, "%.*sexported_symbols.txt", (int)(strrchr(__FILE__, '/') + 1 - __FILE__),
           __FILE__);
  FILE* file = fopen(list, "r");
  if (file == NULL) return fprintf(stderr, "cannot read %s\n", list), 1;
  read_symbols(file, &listed);
  fclose(file);

  snprintf(command, sizeof command, "nm -D --defined-only '%s'", library);
  FILE* nm = popen(command, "r");
  if (nm != NULL) read_symbols(nm, &exported);
  if (nm == NULL || pclose(nm) != 0) return fprintf(stderr, "skipped: no nm\n"), SKIPPED;

  int wrong = report_missing(&exported, &listed, "exported but not listed");
  wrong += report_missing(&listed, &exported, "listed but not exported");
  return wrong != 0;
}
