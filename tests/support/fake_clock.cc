#include "tests/support/fake_clock.h"

#include <algorithm>
#include <utility>

namespace support {

nfs::MonotonicTime FakeClock::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

void FakeClock::run_at(nfs::MonotonicTime when, std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  callbacks_.emplace(when, std::move(callback));
}

void FakeClock::advance(std::chrono::nanoseconds duration) {
  std::unique_lock lock(mutex_);
  nfs::MonotonicTime end = now_ + std::chrono::duration_cast<nfs::MonotonicTime::duration>(duration);
  while (!callbacks_.empty() && callbacks_.begin()->first <= end) {
    auto first = callbacks_.extract(callbacks_.begin());
    now_ = std::max(now_, first.key());
    lock.unlock();
    first.mapped()();
    first.mapped() = nullptr;
    lock.lock();
  }
  now_ = std::max(now_, end);
}

std::size_t FakeClock::waiting() const {
  std::lock_guard lock(mutex_);
  return callbacks_.size();
}

}  // namespace support
