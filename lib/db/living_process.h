// LivingProcess: a process by a name that outlives it, so that others can tell whether it still lives.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// "process 1234 since 567890 of boot 0a1b...": the start and the boot tell it from a later one of that
// number.
std::string name_of_this_process();

// False for a process of another boot, and for what is no such name.
bool is_alive(std::string_view process_name);

}  // namespace attune
