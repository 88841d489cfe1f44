// Struct versions: what older and newer callers pass is taken, and what cannot be is refused with the
// numbers.
#include <cstring>
#include <string>

#include "capi/boundary.h"
#include "capi/fixtures.h"
#include "capi/struct_version.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

// A struct of a later version.
template <typename Struct>
struct Longer {
  Struct known;
  unsigned char tail[24] = {};
};

template <typename Struct>
Longer<Struct> longer(const Struct& known) {
  Longer<Struct> result{known};
  result.known.struct_size = sizeof(result);
  return result;
}

template <typename Struct>
void check_sizes() {
  CAPTURE(StructVersion<Struct>::name);
  STATIC_REQUIRE(StructVersion<Struct>::least <= sizeof(Struct));
  Struct given, storage;
  std::memset(&given, 0x55, sizeof(given));
  given.struct_size = sizeof(given);
  CHECK(&widened(&given, storage) == &given);

  given.struct_size = StructVersion<Struct>::least;
  const Struct& shorter = widened(&given, storage);
  REQUIRE(&shorter == &storage);
  CHECK(shorter.struct_size == sizeof(Struct));
  const auto* bytes = reinterpret_cast<const unsigned char*>(&shorter);
  CHECK(bytes[StructVersion<Struct>::least - 1] == 0x55);
  for (size_t i = StructVersion<Struct>::least; i < sizeof(Struct); ++i)
    CHECK(bytes[i] == 0);

  given.struct_size = StructVersion<Struct>::least - 1;
  check_fails(
      boundary([&] { widened(&given, storage); }), ATTUNE_ERROR_INVALID_ARGUMENT,
      {StructVersion<Struct>::name, "struct_size = " + std::to_string(StructVersion<Struct>::least - 1),
       std::to_string(StructVersion<Struct>::least), std::to_string(sizeof(Struct))});
}

}  // namespace

TEST_CASE("a shorter struct reads as zero where it ends, down to its first fields") {
  check_sizes<attune_context_options>();
  check_sizes<attune_device_info>();
  check_sizes<attune_attention_desc>();
  check_sizes<attune_attention_args>();
  check_sizes<attune_tune_options>();
}

TEST_CASE("a longer struct is taken while its tail is zero") {
  auto options = longer(simt_options());
  attune_context_t context = nullptr;
  REQUIRE(attune_context_create(&context, &options.known) == ATTUNE_OK);
  attune_context_destroy(context);

  options.tail[5] = 7;
  check_fails(attune_context_create(&context, &options.known), ATTUNE_ERROR_UNSUPPORTED,
              {"attune_context_options", "offset " + std::to_string(sizeof(attune_context_options) + 5),
               std::to_string(sizeof(options)), std::to_string(sizeof(attune_context_options))});
  CHECK(context == nullptr);
}

TEST_CASE("sizes that no version has are refused") {
  attune_context_options options = simt_options();
  attune_context_t context = nullptr;
  options.struct_size = 0;
  check_fails(attune_context_create(&context, &options), ATTUNE_ERROR_INVALID_ARGUMENT, {"struct_size = 0"});
  options.struct_size = 4097;
  check_fails(attune_context_create(&context, &options), ATTUNE_ERROR_INVALID_ARGUMENT, {"4097", "4096"});
}

TEST_CASE("an out-struct is written as far as its caller knows it") {
  Longer<attune_device_info> info{};
  info.known.struct_size = sizeof(info);
  REQUIRE(attune_context_get_device_info(&info.known, shared_context()) == ATTUNE_OK);
  CHECK(info.known.struct_size == sizeof(info));
  CHECK(std::string(info.known.backend) == "simt");
  CHECK(std::string(info.known.arch) == "sm_80");
  CHECK(info.known.multiprocessors > 0);
  CHECK(info.known.shared_memory_per_block > 0);
  for (const unsigned char byte : info.tail)
    CHECK(byte == 0);

  info.tail[0] = 1;
  check_fails(attune_context_get_device_info(&info.known, shared_context()), ATTUNE_ERROR_UNSUPPORTED,
              {"offset " + std::to_string(sizeof(attune_device_info))});

  attune_device_info older;
  std::memset(&older, 0x55, sizeof(older));
  older.struct_size = offsetof(attune_device_info, name);
  REQUIRE(attune_context_get_device_info(&older, shared_context()) == ATTUNE_OK);
  CHECK(older.struct_size == offsetof(attune_device_info, name));
  CHECK(std::string(older.backend) == "simt");
  CHECK(older.name[0] == 0x55);
  CHECK(older.multiprocessors == 0x55555555);
}

TEST_CASE("descriptions and arguments of other versions are taken", "[simt]") {
  auto desc = longer(small_desc());
  attune_plan_t made = nullptr;
  REQUIRE(attune_plan_create(&made, shared_context(), &desc.known) == ATTUNE_OK);
  const PlanHandle plan(made);
  const Forward forward(shared_context(), small_desc(), {1, 3, 5});

  auto newer = longer(forward.args());
  CHECK(attune_plan_execute(plan.get(), &newer.known, nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
  newer.tail[23] = 1;
  check_fails(attune_plan_execute(plan.get(), &newer.known, nullptr, 0, nullptr), ATTUNE_ERROR_UNSUPPORTED,
              {"offset " + std::to_string(sizeof(attune_attention_args) + 23)});

  attune_attention_args older = forward.args();
  older.struct_size = offsetof(attune_attention_args, page_table);
  std::memset(&older.page_table, 0x55, sizeof(older) - older.struct_size);  // not the caller's to fill
  CHECK(attune_plan_execute(plan.get(), &older, nullptr, 0, nullptr) == ATTUNE_OK);

  desc.tail[0] = 255;
  check_fails(attune_plan_create(&made, shared_context(), &desc.known), ATTUNE_ERROR_UNSUPPORTED,
              {"attune_attention_desc", "offset " + std::to_string(sizeof(attune_attention_desc)), "255"});
  CHECK(made == nullptr);
}
