// ServerMonitor: is the server answering? Behind ServerState, and the "not responding" and "OK" log lines.
//
// The server is down when a request has waited for timeo, at most ten seconds, while no reply came on any connection;
// or when for three seconds no connection could be had. It is up again with the next reply.
//
// Thread-safety: every member may be called from any thread; none blocks. on_reply() costs two relaxed stores.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "nfsbackend/client.h"
#include "nfsbackend/clock.h"

namespace nfs {

class ServerMonitor {
 public:
  // `clock` outlives the monitor.
  ServerMonitor(std::string server, std::chrono::milliseconds timeout, const Clock& clock);

  bool up() const { return up_.load(std::memory_order_relaxed); }
  ServerState state() const;

  void on_reply(MonotonicTime now);
  void on_connected();
  void on_disconnected(MonotonicTime now);
  // Called now and then while something is waiting. `oldest_sent` is when the request that waits longest was last
  // sent; the time's maximum when none is.
  void check(MonotonicTime now, MonotonicTime oldest_sent);

 private:
  void set_up(bool up, MonotonicTime now);

  const std::string server_;
  const std::chrono::milliseconds patience_;
  const Clock& clock_;
  std::atomic<bool> up_{true};
  std::atomic<MonotonicTime> last_reply_;
  mutable std::mutex mutex_;         // taken last: no other lock is taken under it
  MonotonicTime since_;              // GUARDED_BY(mutex_)
  int connected_ = 0;                // GUARDED_BY(mutex_)
  MonotonicTime unconnected_since_;  // GUARDED_BY(mutex_), meaningful while connected_ is 0
};

}  // namespace nfs
