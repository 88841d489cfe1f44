// Content hashes: XXH3-128, printed as 32 hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// Not cryptographic: finds corruption and tells contents apart, does not stop tampering.
std::string content_hash(std::string_view bytes);

}  // namespace attune
