// FakeServer: an nfs::Client whose server is a FakeFileSystem, with the controls that tests need: replies that are
// held, lost or replaced by an error, reboots, call counts and a log of calls.
//
// By default every Task has ended when the call returns. With Replies::kAsynchronous the answers come from two threads
// of the fake's own, in shuffled order (the seed is a parameter), to shake out what relies on order.
//
//   FakeServer server;
//   server.files()->write_file("a/b", "text");              // as another client
//   server.hold_replies(Procedure::kRead);                  // reads now park, their work done
//   ... server.wait_until_parked(Procedure::kRead, 1); ...  // blocks the test
//   server.release(Procedure::kRead);                       // they end in this thread
//   EXPECT_EQ(server.calls(Procedure::kGetattr), 1u);
//
// Ownership: parked calls refer to the server: release them before it is destroyed.
// Thread-safety: every member may be called from any thread. release() resumes what waited in the calling thread.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "nfsbackend/client.h"
#include "nfsbackend/event.h"
#include "nfsbackend/procedure.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/shuffling_executor.h"

namespace support {

// One call as the server saw it. Fields that the procedure lacks are empty.
struct FakeCall {
  nfs::Procedure procedure = nfs::Procedure::kNull;
  nfs::Credentials who{};
  nfs::FileHandle file{};  // or the directory
  std::string name{};
  std::uint64_t offset = 0;  // or the cookie
  std::uint64_t count = 0;
  nfs::StableHow stable = nfs::StableHow::kUnstable;  // of a WRITE
};

enum class Replies { kSynchronous, kAsynchronous };

class FakeServer final : public nfs::Client {
 public:
  explicit FakeServer(Replies replies = Replies::kSynchronous, unsigned seed = 1);
  ~FakeServer() override;
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  // The file system with its lock held until the end of the full expression: server.files()->remove_path("a").
  class LockedFiles {
   public:
    FakeFileSystem* operator->() { return &files_; }
    FakeFileSystem& operator*() { return files_; }

   private:
    friend class FakeServer;
    LockedFiles(std::recursive_mutex& mutex, FakeFileSystem& files) : lock_(mutex), files_(files) {}
    std::unique_lock<std::recursive_mutex> lock_;
    FakeFileSystem& files_;
  };
  LockedFiles files() { return {files_mutex_, files_}; }
  nfs::FileHandle root() { return files()->root(); }

  // ---- Faults ----
  // Calls of the procedure begun from now on park after their work is done (replies) or before (requests).
  void hold_replies(nfs::Procedure procedure);
  void hold_requests(nfs::Procedure procedure);
  void hold_all_requests();  // the server hangs
  void release(nfs::Procedure procedure);
  void release_all();
  // Blocks until `count` calls of the procedure are parked; throws after ten seconds.
  void wait_until_parked(nfs::Procedure procedure, std::size_t count);
  std::size_t parked(nfs::Procedure procedure) const;
  // The next `count` calls of the procedure do nothing and end with `status`.
  void fail_next(nfs::Procedure procedure, nfs::Status status, std::size_t count = 1);
  // The next call of the procedure does its work, but its caller is told `status`, as a soft mount tells.
  void lose_next_reply(nfs::Procedure procedure, nfs::Status status = nfs::Status::kTimedOut);
  void reboot() { files()->reboot(); }
  void set_server_state(nfs::ServerState state);
  // Tells the client's ServerEvents that the file's delegation is over.
  void recall(const nfs::FileHandle& file);

  // ---- What was asked ----
  std::uint64_t calls(nfs::Procedure procedure) const;
  std::uint64_t calls() const;  // of all procedures
  std::vector<FakeCall> log() const;
  void forget_calls();  // counts and log begin anew

