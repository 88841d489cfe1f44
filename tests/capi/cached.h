// A cache directory of one's own that knows the kernels of small_desc already, so that tests of what
// surrounds a kernel need not compile it.
#pragma once

#include <filesystem>
#include <string>

#include "attune/attune.h"
#include "base/files.h"
#include "capi/context.h"
#include "db/record.h"

namespace attune::capi_test {

class CachedOptions {
 public:
  CachedOptions();

  std::filesystem::path directory() const { return scratch_.path() / "cache"; }
  std::filesystem::path database() const { return directory() / "tuning.db"; }

  // On the emulator, with this cache directory.
  attune_context_options options;

 private:
  const ScratchDirectory scratch_;
  const std::string text_;
};

// A trial of the config that the cost model chooses for small_desc, as of a problem of these lengths.
Record small_record(attune_context& context, int64_t batch, int64_t seqlen_q, int64_t seqlen_kv);

// Creates a plan for small_desc on this context and CHECKs what it computes. Returns its match.
attune_match check_plan(attune_context_t context);

}  // namespace attune::capi_test
