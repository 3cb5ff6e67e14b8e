#include "tests/support/shuffling_executor.h"

#include <utility>

namespace support {

ShufflingExecutor::ShufflingExecutor(unsigned seed, int threads) : random_(seed) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

ShufflingExecutor::~ShufflingExecutor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ShufflingExecutor::add(std::coroutine_handle<> waiter) {
  // Notifying under the lock: the waiter may end the executor's life as soon as it has run.
  std::lock_guard lock(mutex_);
  queue_.push_back(waiter);
  changed_.notify_one();
}

void ShufflingExecutor::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) {
      return;
    }
    std::swap(queue_[random_() % queue_.size()], queue_.back());
    std::coroutine_handle<> waiter = queue_.back();
    queue_.pop_back();
    lock.unlock();
    waiter.resume();
    lock.lock();
  }
}

}  // namespace support
