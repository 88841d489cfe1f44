// Recording: trials as text, for people's eyes, for diffs and for recordings/, which is packed into the
// library.
//
// A file of JSON lines. The first is {"attune_recording":1,"common":{...}}: the fields that most of the
// trials share. A line {"group":{...}} states what most of the trials up to the next such line share and
// `common` has not, or has otherwise. Every other line is a trial: the fields in which it differs from its
// group. Fields: see record_json.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/record.h"

namespace attune {

// Of these trials, in their order, what is worth keeping for others: trials on GPUs, of each candidate at
// each shape the newest, with its first 12 samples (median and interval stay those of all). Candidates that
// were over budget are left out: the budget says so again whenever it is asked.
std::vector<Record> worth_recording(const std::vector<Record>& records);

// The text; trials of one bucket and shape stand together. Empty for no records.
std::string write_recording(const std::vector<Record>& records);

// The trials of such a text, in its order. The text is hostile input: every line is checked by reject_reason,
// its config and its device key can be read. Throws Error (INVALID_ARGUMENT) with `where` and the line for
// the first that is not right.
std::vector<Record> read_recording(std::string_view text, std::string_view where);

}  // namespace attune
