// InterruptWatch: lets go of processes that are killed while their request waits for a server that is away.
//
// The kernel sends INTERRUPT once per request, for any signal, harmless ones too (SIGCHLD, timers), and answering EINTR
// to those would break programs. So an INTERRUPT of a parked request only begins a watch: when the asking thread has
// SIGKILL pending (which is what any fatal signal becomes), is exiting by a signal or is gone, the request is answered
// with EINTR; until then it is looked at again every kInterval. A caller whose thread is unknown (0) is never answered
// early.
//
// A parked request has two who may answer it, the operation when its result is in and the watch; ParkedRequest::claim()
// decides who does. Only the one who wins may touch the fuse_req_t.
//
// Ownership: borrows the clock, whose thread answers. Parked requests are shared with their operations.
// Thread-safety: every member may be called from any thread. Does not block.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "nfsbackend/clock.h"

namespace fused {

class ParkedRequest {
 public:
  ParkedRequest(std::uint64_t id, std::uint32_t thread_id, std::function<void()> answer_interrupted)
      : id_(id), thread_id_(thread_id), answer_interrupted_(std::move(answer_interrupted)) {}

  // True for the first who asks.
  bool claim() { return !claimed_.exchange(true, std::memory_order_acq_rel); }

 private:
  friend class InterruptWatch;
  const std::uint64_t id_;
  const std::uint32_t thread_id_;
  const std::function<void()> answer_interrupted_;  // called by the watch once it has claimed the request
  std::atomic<bool> claimed_{false};
  std::atomic<bool> armed_{false};    // the watch may answer
  std::atomic<bool> watched_{false};  // a look is scheduled
};

class InterruptWatch {
 public:
  static constexpr std::chrono::milliseconds kInterval{250};
  using IsEnding = std::function<bool(std::uint32_t thread_id)>;

  // `is_ending` tells whether a thread is being killed or gone; thread_is_ending() but in tests.
  InterruptWatch(nfs::Clock& clock, IsEnding is_ending);

  // Call arm() when the interrupt hook is in place: the watch answers nothing before.
  std::shared_ptr<ParkedRequest> park(std::uint32_t thread_id, std::function<void()> answer_interrupted);
  static std::uint64_t id_of(const ParkedRequest& request) { return request.id_; }
  static void arm(ParkedRequest& request) { request.armed_.store(true, std::memory_order_release); }
  // The request was answered by its operation.
  void unpark(const ParkedRequest& request);
  // Watches a request for which no INTERRUPT comes: the FLUSH of a process that is being killed, whose signal is done
  // with by the time its last thread closes the files.
  void watch(const std::shared_ptr<ParkedRequest>& request);
  // INTERRUPT came for the parked request of this id; nothing when it has been answered meanwhile.
  void on_interrupt(std::uint64_t id);

  std::size_t parked() const;

 private:
  // Shared with callbacks that wait in the clock.
  struct State {
    State(nfs::Clock& the_clock, IsEnding predicate) : clock(the_clock), is_ending(std::move(predicate)) {}
    nfs::Clock& clock;
    const IsEnding is_ending;
    std::mutex mutex;
    std::uint64_t last_id = 0;                                                 // GUARDED_BY(mutex)
    std::unordered_map<std::uint64_t, std::shared_ptr<ParkedRequest>> parked;  // GUARDED_BY(mutex)
  };
  static void look_at(const std::shared_ptr<State>& state, nfs::MonotonicTime when,
                      const std::weak_ptr<ParkedRequest>& request);
  static void look(const std::shared_ptr<State>& state, const std::shared_ptr<ParkedRequest>& request);

  const std::shared_ptr<State> state_;
};

// By /proc/<thread_id>/status (proc(5)). A thread that cannot be examined counts as alive.
bool thread_is_ending(std::uint32_t thread_id);
// The same from the text of that file.
bool status_tells_ending(const std::string& status);
// The same of /proc/TID/stat: the thread is exiting because of a signal. One that exits by itself waits for its files.
bool stat_tells_killed(const std::string& stat);

}  // namespace fused
