#include "tests/support/fake_server.h"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace support {

using nfs::Procedure;
using nfs::Status;
using nfs::Task;

namespace {

struct NullReply {
  Status status = Status::kOk;
};

Task<Status> status_of(Task<NullReply> call) {
  NullReply reply = co_await call;
  co_return reply.status;
}

Task<Status> ended_with(Status status) {
  co_return status;
}

}  // namespace

FakeServer::FakeServer(Replies replies, unsigned seed) {
  if (replies == Replies::kAsynchronous) {
    executor_ = std::make_unique<ShufflingExecutor>(seed);
  }
}

FakeServer::~FakeServer() {
  release_all();
}

// ---- Faults ----

void FakeServer::hold_replies(Procedure procedure) {
  std::lock_guard lock(mutex_);
  controls(procedure).reply_hold = std::make_shared<nfs::Event>();
}

void FakeServer::hold_requests(Procedure procedure) {
  std::lock_guard lock(mutex_);
  controls(procedure).request_hold = std::make_shared<nfs::Event>();
}

void FakeServer::hold_all_requests() {
  for (std::size_t i = 0; i < kProcedures; ++i) {
    hold_requests(static_cast<Procedure>(i));
  }
}

void FakeServer::release(Procedure procedure) {
  std::shared_ptr<nfs::Event> requests;
  std::shared_ptr<nfs::Event> replies;
  {
    std::lock_guard lock(mutex_);
    requests = std::exchange(controls(procedure).request_hold, nullptr);
    replies = std::exchange(controls(procedure).reply_hold, nullptr);
  }
  // Outside the lock: what waited runs on in here.
  if (requests) {
    requests->set();
  }
  if (replies) {
    replies->set();
  }
}

void FakeServer::release_all() {
  for (std::size_t i = 0; i < kProcedures; ++i) {
    release(static_cast<Procedure>(i));
  }
}

void FakeServer::wait_until_parked(Procedure procedure, std::size_t count) {
  std::unique_lock lock(mutex_);
  bool enough =
      parked_changed_.wait_for(lock, std::chrono::seconds(10), [&] { return controls(procedure).parked >= count; });
  if (!enough) {
    throw std::runtime_error("calls did not reach the fake server: " + std::string(nfs::procedure_name(procedure)));
  }
}

std::size_t FakeServer::parked(Procedure procedure) const {
  std::lock_guard lock(mutex_);
  return controls(procedure).parked;
}

void FakeServer::fail_next(Procedure procedure, Status status, std::size_t count) {
  std::lock_guard lock(mutex_);
  controls(procedure).failure = status;
  controls(procedure).failures_left = count;
}

void FakeServer::lose_next_reply(Procedure procedure, Status status) {
  std::lock_guard lock(mutex_);
  controls(procedure).loss = status;
}

void FakeServer::set_server_state(nfs::ServerState state) {
  std::lock_guard lock(mutex_);
  state_ = state;
}

void FakeServer::recall(const nfs::FileHandle& file) {
  nfs::ServerEvents* events = nullptr;
  {
    std::lock_guard lock(mutex_);
    events = events_;
  }
  if (events != nullptr) {
    events->on_recall(file);
  }
}

// ---- What was asked ----

std::uint64_t FakeServer::calls(Procedure procedure) const {
  std::lock_guard lock(mutex_);
  return controls(procedure).counters.calls;
}

std::uint64_t FakeServer::calls() const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const Controls& each : controls_) {
    sum += each.counters.calls;
  }
  return sum;
}

std::vector<FakeCall> FakeServer::log() const {
  std::lock_guard lock(mutex_);
  return log_;
}

void FakeServer::forget_calls() {
  std::lock_guard lock(mutex_);
  log_.clear();
  for (Controls& each : controls_) {
    each.counters = {};
  }
}

