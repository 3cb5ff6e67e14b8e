#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace support {

namespace {

// A file in memory that takes a command's output: unlike a pipe it neither fills up nor waits for background children.
class OutputFile {
 public:
  OutputFile() : descriptor_(memfd_create("output", MFD_CLOEXEC)) {
    if (descriptor_ < 0) {
      throw std::system_error(errno, std::generic_category(), "memfd_create");
    }
  }
  ~OutputFile() { close(descriptor_); }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  int descriptor() const { return descriptor_; }
  std::string text() const {
    std::string text;
    std::string part(64 << 10, '\0');
    for (;;) {
      ssize_t count = pread(descriptor_, part.data(), part.size(), static_cast<off_t>(text.size()));
      if (count <= 0) {
        return text;
      }
      text.append(part, 0, static_cast<std::size_t>(count));
    }
  }

 private:
  int descriptor_;
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& each : strings) {
    result.push_back(each.data());
  }
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& additions) {
  std::vector<std::string> result;
  for (char** each = environ; *each != nullptr; ++each) {
    result.emplace_back(*each);
  }
  for (const auto& [name, value] : additions) {
    result.push_back(name + "=" + value);
  }
  return result;
}

// In the child, where only async-signal-safe calls are allowed: the test has threads.
[[noreturn]] void become(const Subprocess::Command& command, pid_t parent, char** arguments, char** environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  if (command.output >= 0) {
    dup2(command.output, STDOUT_FILENO);
  }
  if (command.error >= 0) {
    dup2(command.error, STDERR_FILENO);
  }
  execvpe(arguments[0], arguments, environment);
  _exit(127);
}

}  // namespace

Subprocess::Subprocess(const Command& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = environment_with(command.environment);
  std::vector<char*> argument_pointers = pointers(arguments);
  std::vector<char*> environment_pointers = pointers(environment);
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    become(command, parent, argument_pointers.data(), environment_pointers.data());
  }
  if (pid_ < 0) {
    throw std::system_error(errno, std::generic_category(), "fork");
  }
  // By number: the header of glibc 2.36 does not declare pidfd_open() for C++.
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
}

Subprocess::~Subprocess() {
  if (!exit_status_) {
    // A stopped process dies of SIGKILL too.
    send_signal(SIGKILL);
    wait(std::chrono::seconds(10));
  }
  close(pidfd_);
}

void Subprocess::send_signal(int signal) const {
  if (!exit_status_) {
    kill(pid_, signal);
  }
}

std::optional<int> Subprocess::wait(std::chrono::milliseconds limit) {
  if (exit_status_) {
    return exit_status_;
  }
  pollfd ended{.fd = pidfd_, .events = POLLIN, .revents = 0};
  int count = 0;
  do {
    count = poll(&ended, 1, static_cast<int>(limit.count()));
  } while (count < 0 && errno == EINTR);
  int status = 0;
  if (count > 0 && waitpid(pid_, &status, 0) == pid_) {
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_status_;
}

bool Subprocess::running() {
  return !wait(std::chrono::milliseconds(0)).has_value();
}

bool is_running(pid_t pid) {
  // The state follows the command's name, which stands in parentheses.
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::size_t end = text.rfind(") ");
  return end != std::string::npos && text[end + 2] != 'Z' && text[end + 2] != 'X';
}

CommandResult run_command(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) {
  OutputFile output;
  OutputFile error;
  Subprocess process({.arguments = arguments, .output = output.descriptor(), .error = error.descriptor()});
  std::optional<int> status = process.wait(limit);
  if (!status) {
    throw std::runtime_error(arguments.front() + " did not end in time; it said: " + output.text() + error.text());
  }
  return {*status, output.text(), error.text()};
}

}  // namespace support
