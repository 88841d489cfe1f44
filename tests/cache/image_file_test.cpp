#include "cache/image_file.h"

#include <random>

#include "base/hash.h"
#include "cache/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::cache_test;

namespace {

const std::string kKey(32, 'a');
constexpr size_t kHeaderBytes = 8 + 4 + 32;

// Gives a changed file the checksum of its payload, as a forger would.
std::string forged(std::string file) {
  return file.replace(12, 32, content_hash(file.substr(kHeaderBytes)));
}

}  // namespace

TEST_CASE("an image comes back as it was, but for the time it took") {
  CompiledImage image = image_of(std::string("cubin\0with\xff bytes", 17));
  const DecodedImage decoded = decode_image(kKey, encode_image(kKey, image));
  REQUIRE(decoded.image.has_value());
  CHECK(same_image(*decoded.image, image));
  CHECK(decoded.image->compile_seconds == 0);
  CHECK(decoded.reason.empty());
}

TEST_CASE("an empty image and a long log") {
  CompiledImage image;
  image.log = std::string(3 << 20, 'x') + "the end";
  const DecodedImage decoded = decode_image(kKey, encode_image(kKey, image));
  REQUIRE(decoded.image.has_value());
  CHECK(decoded.image->log.size() == size_t{1} << 20);
  CHECK(decoded.image->log.ends_with("the end"));
}

TEST_CASE("a file cut anywhere is no image, with or without a forged checksum") {
  const std::string file = encode_image(kKey, image_of("some bytes"));
  int accepted = 0;
  int silent = 0;
  for (size_t size = 0; size < file.size(); ++size) {
    const DecodedImage decoded = decode_image(kKey, file.substr(0, size));
    accepted += decoded.image.has_value();
    silent += decoded.reason.empty();
    if (size >= kHeaderBytes) accepted += decode_image(kKey, forged(file.substr(0, size))).image.has_value();
  }
  CHECK(accepted == 0);
  CHECK(silent == 0);
  CHECK_FALSE(decode_image(kKey, forged(file + "x")).image.has_value());
  CHECK_FALSE(decode_image(kKey, file + "x").image.has_value());
}

TEST_CASE("a file with any byte changed is no image") {
  const std::string file = encode_image(kKey, image_of("some bytes"));
  int accepted = 0;
  int other_version = 0;
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string changed = file;
      changed[at] ^= static_cast<char>(change);
      const DecodedImage decoded = decode_image(kKey, changed);
      accepted += decoded.image.has_value();
      other_version += decoded.other_version;
    }
  }
  CHECK(accepted == 0);
  CHECK(other_version == 4 * 3);
}

TEST_CASE("forged lengths and numbers stay within the file") {
  const std::string file = encode_image(kKey, image_of("some bytes"));
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string changed = file;
    for (int flip = 0; flip < 3; ++flip) {
      changed[kHeaderBytes + random() % (file.size() - kHeaderBytes)] ^=
          static_cast<char>(1 << (random() % 8));
    }
    const DecodedImage decoded = decode_image(kKey, forged(changed));
    if (!decoded.image) continue;
    REQUIRE(decoded.image->bytes.size() <= file.size());
    REQUIRE(decoded.image->registers >= 0);
    REQUIRE(decoded.image->static_shared_bytes >= 0);
  }
  std::string huge = file;
  huge.replace(kHeaderBytes, 8, std::string(8, '\xff'));
  CHECK_FALSE(decode_image(kKey, forged(huge)).image.has_value());
}

TEST_CASE("an image of another key, and what is no image at all") {
  const std::string file = encode_image(kKey, image_of("some bytes"));
  CHECK(decode_image(std::string(32, 'b'), file).reason == "it was written for another key");
  CHECK(decode_image(kKey, "").reason == "it is no image file");
  CHECK(decode_image(kKey,
                     "\x7f"
                     "ELF and so on")
            .reason == "it is no image file");
}
