// Blocks of a Markdown document that are generated from the code, between marker comments:
//   <!-- generated: supported -->
//   ...
//   <!-- /generated -->
#pragma once

#include <string>
#include <string_view>

namespace attune {

// The document with every block as the code has it now. Blocks: supported, environment. Throws Error
// (INVALID_ARGUMENT) with the line for an unknown name and for a marker without its other.
std::string with_generated_blocks(std::string_view document);

// The environment variables as a Markdown table.
std::string environment_markdown();

}  // namespace attune
