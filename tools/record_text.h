// Records of the tuning database as text.
#pragma once

#include <string>
#include <vector>

#include "db/record.h"

namespace attune {

// A line per record, in the order given.
std::string records_table(const std::vector<Record>& records);

// The winner of each shape that was measured on each device, with the number of trials behind it.
std::string winners_table(const std::vector<Record>& records);

// Every field of one record, a line each.
std::string record_text(const Record& record);

// The records whose bucket or shape contains `text`.
std::vector<Record> records_matching(const std::vector<Record>& records, const std::string& text);

}  // namespace attune
