// Version, statuses and the message of the last error.
#include "attune/attune.h"
#include "capi/boundary.h"

int32_t attune_version(void) {
  return ATTUNE_VERSION_NUMBER;
}

const char* attune_status_string(attune_status status) {
  switch (status) {
#define ATTUNE_STATUS_CASE(name, value, text) \
  case name:                                  \
    return text;
    ATTUNE_STATUS_MAP(ATTUNE_STATUS_CASE)
#undef ATTUNE_STATUS_CASE
  }
  return "not an attune_status";
}

const char* attune_last_error_message(void) {
  return attune::last_error_message();
}
