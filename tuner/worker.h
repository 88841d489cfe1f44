// The worker process, `attune-tune --worker`: compiles or runs candidates for the process that started it.
#pragma once

namespace attune {

// Serves the process at the other end of `socket` until that one is gone. Returns the exit code. Not for
// people: the first message says what to be (tune/worker_protocol.h).
int run_worker(int socket);

}  // namespace attune
