// The words of ATTUNE_DEVICE.
#include "capi/device_choice.h"
#include "base/error.h"
#include "capi/boundary.h"
#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

TEST_CASE("device words are understood") {
  CHECK(parse_device("cuda") == DeviceChoice{DeviceKind::cuda, -1, ""});
  CHECK(parse_device("cuda:0") == DeviceChoice{DeviceKind::cuda, 0, ""});
  CHECK(parse_device("cuda:12") == DeviceChoice{DeviceKind::cuda, 12, ""});
  CHECK(parse_device("simt") == DeviceChoice{DeviceKind::simt, -1, ""});
  CHECK(parse_device("simt:sm_90a") == DeviceChoice{DeviceKind::simt, -1, "sm_90a"});
  CHECK(parse_device("simt:sm_80") == DeviceChoice{DeviceKind::simt, -1, "sm_80"});
  CHECK(parse_device("recorded") == DeviceChoice{DeviceKind::recorded, -1, "", ""});
  CHECK(parse_device("recorded:H200") == DeviceChoice{DeviceKind::recorded, -1, "", "H200"});
  CHECK(parse_device("reference") == DeviceChoice{DeviceKind::reference, -1, ""});
  CHECK(parse_device("auto") == DeviceChoice{DeviceKind::automatic, -1, ""});
}

TEST_CASE("unknown device words are refused with what is known") {
  for (const char* word : {"", "gpu", "CUDA", "cuda ", "cudax", "auto:1", ":", "record", "reference:0"}) {
    CAPTURE(word);
    check_fails(boundary([&] { parse_device(word); }), ATTUNE_ERROR_INVALID_ARGUMENT,
                {std::string("'") + word + "'", "cuda:N", "simt:sm_XX", "recorded:GPU", "reference", "auto"});
  }
  for (const char* word : {"cuda:", "cuda:-1", "cuda:x", "cuda:1x", "cuda: 1", "cuda:99999999999"}) {
    CAPTURE(word);
    check_fails(boundary([&] { parse_device(word); }), ATTUNE_ERROR_INVALID_ARGUMENT, {word, "cuda:0"});
  }
  check_fails(boundary([&] { parse_device("recorded:"); }), ATTUNE_ERROR_INVALID_ARGUMENT,
              {"recorded:", "recorded:H200"});
  for (const char* word : {"simt:", "simt:sm_70", "simt:h100", "simt:sm_"}) {
    CAPTURE(word);
    check_fails(boundary([&] { parse_device(word); }), ATTUNE_ERROR_INVALID_ARGUMENT,
                {word, "sm_80", "sm_90a"});
  }
}