nfs::RpcStatistics FakeServer::statistics() const {
  std::lock_guard lock(mutex_);
  nfs::RpcStatistics statistics;
  for (std::size_t i = 0; i < kProcedures; ++i) {
    statistics.emplace(nfs::kProcedureNames[i], controls_[i].counters);
  }
  return statistics;
}

nfs::ServerState FakeServer::server_state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void FakeServer::set_events(nfs::ServerEvents* events) {
  std::lock_guard lock(mutex_);
  events_ = events;
}

// ---- Calls ----

FakeServer::Plan FakeServer::begin(const FakeCall& call) {
  std::lock_guard lock(mutex_);
  log_.push_back(call);
  Controls& each = controls(call.procedure);
  ++each.counters.calls;
  Plan plan;
  plan.request_hold = each.request_hold;
  plan.reply_hold = each.reply_hold;
  plan.loss = std::exchange(each.loss, std::nullopt);
  if (each.failures_left > 0) {
    --each.failures_left;
    plan.failure = each.failure;
  }
  return plan;
}

void FakeServer::finish(Procedure procedure, Status status) {
  std::lock_guard lock(mutex_);
  controls(procedure).counters.errors += status == Status::kOk ? 0 : 1;
}

Task<void> FakeServer::park(Procedure procedure, std::shared_ptr<nfs::Event> door) {
  {
    std::lock_guard lock(mutex_);
    ++controls(procedure).parked;
    parked_changed_.notify_all();
  }
  co_await *door;
  std::lock_guard lock(mutex_);
  --controls(procedure).parked;
}

template <class Reply>
Task<Reply> FakeServer::serve(Procedure procedure, Plan plan, std::function<Reply(FakeFileSystem&)> work) {
  if (executor_) {
    co_await executor_->hop();
  }
  if (plan.request_hold) {
    co_await park(procedure, plan.request_hold);
  }
  Reply reply;
  if (plan.failure) {
    reply.status = *plan.failure;
  } else {
    std::lock_guard lock(files_mutex_);
    reply = work(files_);
  }
  if (plan.reply_hold) {
    co_await park(procedure, plan.reply_hold);
  }
  if (plan.loss) {
    reply = Reply();
    reply.status = *plan.loss;
  }
  finish(procedure, reply.status);
  co_return reply;
}

template <class Reply>
Task<Reply> FakeServer::begin_and_serve(FakeCall call, std::function<Reply(FakeFileSystem&)> work) {
  Plan plan = begin(call);
  return serve<Reply>(call.procedure, std::move(plan), std::move(work));
}

Task<Status> FakeServer::null() {
  FakeCall call;
  std::function<NullReply(FakeFileSystem&)> work = [](FakeFileSystem&) { return NullReply{}; };
  return status_of(begin_and_serve(std::move(call), std::move(work)));
}

Task<nfs::GetattrReply> FakeServer::getattr(nfs::Credentials who, nfs::FileHandle file) {
  FakeCall call{.procedure = Procedure::kGetattr, .who = who, .file = file};
  return begin_and_serve<nfs::GetattrReply>(std::move(call),
                                            [=](FakeFileSystem& files) { return files.getattr(file); });
}

Task<nfs::SetattrReply> FakeServer::setattr(nfs::Credentials who, nfs::FileHandle file, nfs::SetAttributes changes,
                                            std::optional<nfs::Time> guard_ctime) {
  FakeCall call{.procedure = Procedure::kSetattr, .who = who, .file = file};
  return begin_and_serve<nfs::SetattrReply>(
      std::move(call), [=](FakeFileSystem& files) { return files.setattr(who, file, changes, guard_ctime); });
}

