// ControlClient: how a command talks with the daemon of a mount, over its control socket.
//
// Blocks, but never longer than the timeout, whatever state the daemon is in. Thread-safety: functions without state.
#pragma once

#include <chrono>
#include <expected>
#include <string>

namespace fused {

enum class ControlFailure {
  kNoDaemon,  // nobody listens: the daemon is gone
  kNoAnswer,  // it did not answer in time
  kRefused,   // it answered with an error, whose text is known
};

struct ControlError {
  ControlFailure failure = ControlFailure::kNoDaemon;
  std::string text;
};

using ControlAnswer = std::expected<std::string, ControlError>;

inline constexpr std::chrono::seconds kControlTimeout{3};

ControlAnswer control_get(const std::string& socket_path, const std::string& what,
                          std::chrono::seconds timeout = kControlTimeout);
ControlAnswer control_post(const std::string& socket_path, const std::string& what, std::chrono::seconds timeout);

}  // namespace fused
