// LOOKUP, FORGET and the operations that make, remove and move names.
#include <linux/fs.h>
#include <linux/fuse.h>

#include <cerrno>
#include <string>
#include <utility>

#include "fused/conversions.h"
#include "fused/fuse_session.h"
#include "fused/operations.h"
#include "fused/request.h"

namespace fused {

namespace {

using cache::NodeId;

constexpr std::uint32_t kPermissionBits = 07777;

nfs::Task<void> do_lookup(Request request, NodeId parent, std::string name) {
  cache::Caller caller = request.caller();
  auto looking_up = request.file_system().lookup(caller, parent, std::move(name));
  request.park_unless(looking_up.ended());
  nfs::Result<cache::Entry> entry = co_await looking_up;
  request.reply(entry);
}

nfs::Task<void> do_mkdir(Request request, NodeId parent, std::string name, std::uint32_t mode) {
  cache::Caller caller = request.caller();
  auto making = request.file_system().mkdir(caller, parent, std::move(name), mode & kPermissionBits);
  request.park_unless(making.ended());
  nfs::Result<cache::Entry> entry = co_await making;
  request.reply(entry);
}

nfs::Task<void> do_symlink(Request request, NodeId parent, std::string name, std::string target) {
  cache::Caller caller = request.caller();
  auto making = request.file_system().symlink(caller, parent, std::move(name), std::move(target));
  request.park_unless(making.ended());
  nfs::Result<cache::Entry> entry = co_await making;
  request.reply(entry);
}

nfs::Task<void> do_mknod(Request request, NodeId parent, std::string name, std::uint32_t mode, nfs::NodeKind kind) {
  cache::Caller caller = request.caller();
  auto making = request.file_system().mknod(caller, parent, std::move(name), mode & kPermissionBits, kind);
  request.park_unless(making.ended());
  nfs::Result<cache::Entry> entry = co_await making;
  request.reply(entry);
}

// NFSv3's MKNOD makes no regular files: CREATE does, and mknod(2) must not find the name taken.
nfs::Task<void> do_mknod_regular(Request request, NodeId parent, std::string name, std::uint32_t mode) {
  cache::Caller caller = request.caller();
  cache::OpenFlags flags;
  flags.read = false;
  flags.write = true;
  auto creating =
      request.file_system().create(caller, parent, std::move(name), mode & kPermissionBits, /*exclusive=*/true, flags);
  request.park_unless(creating.ended());
  nfs::Result<cache::CreatedFile> created = co_await creating;
  if (!created) {
    request.reply(created.error());
    co_return;
  }
  auto releasing = request.file_system().release(created->opened.file);
  request.park_unless(releasing.ended());
  co_await releasing;
  nfs::Result<cache::Entry> entry = created->entry;
  request.reply(entry);
}

nfs::Task<void> do_link(Request request, NodeId node, NodeId parent, std::string name) {
  cache::Caller caller = request.caller();
  auto linking = request.file_system().link(caller, node, parent, std::move(name));
  request.park_unless(linking.ended());
  nfs::Result<cache::Entry> entry = co_await linking;
  request.reply(entry);
}

nfs::Task<void> do_unlink(Request request, NodeId parent, std::string name) {
  cache::Caller caller = request.caller();
  auto removing = request.file_system().unlink(caller, parent, std::move(name));
  request.park_unless(removing.ended());
  nfs::Status status = co_await removing;
  request.reply(status);
}

nfs::Task<void> do_rmdir(Request request, NodeId parent, std::string name) {
  cache::Caller caller = request.caller();
  auto removing = request.file_system().rmdir(caller, parent, std::move(name));
  request.park_unless(removing.ended());
  nfs::Status status = co_await removing;
  request.reply(status);
}

nfs::Task<void> do_rename(Request request, NodeId from_parent, std::string from_name, NodeId to_parent,
                          std::string to_name, cache::RenameMode mode) {
  cache::Caller caller = request.caller();
  auto renaming =
      request.file_system().rename(caller, from_parent, std::move(from_name), to_parent, std::move(to_name), mode);
  request.park_unless(renaming.ended());
  nfs::Status status = co_await renaming;
  request.reply(status);
}

nfs::Task<void> do_readlink(Request request, NodeId node) {
  cache::Caller caller = request.caller();
  auto reading = request.file_system().readlink(caller, node);
  request.park_unless(reading.ended());
  nfs::Result<std::string> target = co_await reading;
  request.reply_link_target(target);
}

Request accept(fuse_req_t handle, std::uint32_t opcode) {
  return Request(FuseSession::context_of(handle), handle, opcode);
}

void handle_lookup(fuse_req_t handle, fuse_ino_t parent, const char* name) {
  do_lookup(accept(handle, FUSE_LOOKUP), parent, name).detach();
}

void handle_forget(fuse_req_t handle, fuse_ino_t node, std::uint64_t lookups) {
  FuseSession::context_of(handle).file_system.forget(node, lookups);
  fuse_reply_none(handle);
}

void handle_forget_multi(fuse_req_t handle, std::size_t count, fuse_forget_data* forgets) {
  cache::FileSystem& file_system = FuseSession::context_of(handle).file_system;
  for (std::size_t i = 0; i < count; ++i) {
    file_system.forget(forgets[i].ino, forgets[i].nlookup);
  }
  fuse_reply_none(handle);
}

void handle_mkdir(fuse_req_t handle, fuse_ino_t parent, const char* name, mode_t mode) {
  do_mkdir(accept(handle, FUSE_MKDIR), parent, name, mode).detach();
}

void handle_symlink(fuse_req_t handle, const char* target, fuse_ino_t parent, const char* name) {
  do_symlink(accept(handle, FUSE_SYMLINK), parent, name, target).detach();
}

void handle_mknod(fuse_req_t handle, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  Request request = accept(handle, FUSE_MKNOD);
  if (S_ISREG(mode) || (mode & S_IFMT) == 0) {
    do_mknod_regular(std::move(request), parent, name, mode).detach();
  } else if (std::optional<nfs::NodeKind> kind = to_node_kind(mode, device)) {
    do_mknod(std::move(request), parent, name, mode, *kind).detach();
  } else {
    request.reply_error(EINVAL);
  }
}

void handle_link(fuse_req_t handle, fuse_ino_t node, fuse_ino_t parent, const char* name) {
  do_link(accept(handle, FUSE_LINK), node, parent, name).detach();
}

void handle_unlink(fuse_req_t handle, fuse_ino_t parent, const char* name) {
  do_unlink(accept(handle, FUSE_UNLINK), parent, name).detach();
}

void handle_rmdir(fuse_req_t handle, fuse_ino_t parent, const char* name) {
  do_rmdir(accept(handle, FUSE_RMDIR), parent, name).detach();
}

void handle_rename(fuse_req_t handle, fuse_ino_t from_parent, const char* from_name, fuse_ino_t to_parent,
                   const char* to_name, unsigned int flags) {
  Request request = accept(handle, flags == 0 ? FUSE_RENAME : FUSE_RENAME2);
  // NFSv3 can neither exchange two names nor leave a whiteout behind.
  if ((flags & ~RENAME_NOREPLACE) != 0) {
    request.reply_error(EINVAL);
    return;
  }
  cache::RenameMode mode = flags == 0 ? cache::RenameMode::kReplace : cache::RenameMode::kNoReplace;
  do_rename(std::move(request), from_parent, from_name, to_parent, to_name, mode).detach();
}

void handle_readlink(fuse_req_t handle, fuse_ino_t node) {
  do_readlink(accept(handle, FUSE_READLINK), node).detach();
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& operations) {
  operations.lookup = handle_lookup;
  operations.forget = handle_forget;
  operations.forget_multi = handle_forget_multi;
  operations.mkdir = handle_mkdir;
  operations.symlink = handle_symlink;
  operations.mknod = handle_mknod;
  operations.link = handle_link;
  operations.unlink = handle_unlink;
  operations.rmdir = handle_rmdir;
  operations.rename = handle_rename;
  operations.readlink = handle_readlink;
}

}  // namespace fused