Task<nfs::LookupReply> FakeServer::lookup(nfs::Credentials who, nfs::FileHandle directory, std::string name) {
  FakeCall call{.procedure = Procedure::kLookup, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::LookupReply>(std::move(call),
                                           [=](FakeFileSystem& files) { return files.lookup(who, directory, name); });
}

Task<nfs::AccessReply> FakeServer::access(nfs::Credentials who, nfs::FileHandle file, std::uint32_t access) {
  FakeCall call{.procedure = Procedure::kAccess, .who = who, .file = file};
  return begin_and_serve<nfs::AccessReply>(std::move(call),
                                           [=](FakeFileSystem& files) { return files.access(who, file, access); });
}

Task<nfs::ReadlinkReply> FakeServer::readlink(nfs::Credentials who, nfs::FileHandle link) {
  FakeCall call{.procedure = Procedure::kReadlink, .who = who, .file = link};
  return begin_and_serve<nfs::ReadlinkReply>(std::move(call),
                                             [=](FakeFileSystem& files) { return files.readlink(link); });
}

Task<nfs::ReadReply> FakeServer::read(nfs::Credentials who, nfs::FileHandle file, std::uint64_t offset,
                                      std::uint32_t count) {
  FakeCall call{.procedure = Procedure::kRead, .who = who, .file = file, .offset = offset, .count = count};
  return begin_and_serve<nfs::ReadReply>(std::move(call),
                                         [=](FakeFileSystem& files) { return files.read(who, file, offset, count); });
}

Task<nfs::WriteReply> FakeServer::write(nfs::Credentials who, nfs::FileHandle file, std::uint64_t offset,
                                        std::span<const std::byte> data, nfs::StableHow stable) {
  FakeCall call{.procedure = Procedure::kWrite,
                .who = who,
                .file = file,
                .offset = offset,
                .count = data.size(),
                .stable = stable};
  return begin_and_serve<nfs::WriteReply>(
      std::move(call), [=](FakeFileSystem& files) { return files.write(who, file, offset, data, stable); });
}

Task<nfs::CreateReply> FakeServer::create(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                          nfs::CreateMode mode, nfs::SetAttributes attributes, nfs::Verifier verifier) {
  FakeCall call{.procedure = Procedure::kCreate, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::CreateReply>(std::move(call), [=](FakeFileSystem& files) {
    return files.create(who, directory, name, mode, attributes, verifier);
  });
}

Task<nfs::CreateReply> FakeServer::mkdir(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                         nfs::SetAttributes attributes) {
  FakeCall call{.procedure = Procedure::kMkdir, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::CreateReply>(
      std::move(call), [=](FakeFileSystem& files) { return files.mkdir(who, directory, name, attributes); });
}

Task<nfs::CreateReply> FakeServer::symlink(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                           std::string target, nfs::SetAttributes attributes) {
  FakeCall call{.procedure = Procedure::kSymlink, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::CreateReply>(
      std::move(call), [=](FakeFileSystem& files) { return files.symlink(who, directory, name, target, attributes); });
}

Task<nfs::CreateReply> FakeServer::mknod(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                         nfs::NodeKind kind, nfs::SetAttributes attributes) {
  FakeCall call{.procedure = Procedure::kMknod, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::CreateReply>(
      std::move(call), [=](FakeFileSystem& files) { return files.mknod(who, directory, name, kind, attributes); });
}

Task<nfs::RemoveReply> FakeServer::remove(nfs::Credentials who, nfs::FileHandle directory, std::string name) {
  FakeCall call{.procedure = Procedure::kRemove, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::RemoveReply>(std::move(call),
                                           [=](FakeFileSystem& files) { return files.remove(who, directory, name); });
}

Task<nfs::RemoveReply> FakeServer::rmdir(nfs::Credentials who, nfs::FileHandle directory, std::string name) {
  FakeCall call{.procedure = Procedure::kRmdir, .who = who, .file = directory, .name = name};
  return begin_and_serve<nfs::RemoveReply>(std::move(call),
                                           [=](FakeFileSystem& files) { return files.rmdir(who, directory, name); });
}

Task<nfs::RenameReply> FakeServer::rename(nfs::Credentials who, nfs::FileHandle from_directory, std::string from_name,
                                          nfs::FileHandle to_directory, std::string to_name,
                                          nfs::FileHandle /*source*/) {
  FakeCall call{.procedure = Procedure::kRename, .who = who, .file = from_directory, .name = from_name};
  return begin_and_serve<nfs::RenameReply>(std::move(call), [=](FakeFileSystem& files) {
    return files.rename(who, from_directory, from_name, to_directory, to_name);
  });
}

Task<nfs::LinkReply> FakeServer::link(nfs::Credentials who, nfs::FileHandle file, nfs::FileHandle directory,
                                      std::string name) {
  FakeCall call{.procedure = Procedure::kLink, .who = who, .file = file, .name = name};
  return begin_and_serve<nfs::LinkReply>(std::move(call),
                                         [=](FakeFileSystem& files) { return files.link(who, file, directory, name); });
}

Task<nfs::ReaddirReply> FakeServer::readdir(nfs::Credentials who, nfs::FileHandle directory, nfs::Cookie cookie,
                                            nfs::Verifier verifier, std::uint32_t bytes_max) {
  FakeCall call{.procedure = Procedure::kReaddir, .who = who, .file = directory, .offset = cookie, .count = bytes_max};
  return begin_and_serve<nfs::ReaddirReply>(std::move(call), [=](FakeFileSystem& files) {
    return files.readdir(who, directory, cookie, verifier, bytes_max, false);
  });
}

Task<nfs::ReaddirReply> FakeServer::readdirplus(nfs::Credentials who, nfs::FileHandle directory, nfs::Cookie cookie,
                                                nfs::Verifier verifier, std::uint32_t bytes_max) {
  FakeCall call{
      .procedure = Procedure::kReaddirplus, .who = who, .file = directory, .offset = cookie, .count = bytes_max};
  return begin_and_serve<nfs::ReaddirReply>(std::move(call), [=](FakeFileSystem& files) {
    return files.readdir(who, directory, cookie, verifier, bytes_max, true);
  });
}

Task<nfs::FsstatReply> FakeServer::fsstat(nfs::Credentials who, nfs::FileHandle root) {
  FakeCall call{.procedure = Procedure::kFsstat, .who = who, .file = root};
  return begin_and_serve<nfs::FsstatReply>(std::move(call), [=](FakeFileSystem& files) { return files.fsstat(root); });
}

Task<nfs::FsinfoReply> FakeServer::fsinfo(nfs::Credentials who, nfs::FileHandle root) {
  FakeCall call{.procedure = Procedure::kFsinfo, .who = who, .file = root};
  return begin_and_serve<nfs::FsinfoReply>(std::move(call), [=](FakeFileSystem& files) { return files.fsinfo(root); });
}

Task<nfs::PathconfReply> FakeServer::pathconf(nfs::Credentials who, nfs::FileHandle file) {
  FakeCall call{.procedure = Procedure::kPathconf, .who = who, .file = file};
  return begin_and_serve<nfs::PathconfReply>(std::move(call),
                                             [=](FakeFileSystem& files) { return files.pathconf(file); });
}

Task<nfs::CommitReply> FakeServer::commit(nfs::Credentials who, nfs::FileHandle file, std::uint64_t offset,
                                          std::uint32_t count) {
  FakeCall call{.procedure = Procedure::kCommit, .who = who, .file = file, .offset = offset, .count = count};
  return begin_and_serve<nfs::CommitReply>(
      std::move(call), [=](FakeFileSystem& files) { return files.commit(who, file, offset, count); });
}

// NFSv3 keeps no state of open files: no message, nothing to count.
Task<Status> FakeServer::open(nfs::Credentials, nfs::FileHandle, nfs::OpenMode) {
  return ended_with(Status::kOk);
}
Task<Status> FakeServer::close(nfs::Credentials, nfs::FileHandle, nfs::OpenMode) {
  return ended_with(Status::kOk);
}

}  // namespace support
