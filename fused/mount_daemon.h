// MountDaemon: one mount, from connecting to the server until the mountpoint is gone. The wiring: the only place that
// knows the concrete type of every part.
//
// Use: connect() until it succeeds, mount(), run(). Blocks in each of them. Errors are one line for the user.
// Threads: the session's readers, the notifier, the clock, the client's connections, the control servers; the thread
// that calls run() waits for signals. Signals must be blocked in all threads (block_signals()) before the first of
// them. Thread-safety: one thread.
//
// Members are made in this order and destroyed in the other; but a daemon that has served ends with end_process(),
// since operations that wait for a server that is away hold on to everything.
#pragma once

#include <atomic>
#include <chrono>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "cache/file_system.h"
#include "fused/caller_credentials.h"
#include "fused/control_server.h"
#include "fused/fuse_counters.h"
#include "fused/fuse_session.h"
#include "fused/interrupt_watch.h"
#include "fused/kernel_notifications.h"
#include "fused/mount_options.h"
#include "fused/request.h"
#include "fused/unique_descriptor.h"
#include "nfsbackend/connect.h"
#include "nfsbackend/system_clock.h"

namespace fused {

class MountDaemon {
 public:
  MountDaemon(MountOptions options, std::string mountpoint);
  ~MountDaemon();
  MountDaemon(const MountDaemon&) = delete;
  MountDaemon& operator=(const MountDaemon&) = delete;

  // One attempt to reach the export.
  std::expected<void, nfs::ConnectError> connect();
  // Takes the cache directory and the metrics address, before anything is mounted.
  std::expected<void, std::string> reserve();
  // REQUIRES: connected. Puts the mount into the tree and serves it; takes it out again when something fails.
  std::expected<void, std::string> mount();
  // Serves until the mount is gone or a signal asks to end. True when nothing was left unwritten.
  bool run();

  // Takes the mount out of the tree, writes out dirty data and stops serving.
  bool shut_down(std::chrono::seconds drain_limit);

 private:
  void build_parts();
  std::expected<void, std::string> serve();
  std::string drain(std::chrono::seconds limit);
  void wait_for_end();
  bool finish(std::chrono::seconds drain_limit);

  MountOptions options_;  // the effective ones, once connected
  const std::string mountpoint_;
  nfs::SystemClock clock_;
  UniqueDescriptor cache_lock_;
  UniqueDescriptor end_event_;  // readable when the mount is gone
  std::unique_ptr<MetricsServer> metrics_;
  nfs::Connected connected_;
  FuseCounters counters_;
  CallerCredentials callers_;
  InterruptWatch interrupts_;
  std::unique_ptr<FuseSession> session_;
  std::unique_ptr<KernelNotifications> notifications_;
  std::unique_ptr<cache::FileSystem> file_system_;
  std::unique_ptr<OperationContext> context_;
  std::unique_ptr<ReportSources> reports_;
  std::unique_ptr<ControlServer> control_;
};

// Signals are taken by run() and by wait_for_signal(), not by handlers.
void block_signals();
// Waits for SIGTERM or SIGINT; false when none came in time.
bool wait_for_signal(std::chrono::milliseconds timeout);

// Ends the process without destroying what parked operations still refer to.
[[noreturn]] void end_process(int exit_code);

}  // namespace fused
