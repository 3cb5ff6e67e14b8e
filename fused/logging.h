// Logging: sets up spdlog's default logger, which all rooms write to.
//
// Call it once, after fork(2) and before the first thread. Errors: one line for the user.
#pragma once

#include <expected>
#include <string>

namespace fused {

struct LogOptions {
  std::string file;  // empty: syslog, or standard error in the foreground
  std::string level = "info";
  bool foreground = false;
};

std::expected<void, std::string> set_up_logging(const LogOptions& options);

// Writes out what is buffered; the last thing before the process ends.
void flush_log();

}  // namespace fused
