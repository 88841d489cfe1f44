#include "device/keyed_device.h"

#include <charconv>

namespace attune {
namespace {

// Takes the text up to `mark` off the front; all of it when there is no mark.
std::string_view take_until(std::string_view& text, std::string_view mark) {
  const size_t at = text.find(mark);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + mark.size());
  return taken;
}

// Takes the text behind the last `mark` off the end; nothing when there is no mark.
std::string_view take_behind_last(std::string_view& text, std::string_view mark) {
  const size_t at = text.rfind(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view taken = text.substr(at + mark.size());
  text = text.substr(0, at);
  return taken;
}

}  // namespace

std::optional<KeyedDevice> device_of_key(std::string_view key) {
  std::string_view rest = key;
  KeyedDevice device;
  device.backend = take_until(rest, " ");
  const std::optional<DeviceSpec> row = known_device(take_until(rest, " "));
  if (!row) return std::nullopt;
  device.spec = *row;
  device.spec.mig_profile = take_behind_last(rest, " mig ");
  const std::string_view count = take_behind_last(rest, " x");
  std::from_chars(count.data(), count.data() + count.size(), device.spec.multiprocessors);
  device.spec.name = rest;
  device.spec.global_bytes = 0;  // of this very card, and the key does not say
  // What was taken apart must give the same text again; this catches whatever the steps above let through.
  const bool whole = !device.backend.empty() && device.spec.multiprocessors > 0 && !rest.empty() &&
                     device_key(device.backend, device.spec) == key;
  return whole ? std::optional(std::move(device)) : std::nullopt;
}

}  // namespace attune
