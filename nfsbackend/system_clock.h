// SystemClock: the Clock of the running program, over std::chrono::steady_clock and one thread of its own.
//
// Callbacks run one after another in the clock's thread, in order of their times. The destructor waits for the callback
// that is running and drops the rest.
// Thread-safety: as Clock. Must not be destroyed from a callback.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "nfsbackend/clock.h"

namespace nfs {

class SystemClock final : public Clock {
 public:
  SystemClock();
  ~SystemClock() override;
  SystemClock(const SystemClock&) = delete;
  SystemClock& operator=(const SystemClock&) = delete;

  MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  void run_at(MonotonicTime when, std::function<void()> callback) override;

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<MonotonicTime, std::function<void()>> callbacks_;  // GUARDED_BY(mutex_)
  bool stopping_ = false;                                          // GUARDED_BY(mutex_)
  std::thread thread_;                                             // last: starts when the rest is there
};

}  // namespace nfs
