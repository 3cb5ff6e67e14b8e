#include "fused/startup_report.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>

#include "fused/commands.h"

namespace fused {

namespace {

// The first character of a message; an exit code and a space follow, then the reason.
constexpr char kReady = 'r';
constexpr char kBackground = 'b';
constexpr char kFailed = 'f';

std::string read_all(int descriptor) {
  std::string text;
  char part[512];
  while (true) {
    ssize_t count = ::read(descriptor, part, sizeof(part));
    if (count > 0) {
      text.append(part, static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

bool StartupReport::ready() {
  return send(std::string{kReady} + "0 ");
}

void StartupReport::in_background(const std::string& reason) {
  send(std::string{kBackground} + "0 " + reason);
}

void StartupReport::failed(int exit_code, const std::string& reason) {
  if (!pipe_ && !sent_) {
    fail("mount", reason, exit_code);
  }
  send(std::string{kFailed} + std::to_string(exit_code) + " " + reason);
}

bool StartupReport::send(const std::string& message) {
  if (!pipe_ || sent_) {
    return true;
  }
  sent_ = true;
  bool arrived = ::write(pipe_.get(), message.data(), message.size()) == static_cast<ssize_t>(message.size());
  pipe_.reset();
  return arrived;
}

StartupOutcome wait_for_report(const UniqueDescriptor& pipe) {
  std::string message = read_all(pipe.get());
  StartupOutcome outcome;
  std::size_t space = message.find(' ');
  if (space == std::string::npos) {
    outcome.exit_code = kExitFailure;
    outcome.reason = "the daemon ended without a word";
    return outcome;
  }
  outcome.ready = message.front() == kReady;
  outcome.exit_code = std::atoi(message.c_str() + 1);
  outcome.reason = message.substr(space + 1);
  return outcome;
}

}  // namespace fused
