#include "tune/message_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;
using Length = uint64_t;

// An image is some 100 KB; what is longer than this was not written by us.
constexpr Length kLongestMessage = Length{512} << 20;
constexpr int kSendMilliseconds = 10000;

// Waits for the socket; false when the time is over first.
bool wait_for(int socket, short event, Clock::time_point deadline) {
  for (;;) {
    // No deadline is far away: the difference would overflow.
    const auto left = deadline == Clock::time_point::max()
                          ? kSendMilliseconds
                          : std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{socket, event, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1000000)));
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
}

bool send_bytes(int socket, const char* bytes, size_t count) {
  const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(kSendMilliseconds);
  while (count > 0) {
    if (!wait_for(socket, POLLOUT, deadline)) return false;
    const ssize_t sent = ::send(socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent <= 0) return false;
    bytes += sent;
    count -= static_cast<size_t>(sent);
  }
  return true;
}

Arrival receive_bytes(int socket, char* bytes, size_t count, Clock::time_point deadline) {
  while (count > 0) {
    if (!wait_for(socket, POLLIN, deadline)) return Arrival::late;
    const ssize_t got = ::recv(socket, bytes, count, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return Arrival::closed;
    bytes += got;
    count -= static_cast<size_t>(got);
  }
  return Arrival::message;
}

}  // namespace

bool send_message(int socket, const nlohmann::json& message) {
  const std::vector<uint8_t> body = nlohmann::json::to_cbor(message);
  const Length length = body.size();
  std::string bytes(sizeof length + body.size(), '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, body.data(), body.size());
  return send_bytes(socket, bytes.data(), bytes.size());
}

Received receive_message(int socket, Clock::time_point deadline) {
  Length length = 0;
  Received received;
  received.arrival = receive_bytes(socket, reinterpret_cast<char*>(&length), sizeof length, deadline);
  if (received.arrival != Arrival::message) return received;
  if (length > kLongestMessage) return {};
  std::string body(length, '\0');
  received.arrival = receive_bytes(socket, body.data(), body.size(), deadline);
  if (received.arrival != Arrival::message) return received;
  received.message = nlohmann::json::from_cbor(body, true, false);
  return received.message.is_discarded() ? Received{} : received;
}

}  // namespace attune
