// BlockingSession: one TCP connection on which calls are made one at a time, in the caller's thread. For what precedes
// a mount: portmapper, MOUNT, FSINFO.
//
// Thread-safety: none; one thread. Blocks until the deadline at the latest.
// Errors: as SessionError, a cause in words without the server's name.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "nfsbackend/clock.h"
#include "nfsbackend/request.h"
#include "nfsbackend/types.h"

namespace nfs {

struct SessionError {
  std::string cause;       // "connection refused"
  bool transient = false;  // trying again later may help
};

class BlockingSession {
 public:
  static std::expected<BlockingSession, SessionError> open(const std::string& address, std::uint16_t port,
                                                           const Credentials& who, MonotonicTime deadline,
                                                           const Clock& clock);

  // `send` queues one call with the given callback and argument and returns libnfs's result; `on_result` gets what
  // libnfs decoded, which is gone when it returns.
  std::expected<void, SessionError> call(const std::function<int(rpc_context*, ReplyCallback, void*)>& send,
                                         const std::function<void(const void*)>& on_result);

 private:
  struct Destroyer {
    void operator()(rpc_context* context) const;
  };
  struct Outcome;

  BlockingSession(rpc_context* context, MonotonicTime deadline, const Clock& clock)
      : context_(context), deadline_(deadline), clock_(&clock) {}

  static void on_event(rpc_context* context, int rpc_status, void* data, void* outcome);
  std::expected<void, SessionError> run(Outcome& outcome);

  std::unique_ptr<rpc_context, Destroyer> context_;
  MonotonicTime deadline_;
  const Clock* clock_;
};

}  // namespace nfs
