// GETATTR, SETATTR, ACCESS, STATFS.
#include <linux/fuse.h>

#include <optional>
#include <utility>

#include "fused/conversions.h"
#include "fused/fuse_session.h"
#include "fused/operations.h"
#include "fused/request.h"

namespace fused {

namespace {

using cache::NodeId;

nfs::Task<void> do_getattr(Request request, NodeId node) {
  cache::Caller caller = request.caller();
  auto asking = request.file_system().getattr(caller, node);
  request.park_unless(asking.ended());
  nfs::Result<cache::NodeAttributes> attributes = co_await asking;
  request.reply(attributes);
}

nfs::Task<void> do_setattr(Request request, NodeId node, nfs::SetAttributes changes,
                           std::optional<cache::OpenFileId> file) {
  cache::Caller caller = request.caller();
  auto changing = request.file_system().setattr(caller, node, changes, file);
  request.park_unless(changing.ended());
  nfs::Result<cache::NodeAttributes> attributes = co_await changing;
  request.reply(attributes);
}

nfs::Task<void> do_access(Request request, NodeId node, int mask) {
  cache::Caller caller = request.caller();
  auto asking = request.file_system().access(caller, node, mask);
  request.park_unless(asking.ended());
  nfs::Status status = co_await asking;
  request.reply(status);
}

nfs::Task<void> do_statfs(Request request) {
  cache::Caller caller = request.caller();
  auto asking = request.file_system().statfs(caller);
  request.park_unless(asking.ended());
  nfs::Result<nfs::FsstatReply> statistics = co_await asking;
  request.reply(statistics);
}

void handle_getattr(fuse_req_t handle, fuse_ino_t node, fuse_file_info*) {
  do_getattr(Request(FuseSession::context_of(handle), handle, FUSE_GETATTR), node).detach();
}

void handle_setattr(fuse_req_t handle, fuse_ino_t node, struct stat* attributes, int to_set, fuse_file_info* file) {
  Request request(FuseSession::context_of(handle), handle, FUSE_SETATTR);
  nfs::SetAttributes changes = to_set_attributes(*attributes, to_set);
  if (!changes_anything(changes)) {
    do_getattr(std::move(request), node).detach();
    return;
  }
  std::optional<cache::OpenFileId> open_file;
  if (file != nullptr) {
    open_file = file->fh;
  }
  do_setattr(std::move(request), node, changes, open_file).detach();
}

void handle_access(fuse_req_t handle, fuse_ino_t node, int mask) {
  do_access(Request(FuseSession::context_of(handle), handle, FUSE_ACCESS), node, mask).detach();
}

void handle_statfs(fuse_req_t handle, fuse_ino_t) {
  do_statfs(Request(FuseSession::context_of(handle), handle, FUSE_STATFS)).detach();
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& operations) {
  operations.getattr = handle_getattr;
  operations.setattr = handle_setattr;
  operations.access = handle_access;
  operations.statfs = handle_statfs;
}

}  // namespace fused
