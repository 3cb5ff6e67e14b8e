// Event: a door that opens once; coroutines that come before it opens wait, later ones walk through.
// Completion<T>: a value that a callback delivers to the one coroutine that waits for it.
//
// Thread-safety: set() may race with waiting. set() resumes the waiters in the calling thread, so the caller holds no
// lock. Ownership: the waiters keep the object alive (a member of a shared object, or a local of the waiting coroutine
// which the setter does not touch after set()).
#pragma once

#include <coroutine>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "nfsbackend/task.h"

namespace nfs {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool is_set() const {
    std::lock_guard lock(mutex_);
    return set_;
  }

  // Opens the door. Resumes every waiter before it returns. The Event may be gone when it returns.
  void set() {
    std::vector<std::coroutine_handle<>> waiters;
    {
      std::lock_guard lock(mutex_);
      set_ = true;
      waiters.swap(waiters_);
    }
    for (std::coroutine_handle<> waiter : waiters) {
      waiter.resume();
    }
  }

  struct Awaiter {
    Event& event;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) const {
      std::lock_guard lock(event.mutex_);
      if (event.set_) {
        return false;
      }
      event.waiters_.push_back(waiter);
      return true;
    }
    void await_resume() const noexcept {}
  };
  Awaiter operator co_await() { return Awaiter{*this}; }

 private:
  mutable std::mutex mutex_;
  bool set_ = false;                              // GUARDED_BY(mutex_)
  std::vector<std::coroutine_handle<>> waiters_;  // GUARDED_BY(mutex_)
};

template <class T>
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // Delivers the value; called once. The waiter runs in this thread, and the Completion may be gone afterwards.
  void set(T value) {
    value_.emplace(std::move(value));
    bool detached = false;
    if (std::coroutine_handle<> waiter = meeting_.end(detached)) {
      waiter.resume();
    }
  }

  struct Awaiter {
    Completion& completion;
    bool await_ready() const noexcept { return completion.meeting_.ended(); }
    bool await_suspend(std::coroutine_handle<> waiter) const noexcept { return completion.meeting_.wait(waiter); }
    T await_resume() const { return std::move(*completion.value_); }
  };
  Awaiter operator co_await() { return Awaiter{*this}; }

 private:
  task_internal::Meeting meeting_;
  std::optional<T> value_;
};

}  // namespace nfs
