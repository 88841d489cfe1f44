// MessageChannel: JSON messages between this process and a worker, over a stream socket.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>

namespace attune {

// What came: a message, nothing within the time, or the end of the other side. What is no message of ours
// counts as its end: whoever sends it cannot be trusted any further.
enum class Arrival { message, late, closed };

struct Received {
  Arrival arrival = Arrival::closed;
  nlohmann::json message;
};

// A length, then CBOR, which takes images as they are. False when the other side is gone, or reads nothing
// for ten seconds.
bool send_message(int socket, const nlohmann::json& message);

Received receive_message(int socket, std::chrono::steady_clock::time_point deadline);

}  // namespace attune
