// Transport: gets a Request answered, whatever happens to the connections below it.
//
// One queue of requests, from which all connections send; what was in flight on a connection that failed goes back to
// its front and is sent again with the same XID. Hard: until the server answers. Soft and softerr: a request ends with
// kSoftIo or kTimedOut when timeo * (1 + retrans) has passed since it was submitted, sent or not (the major timeout of
// nfs(5)). NFS3ERR_JUKEBOX is no answer: the request is sent again with a new XID after 100 ms, doubling up to 5 s.
//
// Ownership: requests belong to the coroutines that wait for them; see request.h.
// Thread-safety: every member but shut_down() and the destructor may be called from any thread; none of them blocks for
// the network. shut_down() joins the connections' threads; it must not be called from one of them.
// Lock order: Connection::context_mutex_, Delays::mutex, queue_mutex_. No coroutine is resumed under any of them.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "nfsbackend/client.h"
#include "nfsbackend/clock.h"
#include "nfsbackend/connect.h"
#include "nfsbackend/connection.h"
#include "nfsbackend/reply_log.h"
#include "nfsbackend/request.h"
#include "nfsbackend/server_address.h"
#include "nfsbackend/server_monitor.h"
#include "nfsbackend/task.h"

namespace nfs {

struct TransportOptions {
  int connections = 1;
  Persistence persistence = Persistence::kHard;
  std::chrono::milliseconds timeout{60'000};
  int retransmissions = 2;
};

class Transport final : public ConnectionOwner {
 public:
  // `clock` outlives the transport.
  Transport(const TransportOptions& options, std::unique_ptr<ServerAddress> address, Clock& clock);
  ~Transport() override;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // co_await perform(request): goes on when the request has its reply.
  struct Awaiter {
    Transport& transport;
    Request& request;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const {
      // The awaiter lives in the coroutine's frame, which may be gone before submit() returns.
      Request& submitted = request;
      submitted.waiter = waiter;
      transport.submit(submitted);
    }
    void await_resume() const noexcept {}
  };
  Awaiter perform(Request& request) { return Awaiter{*this, request}; }

  // Ends every parked request, and every later one, with kShutDown.
  void shut_down();

  RpcStatistics statistics() const;
  ServerState server_state() const { return monitor_.state(); }

  Request* next_request() override;
  bool has_requests() const override { return queued_.load() != 0 && !shut_down_.load(); }
  void take_back(std::vector<Request*> requests) override;
  void complete(Request& request) override;
  void on_transmission(const Request& request) override;
  void on_reply(MonotonicTime now) override { monitor_.on_reply(now); }
  void on_connected() override;
  void on_disconnected() override { monitor_.on_disconnected(clock_.now()); }
  void on_tick(MonotonicTime now, MonotonicTime oldest_sent) override;

 private:
  struct Counters {
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> retries{0};
  };
  // Requests that wait after NFS3ERR_JUKEBOX. Shared with the clock's callbacks, which may outlive the transport.
  struct Delays {
    std::mutex mutex;
    Transport* transport = nullptr;         // GUARDED_BY(mutex); null when the transport is shut down
    std::unordered_set<Request*> requests;  // GUARDED_BY(mutex)
  };

  void submit(Request& request);
  bool enqueue(Request& request);
  void offer_to_connections();
  bool delay(Request& request);
  void resume_after_delay(Request& request);
  void finish(Request& request);
  Status give_up_status() const;
  std::vector<Request*> take_expired(MonotonicTime now);
  Task<void> probe();
  Counters& counters(const Request& request) { return counters_[static_cast<std::size_t>(request.procedure())]; }

  const TransportOptions options_;
  const std::unique_ptr<ServerAddress> address_;
  Clock& clock_;
  ReplyLog log_;
  ServerMonitor monitor_;
  std::array<Counters, kProcedureNames.size()> counters_;
  std::atomic<std::uint32_t> next_xid_;
  std::atomic<bool> probing_{false};
  const std::shared_ptr<Delays> delays_;

  mutable std::mutex queue_mutex_;
  std::deque<Request*> queue_;          // GUARDED_BY(queue_mutex_)
  std::atomic<std::size_t> queued_{0};  // queue_'s size; written under queue_mutex_
  std::atomic<bool> shut_down_{false};  // written under queue_mutex_: nothing is queued or sent any more

  std::vector<std::unique_ptr<Connection>> connections_;  // last: their threads use all of the above
};

}  // namespace nfs
