// ShufflingExecutor: threads that resume coroutines in an order nobody can rely on.
//
//   co_await executor.hop();   // goes on in one of the executor's threads
//
// Ownership: the destructor runs what is still queued and joins the threads. Thread-safety: hop() from any thread.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace support {

class ShufflingExecutor {
 public:
  explicit ShufflingExecutor(unsigned seed, int threads = 2);
  ~ShufflingExecutor();
  ShufflingExecutor(const ShufflingExecutor&) = delete;
  ShufflingExecutor& operator=(const ShufflingExecutor&) = delete;

  struct Hop {
    ShufflingExecutor& executor;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const { executor.add(waiter); }
    void await_resume() const noexcept {}
  };
  Hop hop() { return Hop{*this}; }

 private:
  void add(std::coroutine_handle<> waiter);
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::coroutine_handle<>> queue_;  // GUARDED_BY(mutex_)
  std::minstd_rand random_;                     // GUARDED_BY(mutex_)
  bool stopping_ = false;                       // GUARDED_BY(mutex_)
  std::vector<std::thread> threads_;
};

}  // namespace support