  // ---- nfs::Client ----
  nfs::Task<nfs::Status> null() override;
  nfs::Task<nfs::GetattrReply> getattr(nfs::Credentials who, nfs::FileHandle file) override;
  nfs::Task<nfs::SetattrReply> setattr(nfs::Credentials who, nfs::FileHandle file, nfs::SetAttributes changes,
                                       std::optional<nfs::Time> guard_ctime) override;
  nfs::Task<nfs::LookupReply> lookup(nfs::Credentials who, nfs::FileHandle directory, std::string name) override;
  nfs::Task<nfs::AccessReply> access(nfs::Credentials who, nfs::FileHandle file, std::uint32_t access) override;
  nfs::Task<nfs::ReadlinkReply> readlink(nfs::Credentials who, nfs::FileHandle link) override;
  nfs::Task<nfs::ReadReply> read(nfs::Credentials who, nfs::FileHandle file, std::uint64_t offset,
                                 std::uint32_t count) override;
  nfs::Task<nfs::WriteReply> write(nfs::Credentials who, nfs::FileHandle file, std::uint64_t offset,
                                   std::span<const std::byte> data, nfs::StableHow stable) override;
  nfs::Task<nfs::CreateReply> create(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                     nfs::CreateMode mode, nfs::SetAttributes attributes,
                                     nfs::Verifier verifier) override;
  nfs::Task<nfs::CreateReply> mkdir(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                    nfs::SetAttributes attributes) override;
  nfs::Task<nfs::CreateReply> symlink(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                      std::string target, nfs::SetAttributes attributes) override;
  nfs::Task<nfs::CreateReply> mknod(nfs::Credentials who, nfs::FileHandle directory, std::string name,
                                    nfs::NodeKind kind, nfs::SetAttributes attributes) override;
  nfs::Task<nfs::RemoveReply> remove(nfs::Credentials who, nfs::FileHandle directory, std::string name) override;
  nfs::Task<nfs::RemoveReply> rmdir(nfs::Credentials who, nfs::FileHandle directory, std::string name) override;
  nfs::Task<nfs::RenameReply> rename(nfs::Credentials who, nfs::FileHandle from_directory, std::string from_name,
                                     nfs::FileHandle to_directory, std::string to_name,
                                     nfs::FileHandle source) override;
  nfs::Task<nfs::LinkReply> link(nfs::Credentials who, nfs::FileHandle file, nfs::FileHandle directory,
                                 std::string name) override;
  nfs::Task<nfs::ReaddirReply> readdir(nfs::Credentials who, nfs::FileHandle directory, nfs::Cookie cookie,
                                       nfs::Verifier verifier, std::uint32_t bytes_max) override;
  nfs::Task<nfs::ReaddirReply> readdirplus(nfs::Credentials who, nfs::FileHandle directory, nfs::Cookie cookie,
                                           nfs::Verifier verifier, std::uint32_t bytes_max) override;
  nfs::Task<nfs::FsstatReply> fsstat(nfs::Credentials who, nfs::FileHandle root) override;
  nfs::Task<nfs::FsinfoReply> fsinfo(nfs::Credentials who, nfs::FileHandle root) override;
  nfs::Task<nfs::PathconfReply> pathconf(nfs::Credentials who, nfs::FileHandle file) override;
  nfs::Task<nfs::CommitReply> commit(nfs::Credentials who, nfs::FileHandle file, std::uint64_t offset,
                                     std::uint32_t count) override;
  nfs::Task<nfs::Status> open(nfs::Credentials who, nfs::FileHandle file, nfs::OpenMode mode) override;
  nfs::Task<nfs::Status> close(nfs::Credentials who, nfs::FileHandle file, nfs::OpenMode mode) override;
  void set_events(nfs::ServerEvents* events) override;
  nfs::RpcStatistics statistics() const override;
  nfs::ServerState server_state() const override;

 private:
  static constexpr std::size_t kProcedures = nfs::kProcedureNames.size();
  struct Controls {
    std::shared_ptr<nfs::Event> request_hold;
    std::shared_ptr<nfs::Event> reply_hold;
    std::size_t parked = 0;
    std::size_t failures_left = 0;
    nfs::Status failure = nfs::Status::kOk;
    std::optional<nfs::Status> loss;
    nfs::RpcCounters counters;
  };
  // What the controls decided about one call when it began.
  struct Plan {
    std::shared_ptr<nfs::Event> request_hold;
    std::shared_ptr<nfs::Event> reply_hold;
    std::optional<nfs::Status> failure;
    std::optional<nfs::Status> loss;
  };

  template <class Reply>
  nfs::Task<Reply> serve(nfs::Procedure procedure, Plan plan, std::function<Reply(FakeFileSystem&)> work);
  template <class Reply>
  nfs::Task<Reply> begin_and_serve(FakeCall call, std::function<Reply(FakeFileSystem&)> work);
  nfs::Task<void> park(nfs::Procedure procedure, std::shared_ptr<nfs::Event> door);
  Plan begin(const FakeCall& call);
  void finish(nfs::Procedure procedure, nfs::Status status);
  Controls& controls(nfs::Procedure procedure) { return controls_[static_cast<std::size_t>(procedure)]; }
  const Controls& controls(nfs::Procedure procedure) const { return controls_[static_cast<std::size_t>(procedure)]; }

  // Lock order: the two mutexes are never held together.
  std::recursive_mutex files_mutex_;  // recursive: one expression may say files() twice
  FakeFileSystem files_;              // GUARDED_BY(files_mutex_)

  mutable std::mutex mutex_;
  std::condition_variable parked_changed_;
  std::array<Controls, kProcedures> controls_;  // GUARDED_BY(mutex_)
  std::vector<FakeCall> log_;                   // GUARDED_BY(mutex_)
  nfs::ServerState state_;                      // GUARDED_BY(mutex_)
  nfs::ServerEvents* events_ = nullptr;         // GUARDED_BY(mutex_)

  std::unique_ptr<ShufflingExecutor> executor_;  // null: synchronous
};

}  // namespace support
