#include "cache/image_file.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/hash.h"

namespace attune {
namespace {

constexpr std::string_view kMagic = "attune\x1a\n";
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kChecksumBytes = 32;
constexpr size_t kMaxLogBytes = size_t{1} << 20;
constexpr int64_t kMaxCount = int64_t{1} << 24;  // registers or bytes per thread, far above any GPU's

class Writer {
 public:
  void number(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      out_.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
  void text(std::string_view value) {
    number(value.size(), 8);
    out_.append(value);
  }
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

// Reads forward; once something is missing or out of range, it stays failed and gives zeros and empty texts.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view raw(uint64_t size) {
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t number(int bytes) {
    uint64_t value = 0;
    int shift = 0;
    for (const char byte : raw(static_cast<uint64_t>(bytes))) {
      value |= uint64_t{static_cast<unsigned char>(byte)} << shift;
      shift += 8;
    }
    return value;
  }
  std::string_view text() { return raw(number(8)); }
  int count() {
    const uint64_t value = number(8);
    if (value > kMaxCount) failed_ = true;
    return failed_ ? 0 : static_cast<int>(value);
  }
  bool failed() const { return failed_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

DecodedImage rejected(std::string reason) {
  return {.image = {}, .other_version = false, .reason = std::move(reason)};
}

}  // namespace

std::string encode_image(std::string_view key, const CompiledImage& image) {
  Writer payload;
  std::string_view log = image.log;
  if (log.size() > kMaxLogBytes) log.remove_prefix(log.size() - kMaxLogBytes);
  payload.text(key);
  payload.text(image.entry);
  payload.text(log);
  payload.text(image.hash);
  for (const int count : {image.registers, image.spill_bytes, image.static_shared_bytes}) {
    payload.number(static_cast<uint64_t>(count), 8);
  }
  payload.text(image.bytes);
  Writer version;
  version.number(kFormatVersion, 4);
  return fmt::format("{}{}{}{}", kMagic, version.bytes(), content_hash(payload.bytes()), payload.bytes());
}

DecodedImage decode_image(std::string_view key, std::string_view file) {
  Reader reader(file);
  if (reader.raw(kMagic.size()) != kMagic) return rejected("it is no image file");
  const uint64_t version = reader.number(4);
  const std::string_view checksum = reader.raw(kChecksumBytes);
  if (reader.failed()) return rejected(fmt::format("it ends after {} bytes, within its header", file.size()));
  if (version != kFormatVersion) {
    return {.image = {},
            .other_version = true,
            .reason = fmt::format("its format is {}, not {}", version, kFormatVersion)};
  }
  if (content_hash(reader.rest()) != checksum) return rejected("its checksum is wrong");
  // A checksum stops accidents, not authors.
  if (reader.text() != key) return rejected("it was written for another key");
  CompiledImage image;
  image.entry = reader.text();
  image.log = reader.text();
  image.hash = reader.text();
  image.registers = reader.count();
  image.spill_bytes = reader.count();
  image.static_shared_bytes = reader.count();
  image.bytes = reader.text();
  if (reader.failed()) return rejected("a length or number is out of range");
  if (!reader.rest().empty()) return rejected(fmt::format("{} bytes follow its end", reader.rest().size()));
  return {.image = std::move(image), .other_version = false, .reason = {}};
}

}  // namespace attune
