#include "fused/request.h"

#include <fcntl.h>

#include <cerrno>
#include <span>
#include <utility>

#include "fused/conversions.h"
#include "fused/fuse_session.h"

namespace fused {

namespace {

// libfuse wants a pointer for its hook; the id survives when the request behind it is gone, a pointer would not.
void* to_hook_data(std::uint64_t id) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));  // NOLINT(performance-no-int-to-ptr)
}

void on_interrupt(fuse_req_t request, void* data) {
  FuseSession::context_of(request).interrupts.on_interrupt(reinterpret_cast<std::uintptr_t>(data));
}

void set_open_answer(fuse_file_info& file_info, const cache::OpenedFile& opened) {
  file_info.fh = opened.file;
  file_info.keep_cache = opened.keep_pages;
  // A file that was only read has nothing to flush; the kernel saves a message per close.
  file_info.noflush = (file_info.flags & O_ACCMODE) == O_RDONLY;
}

}  // namespace

cache::Caller Request::caller() const {
  const fuse_ctx* sender = fuse_req_ctx(request_);
  auto thread_id = static_cast<std::uint32_t>(sender->pid);
  auto read_groups = [this](std::span<std::uint32_t> groups) {
    return fuse_req_getgroups(request_, static_cast<int>(groups.size()), groups.data());
  };
  cache::Caller caller;
  caller.credentials = context_->callers.of(thread_id, sender->uid, sender->gid, read_groups);
  caller.thread_id = thread_id;
  return caller;
}

void Request::park_unless(bool task_ended) {
  if (task_ended || parked_) {
    return;
  }
  auto answer_interrupted = [context = context_, request = request_, opcode = opcode_] {
    context->counters.count_error(opcode);
    fuse_reply_err(request, EINTR);
  };
  parked_ = context_->interrupts.park(static_cast<std::uint32_t>(fuse_req_ctx(request_)->pid), answer_interrupted);
  // An interrupt that came before runs the hook inside this call, which still uses the request: hence arm() after it.
  fuse_req_interrupt_func(request_, on_interrupt, to_hook_data(InterruptWatch::id_of(*parked_)));
  InterruptWatch::arm(*parked_);
}

void Request::watch_while_parked() {
  if (parked_) {
    context_->interrupts.watch(parked_);
  }
}

bool Request::claim() {
  if (!parked_) {
    return true;
  }
  context_->interrupts.unpark(*parked_);
  return parked_->claim();
}

void Request::reply_error(int error) {
  if (!claim()) {
    return;
  }
  if (error != 0) {
    context_->counters.count_error(opcode_);
  }
  fuse_reply_err(request_, error);
}

void Request::reply(nfs::Status status) {
  reply_error(nfs::status_errno(status));
}

void Request::reply(const nfs::Result<cache::Entry>& entry) {
  if (!entry) {
    reply(entry.error());
    return;
  }
  if (entry->node == 0) {
    if (entry->name_lifetime.count() <= 0) {
      reply_error(ENOENT);
      return;
    }
    if (claim()) {
      context_->counters.count_error(opcode_);
      fuse_entry_param absent = to_entry_param(*entry, context_->block_bytes);
      fuse_reply_entry(request_, &absent);
    }
    return;
  }
  fuse_entry_param param = to_entry_param(*entry, context_->block_bytes);
  if (!claim() || fuse_reply_entry(request_, &param) != 0) {
    context_->file_system.forget(entry->node, 1);
  }
}

void Request::reply(const nfs::Result<cache::NodeAttributes>& attributes) {
  if (!attributes) {
    reply(attributes.error());
    return;
  }
  if (claim()) {
    struct stat stat = to_stat(*attributes, context_->block_bytes);
    fuse_reply_attr(request_, &stat, to_seconds(attributes->lifetime));
  }
}

void Request::reply(const nfs::Result<cache::OpenedFile>& opened, const fuse_file_info& file_info) {
  if (!opened) {
    reply(opened.error());
    return;
  }
  fuse_file_info answer = file_info;
  set_open_answer(answer, *opened);
  if (!claim() || fuse_reply_open(request_, &answer) != 0) {
    context_->file_system.release(opened->file).detach();
  }
}

void Request::reply(const nfs::Result<cache::CreatedFile>& created, const fuse_file_info& file_info) {
  if (!created) {
    reply(created.error());
    return;
  }
  fuse_entry_param param = to_entry_param(created->entry, context_->block_bytes);
  fuse_file_info answer = file_info;
  set_open_answer(answer, created->opened);
  if (!claim() || fuse_reply_create(request_, &param, &answer) != 0) {
    context_->file_system.release(created->opened.file).detach();
    context_->file_system.forget(created->entry.node, 1);
  }
}

void Request::reply(const nfs::Result<cache::OpenDirectoryId>& opened, const fuse_file_info& file_info) {
  if (!opened) {
    reply(opened.error());
    return;
  }
  fuse_file_info answer = file_info;
  answer.fh = *opened;
  if (!claim() || fuse_reply_open(request_, &answer) != 0) {
    context_->file_system.releasedir(*opened);
  }
}

void Request::reply(const nfs::Result<nfs::Bytes>& data) {
  if (!data) {
    reply(data.error());
    return;
  }
  if (claim()) {
    fuse_reply_buf(request_, reinterpret_cast<const char*>(data->data()), data->size());
  }
}

void Request::reply(const nfs::Result<nfs::FsstatReply>& statistics) {
  if (!statistics) {
    reply(statistics.error());
    return;
  }
  if (claim()) {
    struct statvfs answer = to_statvfs(*statistics);
    fuse_reply_statfs(request_, &answer);
  }
}

void Request::reply_link_target(const nfs::Result<std::string>& target) {
  if (!target) {
    reply(target.error());
    return;
  }
  if (claim()) {
    fuse_reply_readlink(request_, target->c_str());
  }
}

void Request::reply_written(nfs::Status status, std::size_t count) {
  if (status != nfs::Status::kOk) {
    reply(status);
    return;
  }
  if (claim()) {
    fuse_reply_write(request_, count);
  }
}

bool Request::reply_names(const std::string& buffer) {
  return claim() && fuse_reply_buf(request_, buffer.data(), buffer.size()) == 0;
}

}  // namespace fused
