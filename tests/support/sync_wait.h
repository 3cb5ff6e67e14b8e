// sync_wait: blocks the calling thread until a Task has ended and gives its value. For tests only: the program never
// blocks on a Task.
//
// Errors: throws std::runtime_error when the Task has not ended within the limit; the Task then runs on by itself.
#pragma once

#include <chrono>
#include <future>
#include <stdexcept>
#include <utility>

#include "nfsbackend/task.h"

namespace support {

namespace internal {

// The promise is moved into the coroutine, which may still be inside set_value() when the waiter goes on.
template <class T>
nfs::Task<void> deliver(nfs::Task<T> task, std::promise<T> promise) {
  if constexpr (std::is_void_v<T>) {
    co_await task;
    promise.set_value();
  } else {
    promise.set_value(co_await task);
  }
}

}  // namespace internal

template <class T>
T sync_wait(nfs::Task<T> task, std::chrono::seconds limit = std::chrono::seconds(60)) {
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  internal::deliver(std::move(task), std::move(promise)).detach();
  if (future.wait_for(limit) != std::future_status::ready) {
    throw std::runtime_error("a task did not end in time");
  }
  return future.get();
}

}  // namespace support
