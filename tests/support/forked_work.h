// ForkedWork: work done in a child process, so that its open files are its own. A test that starts servers while it has
// files open on a hard mount would wait for itself: the new process closes its copies of them, and closing flushes.
//
// Ownership: the child is killed with the object. Errors: throws std::system_error when it cannot be made.
// REQUIRES: no other threads whose locks the work needs; construct it before starting any.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace support {

class ForkedWork {
 public:
  // `work` runs in the child; what it returns (or the text of what it throws) comes back by result().
  explicit ForkedWork(const std::function<std::string()>& work);
  ~ForkedWork();
  ForkedWork(const ForkedWork&) = delete;
  ForkedWork& operator=(const ForkedWork&) = delete;

  // Whether the child has ended, waiting up to `limit` for it.
  bool ended(std::chrono::milliseconds limit);
  // REQUIRES: ended().
  const std::string& result() const { return result_; }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string result_;
};

}  // namespace support
