// attune_pack_recordings <output> [<recording>...] : runs at build, see PackRecordings.cmake.
#include <fmt/format.h>

#include <exception>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "db/packed_db.h"
#include "db/recording.h"

namespace {

void pack(const char* output, const std::vector<const char*>& recordings) {
  std::vector<attune::Record> records;
  for (const char* path : recordings) {
    const std::optional<std::string> text = attune::read_file(path);
    if (!text) attune::fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}: the file cannot be read", path);
    for (attune::Record& record : attune::read_recording(*text, path))
      records.push_back(std::move(record));
  }
  const std::string reason = attune::write_file_atomically(output, attune::pack_records(records));
  if (!reason.empty()) attune::fail(ATTUNE_ERROR_INTERNAL, "{}", reason);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) attune::fail(ATTUNE_ERROR_INVALID_ARGUMENT, "an output file is wanted");
    pack(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
