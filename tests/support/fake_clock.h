// FakeClock: an nfs::Clock that moves only when the test says so.
//
// Thread-safety: as nfs::Clock. advance() runs the callbacks that become due in the calling thread, in order of their
// times, each at its own time, also those that a callback adds.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>

#include "nfsbackend/clock.h"

namespace support {

class FakeClock final : public nfs::Clock {
 public:
  nfs::MonotonicTime now() const override;
  void run_at(nfs::MonotonicTime when, std::function<void()> callback) override;

  void advance(std::chrono::nanoseconds duration);
  std::size_t waiting() const;  // callbacks not yet due

 private:
  mutable std::mutex mutex_;
  nfs::MonotonicTime now_{std::chrono::hours(1)};                       // GUARDED_BY(mutex_)
  std::multimap<nfs::MonotonicTime, std::function<void()>> callbacks_;  // GUARDED_BY(mutex_)
};

}  // namespace support
