// Task<T>: an eager coroutine that ends with a T. It starts running in its caller's thread and goes on in whichever
// thread completes what it waits for, so nothing here ever blocks.
//
// Ownership: the Task owns the coroutine. Dropping a Task that has not ended detaches it: it runs on and frees itself.
// A Task is awaited at most once, by one coroutine. Coroutine parameters are taken by value: references may be gone
// after the first suspension.
//
// Thread-safety: completion and awaiting may race; one Task object belongs to one thread at a time.
//
// Errors: nothing throws across a Task. An exception that escapes the body is a bug and ends the process.
#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace nfs {

namespace task_internal {

// Which of the three parties was first: the body (ended), the awaiter (its frame's address) or the owner (detached).
class Meeting {
 public:
  // Called by the body at its end. Returns the awaiter to resume, or null; `detached` tells that nobody will come.
  std::coroutine_handle<> end(bool& detached) {
    void* before = state_.exchange(&ended_mark, std::memory_order_acq_rel);
    detached = before == &detached_mark;
    if (before == nullptr || detached) {
      return nullptr;
    }
    return std::coroutine_handle<>::from_address(before);
  }
  // Called by the awaiter. Returns false when the body has ended already.
  bool wait(std::coroutine_handle<> awaiter) {
    void* expected = nullptr;
    return state_.compare_exchange_strong(expected, awaiter.address(), std::memory_order_acq_rel);
  }
  // Called by the owner that goes away. Returns true when the body has ended, and the frame is the owner's to free.
  bool detach() { return state_.exchange(&detached_mark, std::memory_order_acq_rel) == &ended_mark; }
  bool ended() const { return state_.load(std::memory_order_acquire) == &ended_mark; }

 private:
  static inline char ended_mark = 0;
  static inline char detached_mark = 0;
  std::atomic<void*> state_{nullptr};
};

struct PromiseBase {
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> body) const noexcept {
      bool detached = false;
      std::coroutine_handle<> awaiter = body.promise().meeting.end(detached);
      if (detached) {
        body.destroy();
      }
      return awaiter ? awaiter : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_never initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

  Meeting meeting;
};

template <class T>
struct Promise : PromiseBase {
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
  std::optional<T> value;
};

template <>
struct Promise<void> : PromiseBase {
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace task_internal

template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type : task_internal::Promise<T> {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };

  Task(Task&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~Task() {
    if (body_ && body_.promise().meeting.detach()) {
      body_.destroy();
    }
  }

  // Lets the task run on by itself; its result is dropped.
  void detach() && { Task dropped(std::move(*this)); }

  bool ended() const { return body_.promise().meeting.ended(); }
  // REQUIRES: ended().
  T take() { return body_.promise().take(); }

  struct Awaiter {
    std::coroutine_handle<promise_type> body;
    bool await_ready() const noexcept { return body.promise().meeting.ended(); }
    bool await_suspend(std::coroutine_handle<> awaiter) const noexcept { return body.promise().meeting.wait(awaiter); }
    T await_resume() const { return body.promise().take(); }
  };
  Awaiter operator co_await() const noexcept { return Awaiter{body_}; }

 private:
  explicit Task(std::coroutine_handle<promise_type> body) : body_(body) {}
  std::coroutine_handle<promise_type> body_;
};

}  // namespace nfs
