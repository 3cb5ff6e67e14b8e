#include "tests/support/forked_work.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <system_error>

namespace support {

namespace {

[[noreturn]] void run_child(const std::function<std::string()>& work, int to_parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string result;
  try {
    result = work();
  } catch (const std::exception& error) {
    result = error.what();
  }
  for (std::size_t done = 0; done < result.size();) {
    const ssize_t wrote = ::write(to_parent, result.data() + done, result.size() - done);
    if (wrote <= 0) {
      break;
    }
    done += static_cast<std::size_t>(wrote);
  }
  ::_exit(0);
}

}  // namespace

ForkedWork::ForkedWork(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  pid_ = ::fork();
  if (pid_ < 0) {
    throw std::system_error(errno, std::generic_category(), "fork");
  }
  if (pid_ == 0) {
    ::close(ends[0]);
    run_child(work, ends[1]);
  }
  ::close(ends[1]);
  pipe_ = ends[0];
}

ForkedWork::~ForkedWork() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(pipe_);
}

bool ForkedWork::ended(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (pid_ > 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{pipe_, POLLIN, 0};
    if (::poll(&readable, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0) <= 0) {
      return false;
    }
    std::array<char, 4096> part;
    const ssize_t count = ::read(pipe_, part.data(), part.size());
    if (count > 0) {
      result_.append(part.data(), static_cast<std::size_t>(count));
      continue;
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      result_ = "the child process ended with wait status " + std::to_string(status);
    }
  }
  return true;
}

}  // namespace support
