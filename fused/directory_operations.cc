// OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR.
#include <linux/fuse.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "fused/conversions.h"
#include "fused/fuse_session.h"
#include "fused/operations.h"
#include "fused/request.h"

namespace fused {

namespace {

using cache::NodeId;
using cache::OpenDirectoryId;

// Collects the entries of one reply. Lives in the operation's coroutine while the file system offers names.
class DirectoryBuffer {
 public:
  DirectoryBuffer(fuse_req_t handle, std::size_t bytes_max, std::uint32_t block_bytes, bool with_attributes)
      : handle_(handle), bytes_max_(bytes_max), block_bytes_(block_bytes), with_attributes_(with_attributes) {}

  // False when there is no room for it.
  bool add(const cache::ListedName& listed) {
    name_.assign(listed.name);
    std::size_t used = bytes_.size();
    std::size_t needed = used + encode(listed, nullptr, 0);
    if (needed > bytes_max_) {
      return false;
    }
    bytes_.resize(needed);
    encode(listed, bytes_.data() + used, needed - used);
    if (listed.entry) {
      nodes_.push_back(listed.entry->node);
    }
    return true;
  }

  const std::string& bytes() const { return bytes_; }
  const std::vector<NodeId>& nodes() const { return nodes_; }

 private:
  std::size_t encode(const cache::ListedName& listed, char* to, std::size_t room) const {
    auto next_offset = static_cast<off_t>(listed.next_offset);
    if (!with_attributes_) {
      struct stat stat {};
      stat.st_ino = listed.inode;
      stat.st_mode = to_mode(listed.type);
      return fuse_add_direntry(handle_, to, room, name_.c_str(), &stat, next_offset);
    }
    fuse_entry_param entry{};
    if (listed.entry) {
      entry = to_entry_param(*listed.entry, block_bytes_);
    } else {
      // Node 0: no lookup is meant, only the name, number and type are told.
      entry.attr.st_ino = listed.inode;
      entry.attr.st_mode = to_mode(listed.type);
    }
    return fuse_add_direntry_plus(handle_, to, room, name_.c_str(), &entry, next_offset);
  }

  const fuse_req_t handle_;
  const std::size_t bytes_max_;
  const std::uint32_t block_bytes_;
  const bool with_attributes_;
  std::string name_;  // with its NUL
  std::string bytes_;
  std::vector<NodeId> nodes_;  // whose lookups were counted
};

nfs::Task<void> do_opendir(Request request, NodeId node, fuse_file_info file_info) {
  cache::Caller caller = request.caller();
  auto opening = request.file_system().opendir(caller, node);
  request.park_unless(opening.ended());
  nfs::Result<OpenDirectoryId> opened = co_await opening;
  request.reply(opened, file_info);
}

nfs::Task<void> do_list(Request request, OpenDirectoryId directory, std::uint64_t offset, std::size_t bytes_max,
                        bool with_attributes) {
  DirectoryBuffer buffer(request.handle(), bytes_max, request.block_bytes(), with_attributes);
  auto listing = request.file_system().readdir(
      directory, offset, [&buffer](const cache::ListedName& listed) { return buffer.add(listed); });
  request.park_unless(listing.ended());
  nfs::Status status = co_await listing;
  if (status != nfs::Status::kOk && buffer.bytes().empty()) {
    request.reply(status);
    co_return;
  }
  // An error behind the first names is told by the next call.
  bool arrived = request.reply_names(buffer.bytes());
  if (!arrived || !with_attributes) {
    for (NodeId node : buffer.nodes()) {
      request.file_system().forget(node, 1);
    }
  }
}

void handle_opendir(fuse_req_t handle, fuse_ino_t node, fuse_file_info* file_info) {
  do_opendir(Request(FuseSession::context_of(handle), handle, FUSE_OPENDIR), node, *file_info).detach();
}

void handle_readdir(fuse_req_t handle, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file_info) {
  do_list(Request(FuseSession::context_of(handle), handle, FUSE_READDIR), file_info->fh,
          static_cast<std::uint64_t>(offset), size, /*with_attributes=*/false)
      .detach();
}

void handle_readdirplus(fuse_req_t handle, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file_info) {
  do_list(Request(FuseSession::context_of(handle), handle, FUSE_READDIRPLUS), file_info->fh,
          static_cast<std::uint64_t>(offset), size, /*with_attributes=*/true)
      .detach();
}

void handle_releasedir(fuse_req_t handle, fuse_ino_t, fuse_file_info* file_info) {
  FuseSession::context_of(handle).file_system.releasedir(file_info->fh);
  fuse_reply_err(handle, 0);
}

// NFSv3 servers make changes of names stable before they answer: there is nothing left to do.
void handle_fsyncdir(fuse_req_t handle, fuse_ino_t, int, fuse_file_info*) {
  fuse_reply_err(handle, 0);
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& operations, bool readdirplus) {
  operations.opendir = handle_opendir;
  operations.readdir = handle_readdir;
  if (readdirplus) {
    operations.readdirplus = handle_readdirplus;
  }
  operations.releasedir = handle_releasedir;
  operations.fsyncdir = handle_fsyncdir;
}

}  // namespace fused
