// Subprocess: a child process of the test that never outlives it: killed by the destructor, or by the kernel when the
// thread that started it ends.
//
// Errors: throws std::system_error when it cannot be started. Thread-safety: a value of one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace support {

class Subprocess {
 public:
  struct Command {
    std::vector<std::string> arguments;                // the program first, found by PATH
    std::map<std::string, std::string> environment{};  // besides the test's own
    int output = -1;                                   // descriptors for standard output and error; -1: the test's own
    int error = -1;
  };
  explicit Subprocess(const Command& command);
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const { return pid_; }
  void send_signal(int signal) const;
  // The exit status (128 + N when signal N killed it), or nothing when it still runs at the end of the limit.
  std::optional<int> wait(std::chrono::milliseconds limit);
  bool running();

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> exit_status_;
};

// Whether a process that is not a child of the test runs; one that has ended and waits to be reaped does not.
bool is_running(pid_t pid);

struct CommandResult {
  int exit_status = -1;
  std::string output;
  std::string error;
};

// Runs a command to its end. Children it leaves in the background do not matter. Throws std::runtime_error when the
// limit passes.
CommandResult run_command(const std::vector<std::string>& arguments,
                          std::chrono::milliseconds limit = std::chrono::seconds(60));

// Waits, looking often, until `condition` holds; false when it did not within the limit.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace support
