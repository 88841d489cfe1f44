// Problems as JSON: what `--problem` reads, with the names bench/results uses.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace attune {

// Of one word; throws UsageError with the words there are. "fwd" is "forward", as bench/results says it.
Operation parse_operation(std::string_view word);
DType parse_dtype(std::string_view word);
// `top_left` says where a causal mask is aligned. Throws UsageError for top_left alone.
Mask mask_of(bool causal, bool top_left, std::string_view where);

// One object, a list of them, or a result file of bench/ (an object with "rows"). Keys: op, dtype, b, hq,
// hkv, nq, nk, d_qk, d_v, causal, top_left, deterministic; op, dtype, hkv, d_v and the last three may be
// missing. Throws UsageError with `where` and the place in it. Problems come validated and are not empty.
std::vector<Problem> problems_from_json(std::string_view text, std::string_view where);

// The same keys.
nlohmann::json problem_to_json(const Problem& problem);

// Throws UsageError, prefixed with `where`, for a problem that is not valid or has nothing to compute.
void require_work(const Problem& problem, std::string_view where);

}  // namespace attune
