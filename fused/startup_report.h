// StartupReport: how a mount that is being made tells the one who waits for it how it went.
//
// In the background the daemon is a child process and the report goes through a pipe to its parent; in the foreground
// it goes to standard error. Ownership: owns its end of the pipe. Thread-safety: one thread. Blocks only in wait().
#pragma once

#include <sys/types.h>

#include <string>

#include "fused/unique_descriptor.h"

namespace fused {

class StartupReport {
 public:
  // To standard error.
  StartupReport() = default;
  // To the reader of a pipe.
  explicit StartupReport(UniqueDescriptor pipe) : pipe_(std::move(pipe)) {}

  // The mount is there. False when nobody waits for it any more.
  bool ready();
  // The first attempt failed and more will follow without anybody waiting (bg).
  void in_background(const std::string& reason);
  void failed(int exit_code, const std::string& reason);

 private:
  bool send(const std::string& message);

  UniqueDescriptor pipe_;
  bool sent_ = false;
};

// What came through the pipe.
struct StartupOutcome {
  bool ready = false;  // mounted, rather than in the background or failed
  int exit_code = 0;
  std::string reason;  // empty when there is nothing to say
};

// Waits for the report or for the end of its sender.
StartupOutcome wait_for_report(const UniqueDescriptor& pipe);

}  // namespace fused
