// OPEN, CREATE, READ, WRITE, FLUSH, FSYNC, RELEASE.
#include <fcntl.h>
#include <linux/fuse.h>

#include <span>
#include <string>
#include <utility>

#include "fused/conversions.h"
#include "fused/fuse_session.h"
#include "fused/operations.h"
#include "fused/request.h"

namespace fused {

namespace {

using cache::NodeId;
using cache::OpenFileId;

nfs::Task<void> do_open(Request request, NodeId node, fuse_file_info file_info) {
  cache::Caller caller = request.caller();
  cache::OpenFlags flags = to_open_flags(file_info.flags);
  auto opening = request.file_system().open(caller, node, flags);
  request.park_unless(opening.ended());
  nfs::Result<cache::OpenedFile> opened = co_await opening;
  request.reply(opened, file_info);
}

nfs::Task<void> do_create(Request request, NodeId parent, std::string name, std::uint32_t mode,
                          fuse_file_info file_info) {
  constexpr std::uint32_t kPermissionBits = 07777;
  cache::Caller caller = request.caller();
  cache::OpenFlags flags = to_open_flags(file_info.flags);
  bool exclusive = (file_info.flags & O_EXCL) != 0;
  auto creating =
      request.file_system().create(caller, parent, std::move(name), mode & kPermissionBits, exclusive, flags);
  request.park_unless(creating.ended());
  nfs::Result<cache::CreatedFile> created = co_await creating;
  request.reply(created, file_info);
}

nfs::Task<void> do_read(Request request, OpenFileId file, std::uint64_t offset, std::uint32_t count) {
  auto reading = request.file_system().read(file, offset, count);
  request.park_unless(reading.ended());
  nfs::Result<nfs::Bytes> data = co_await reading;
  request.reply(data);
}

// `data` is gone after the first suspension: write() copies it before it returns.
nfs::Task<void> do_write(Request request, OpenFileId file, std::uint64_t offset, std::span<const std::byte> data) {
  std::size_t count = data.size();
  auto writing = request.file_system().write(file, offset, data);
  request.park_unless(writing.ended());
  nfs::Status status = co_await writing;
  request.reply_written(status, count);
}

nfs::Task<void> do_flush(Request request, OpenFileId file) {
  auto flushing = request.file_system().flush(file);
  request.park_unless(flushing.ended());
  request.watch_while_parked();
  nfs::Status status = co_await flushing;
  request.reply(status);
}

nfs::Task<void> do_fsync(Request request, OpenFileId file) {
  auto syncing = request.file_system().fsync(file);
  request.park_unless(syncing.ended());
  nfs::Status status = co_await syncing;
  request.reply(status);
}

// The kernel waits for nothing here, and nobody could be interrupted.
nfs::Task<void> do_release(Request request, OpenFileId file) {
  auto releasing = request.file_system().release(file);
  nfs::Status status = co_await releasing;
  request.reply(status);
}

void handle_open(fuse_req_t handle, fuse_ino_t node, fuse_file_info* file_info) {
  do_open(Request(FuseSession::context_of(handle), handle, FUSE_OPEN), node, *file_info).detach();
}

void handle_create(fuse_req_t handle, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file_info) {
  do_create(Request(FuseSession::context_of(handle), handle, FUSE_CREATE), parent, name, mode, *file_info).detach();
}

void handle_read(fuse_req_t handle, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file_info) {
  do_read(Request(FuseSession::context_of(handle), handle, FUSE_READ), file_info->fh,
          static_cast<std::uint64_t>(offset), static_cast<std::uint32_t>(size))
      .detach();
}

void handle_write(fuse_req_t handle, fuse_ino_t, const char* buffer, std::size_t size, off_t offset,
                  fuse_file_info* file_info) {
  std::span<const std::byte> data = std::as_bytes(std::span(buffer, size));
  do_write(Request(FuseSession::context_of(handle), handle, FUSE_WRITE), file_info->fh,
           static_cast<std::uint64_t>(offset), data)
      .detach();
}

void handle_flush(fuse_req_t handle, fuse_ino_t, fuse_file_info* file_info) {
  do_flush(Request(FuseSession::context_of(handle), handle, FUSE_FLUSH), file_info->fh).detach();
}

void handle_fsync(fuse_req_t handle, fuse_ino_t, int, fuse_file_info* file_info) {
  do_fsync(Request(FuseSession::context_of(handle), handle, FUSE_FSYNC), file_info->fh).detach();
}

void handle_release(fuse_req_t handle, fuse_ino_t, fuse_file_info* file_info) {
  do_release(Request(FuseSession::context_of(handle), handle, FUSE_RELEASE), file_info->fh).detach();
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& operations) {
  operations.open = handle_open;
  operations.create = handle_create;
  operations.read = handle_read;
  operations.write = handle_write;
  operations.flush = handle_flush;
  operations.fsync = handle_fsync;
  operations.release = handle_release;
}

}  // namespace fused
