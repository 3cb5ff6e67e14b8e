// FuseSession: the connection with the kernel. Mounts, reads requests in a few threads of its own, and hands them to
// the operations.
//
// Threads: `reader_threads` readers, each with its buffer, blocked in read(2) on /dev/fuse. They run the operations up
// to their first wait, so they never wait for the server.
//
// Life: mount(), start() with the context of the operations, then wait_for_end() until the mount is gone or stop().
// Ownership: owns the libfuse session and the descriptor; borrows the context, which outlives stop().
// Thread-safety: mount(), start(), stop() from one thread; the rest from any.
// Negotiation (INIT): parallel lookups in one directory, 1 MiB reads and writes, pages dropped by the kernel when it
// sees a new mtime or size, no writeback cache (freshness), no locks (the kernel keeps them on this node), O_TRUNC as
// SETATTR, background requests practically without limit, since parked readahead must not hold up others.
#pragma once

#include <fuse_lowlevel.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fused/kernel_mount.h"
#include "fused/request.h"

namespace fused {

struct SessionOptions {
  KernelMountOptions mount;
  bool readdirplus = true;
  std::uint32_t write_bytes_max = 1 << 20;
  unsigned reader_threads = 2;
};

class FuseSession {
 public:
  FuseSession(SessionOptions options, FuseCounters& counters);
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  // Puts the mount into the tree; requests wait until start(). Errors are one line for the user.
  std::expected<void, std::string> mount();
  void start(OperationContext& context);
  // Waits until INIT has been answered; false when it was not within `timeout`.
  bool wait_until_ready(std::chrono::milliseconds timeout);
  // Lets the kernel read ahead a megabyte at a time; without permission it stays with its own choice.
  void raise_readahead(std::uint32_t device_major, std::uint32_t device_minor) const;

  // Called once, in a reader thread, when the mount has gone by itself.
  void on_end(std::function<void()> callback) { on_end_ = std::move(callback); }
  // Ends the readers. Requests that are parked stay unanswered until the descriptor is closed.
  void stop();

  // For notifications (fuse_lowlevel_notify_*) and raw messages.
  fuse_session* handle() const { return session_.get(); }
  int descriptor() const { return descriptor_; }

  static OperationContext& context_of(fuse_req_t request);

 private:
  struct SessionDeleter {
    void operator()(fuse_session* session) const { fuse_session_destroy(session); }
  };

  static void handle_init(void* userdata, fuse_conn_info* connection);
  static ssize_t handle_read(int descriptor, void* buffer, std::size_t bytes_max, void* userdata);
  static ssize_t handle_writev(int descriptor, iovec* parts, int count, void* userdata);
  std::expected<void, std::string> open_device();
  void read_requests();
  void process(const fuse_buf& buffer);

  const SessionOptions options_;
  FuseCounters& counters_;
  fuse_lowlevel_ops operations_;
  std::unique_ptr<fuse_session, SessionDeleter> session_;
  bool mounted_by_libfuse_ = false;
  int descriptor_ = -1;  // owned by session_
  OperationContext* context_ = nullptr;
  std::function<void()> on_end_;
  std::vector<std::thread> readers_;
  std::atomic<std::uint64_t> init_unique_{0};  // the INIT request whose reply is to be completed; 0 for none
  std::atomic<bool> end_told_{false};
  std::atomic<unsigned> readers_running_{0};

  std::mutex mutex_;
  std::condition_variable ready_changed_;
  bool ready_ = false;  // GUARDED_BY(mutex_)
};

}  // namespace fused
