// Request: one FUSE request on its way to its answer, and what the operations need to answer it.
//
// Exactly one reply is sent. A result that nobody can be told any more (the request was interrupted, or the kernel says
// ENOENT to the reply) is given back: lookups are forgotten, opened files released.
//
// Ownership: owns the fuse_req_t until it is answered; moved into the operation's coroutine. The context outlives it.
// Thread-safety: belongs to one operation, which may go on in another thread. Never blocks but for the write to the
// kernel.
#pragma once

#include <fuse_lowlevel.h>

#include <cstdint>
#include <memory>
#include <string>

#include "cache/file_system.h"
#include "fused/caller_credentials.h"
#include "fused/fuse_counters.h"
#include "fused/interrupt_watch.h"

namespace fused {

// What every operation uses. All references are borrowed.
struct OperationContext {
  cache::FileSystem& file_system;
  CallerCredentials& callers;
  InterruptWatch& interrupts;
  FuseCounters& counters;
  std::uint32_t block_bytes = 1 << 20;  // st_blksize
};

class Request {
 public:
  // `opcode`: FUSE_LOOKUP and so on, of linux/fuse.h.
  Request(OperationContext& context, fuse_req_t request, std::uint32_t opcode)
      : context_(&context), request_(request), opcode_(opcode) {}
  Request(Request&&) noexcept = default;
  Request& operator=(Request&&) noexcept = default;

  cache::FileSystem& file_system() const { return context_->file_system; }
  fuse_req_t handle() const { return request_; }
  std::uint32_t block_bytes() const { return context_->block_bytes; }
  // REQUIRES: not parked (the request could have been answered).
  cache::Caller caller() const;

  // Call before awaiting a task: if that has not ended, the request may from now on be interrupted.
  void park_unless(bool task_ended);

  // Looks after a parked request's thread though no INTERRUPT may come.
  void watch_while_parked();

  void reply_error(int error);
  void reply(nfs::Status status);
  // An empty entry (node 0) is a name that does not exist.
  void reply(const nfs::Result<cache::Entry>& entry);
  void reply(const nfs::Result<cache::NodeAttributes>& attributes);
  void reply(const nfs::Result<cache::OpenedFile>& opened, const fuse_file_info& file_info);
  void reply(const nfs::Result<cache::CreatedFile>& created, const fuse_file_info& file_info);
  void reply(const nfs::Result<cache::OpenDirectoryId>& opened, const fuse_file_info& file_info);
  void reply(const nfs::Result<nfs::Bytes>& data);
  void reply(const nfs::Result<nfs::FsstatReply>& statistics);
  void reply_link_target(const nfs::Result<std::string>& target);
  void reply_written(nfs::Status status, std::size_t count);
  // A buffer of directory entries. Returns false when it did not arrive.
  bool reply_names(const std::string& buffer);

 private:
  // False when the watch has answered EINTR already; then the request is not ours any more.
  bool claim();

  OperationContext* context_;
  fuse_req_t request_;
  std::uint32_t opcode_;
  std::shared_ptr<ParkedRequest> parked_;  // null while nobody has to wait
};

}  // namespace fused
