// ServerAddress: the numeric addresses of a server's name and which of them is in use.
//
// Thread-safety: every member may be called from any thread. Only the constructor's caller (through resolve()) and
// failed() may block, on the resolver. Shared by all connections of a client, so that they end at one server.
#pragma once

#include <cstdint>
#include <expected>
#include <mutex>
#include <string>
#include <vector>

#include "nfsbackend/clock.h"

namespace nfs {

struct ResolveError {
  std::string message;     // getaddrinfo's
  bool transient = false;  // the resolver could not tell
};

// Numeric addresses of `host`, in the resolver's order. Blocks.
std::expected<std::vector<std::string>, ResolveError> resolve(const std::string& host);

class ServerAddress {
 public:
  // REQUIRES: `addresses` is not empty; its first is the one in use. `clock` outlives the object.
  ServerAddress(std::string host, std::uint16_t port, std::vector<std::string> addresses, const Clock& clock);

  std::string current() const;
  std::uint16_t port() const { return port_; }
  const std::string& host() const { return host_; }

  // No connection could be made to `address`: goes on to the next one. When all have failed the name is resolved again,
  // at most once in ten seconds, in the calling thread.
  void failed(const std::string& address);

 private:
  const std::string host_;
  const std::uint16_t port_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<std::string> addresses_;  // GUARDED_BY(mutex_), never empty
  std::size_t current_ = 0;             // GUARDED_BY(mutex_)
  MonotonicTime resolved_at_;           // GUARDED_BY(mutex_)
};

}  // namespace nfs
