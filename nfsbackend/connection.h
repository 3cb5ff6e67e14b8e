// Connection: one TCP connection to the server: one libnfs context, one thread.
//
// Sending: whoever has queued a request with the owner calls pump(), which takes requests from the owner's queue and
// sends them in the calling thread, as long as fewer than a window's worth are in flight. When the context is busy in
// another thread pump() returns at once: the one who holds it looks at the queue again after letting it go.
// Receiving: the connection's thread polls the socket; libnfs's callbacks only decode and copy. Coroutines go on after
// the context is unlocked, because they send the next requests.
// Failing: on any error, or when a request is not answered in time, the context is destroyed, what was in flight goes
// back to the owner's queue, and the thread makes a new context after a pause that doubles from 50 ms up to one second
// until the server answers again.
//
// Thread-safety: pump(), wake(), accepting() and in_flight() may be called from any thread; start() and stop() by
// the owner.
// Lock order: context_mutex_ comes before the owner's locks; no coroutine is resumed under it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "nfsbackend/clock.h"
#include "nfsbackend/reply_log.h"
#include "nfsbackend/request.h"
#include "nfsbackend/server_address.h"

namespace nfs {

// What a connection needs of the transport it belongs to. Every member may be called from any thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // The next request to send; null when none waits.
  virtual Request* next_request() = 0;
  virtual bool has_requests() const = 0;
  // These were in flight on a connection that failed. Called without locks.
  virtual void take_back(std::vector<Request*> requests) = 0;
  // The request has its reply. Resumes who waits for it; called without locks.
  virtual void complete(Request& request) = 0;
  virtual void on_transmission(const Request& request) = 0;
  virtual void on_reply(MonotonicTime now) = 0;
  virtual void on_connected() = 0;     // called without locks
  virtual void on_disconnected() = 0;  // called without locks
  // Called from the connection's thread now and then while something waits. Without locks.
  virtual void on_tick(MonotonicTime now, MonotonicTime oldest_sent) = 0;
};

class Connection {
 public:
  // Everything outlives the connection. `machine_name` goes into AUTH_SYS; `timeout` is timeo.
  Connection(ConnectionOwner& owner, ServerAddress& address, const Clock& clock, ReplyLog& log,
             std::string machine_name, std::chrono::milliseconds timeout);
  // REQUIRES: the connection was stopped, or never started.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  // Ends the thread and the connection; what was in flight goes to the owner's take_back(). Again is harmless.
  void stop();

  void pump();
  // Lets the thread look at the queue. Never blocks.
  void wake() const;
  // Connected, with room in the window.
  bool accepting() const { return accepting_.load(); }
  std::size_t in_flight() const { return in_flight_count_.load(std::memory_order_relaxed); }

 private:
  static void on_libnfs_reply(rpc_context* context, int rpc_status, void* data, void* request);
  static void on_libnfs_connected(rpc_context* context, int rpc_status, void* data, void* connection);

  void run();
  void open();
  void wait_and_service();
  void service(short events);
  void tick();
  void fail(std::string_view reason, bool garbled);
  void complete_answered();

  // REQUIRES: context_mutex_ is held.
  void fill_window();
  void transmit(Request& request);
  bool set_credentials(const Credentials& who);
  void remove_from_table(Request& request);
  void answer_rejected();
  void update_accepting();
  std::optional<std::string> overdue(MonotonicTime now, MonotonicTime& oldest_sent) const;

  ConnectionOwner& owner_;
  ServerAddress& address_;
  const Clock& clock_;
  ReplyLog& log_;
  const std::string machine_name_;
  const std::chrono::milliseconds timeout_;
  const std::chrono::milliseconds tick_;
  const int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> accepting_{false};
  std::atomic<std::size_t> in_flight_count_{0};

  // Only the thread's:
  MonotonicTime next_attempt_;
  MonotonicTime next_tick_;
  MonotonicTime connect_deadline_;
  std::chrono::milliseconds backoff_{0};
  std::string connecting_to_;
  bool was_connected_ = false;  // the owner was told so
  bool quiet_tick_ = false;     // nothing was sent or in flight at the last tick
  std::vector<Request*> completing_;

  std::mutex context_mutex_;
  rpc_context* context_ = nullptr;          // GUARDED_BY(context_mutex_); set and cleared by the thread only
  bool connected_ = false;                  // GUARDED_BY(context_mutex_)
  bool broken_ = false;                     // GUARDED_BY(context_mutex_): sending failed, the thread must clean up
  bool dozing_ = false;                     // GUARDED_BY(context_mutex_): the thread sleeps without a time limit
  bool active_ = false;                     // GUARDED_BY(context_mutex_): something was sent since the last tick
  bool replied_ = false;                    // GUARDED_BY(context_mutex_): a reply came on this connection
  std::optional<Credentials> credentials_;  // GUARDED_BY(context_mutex_): what the context encodes now
  std::vector<Request*> in_flight_;         // GUARDED_BY(context_mutex_): the table of requests
  std::size_t payload_bytes_ = 0;           // GUARDED_BY(context_mutex_): of those in flight
  struct Rejection {
    Request* request;
    std::string text;  // libnfs's reason
  };
  std::vector<Rejection> rejected_;  // GUARDED_BY(context_mutex_): still in in_flight_
  std::vector<Request*> answered_;   // GUARDED_BY(context_mutex_): to be completed after unlocking

  std::thread thread_;
};

}  // namespace nfs
