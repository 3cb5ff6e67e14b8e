#include "nfsbackend/system_clock.h"

#include <utility>

namespace nfs {

SystemClock::SystemClock() : thread_([this] { run(); }) {}

SystemClock::~SystemClock() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SystemClock::run_at(MonotonicTime when, std::function<void()> callback) {
  bool earliest = false;
  {
    std::lock_guard lock(mutex_);
    auto place = callbacks_.emplace(when, std::move(callback));
    earliest = place == callbacks_.begin();
  }
  if (earliest) {
    changed_.notify_all();
  }
}

void SystemClock::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (callbacks_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto first = callbacks_.begin();
    MonotonicTime due = first->first;
    if (due > now()) {
      changed_.wait_until(lock, due);
      continue;
    }
    std::function<void()> callback = std::move(first->second);
    callbacks_.erase(first);
    lock.unlock();
    callback();
    // What the callback holds is released without the lock: its destructors may come back to the clock.
    callback = nullptr;
    lock.lock();
  }
}

}  // namespace nfs
