#include "db/shipped_db.h"

// Defined in shipped_bytes.S.
extern "C" {
extern const unsigned char attune_shipped_db_begin[] __attribute__((visibility("hidden")));
extern const unsigned char attune_shipped_db_end[] __attribute__((visibility("hidden")));
}

namespace attune {

std::unique_ptr<TuningDb> open_shipped_db(const Log& log) {
  return TuningDb::open_packed({attune_shipped_db_begin, attune_shipped_db_end}, log);
}

}  // namespace attune
