// Clock: where time comes from, so that a test can hold it. All of the program's waiting goes through run_at().
//
// Thread-safety: every member may be called from any thread. run_at() never runs the callback inside the call.
#pragma once

#include <chrono>
#include <functional>

namespace nfs {

using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const = 0;
  // Runs `callback` once, at `when` or a little later, in a thread of the clock's that must not be blocked. Callbacks
  // not yet due when the clock is destroyed are dropped.
  virtual void run_at(MonotonicTime when, std::function<void()> callback) = 0;
};

}  // namespace nfs
