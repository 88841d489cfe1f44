// A record as JSON, short enough for the repository: times in microseconds, numbers cut to 5 significant
// digits.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "db/record.h"

namespace attune {

// Every field of for_each_field under its name, in its order; but "samples" is "samples_us", and what ends in
// "_seconds" ends in "_us" and is in microseconds. A number that JSON does not have (an infinite error) is
// the text "inf", a clock that nobody read is null.
nlohmann::ordered_json record_to_json(const Record& record);

// Takes the fields that are there over into `record`. Empty on success, else which field is not what it must
// be; asks nothing else of the values (reject_reason does).
std::string read_record_json(const nlohmann::ordered_json& object, Record& record);

}  // namespace attune
