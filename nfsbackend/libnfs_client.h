// LibnfsClient: the Client over NFSv3, with libnfs below. The procedures of client.h as requests to a Transport, and
// above it what a caller must not see: repetitions that found their work done, and pages of listings without names.
//
// Ownership: owns its connections and their threads. The destructor joins them and ends parked calls with kShutDown; it
// must not run in one of the client's own threads.
// Thread-safety, blocking, errors: as Client.
#pragma once

#include <memory>

#include "nfsbackend/client.h"
#include "nfsbackend/repetition.h"
#include "nfsbackend/transport.h"

namespace nfs {

class LibnfsClient final : public Client {
 public:
  // `clock` outlives the client.
  LibnfsClient(const TransportOptions& options, std::unique_ptr<ServerAddress> address, Clock& clock);
  ~LibnfsClient() override;

  Task<Status> null() override;
  Task<GetattrReply> getattr(Credentials who, FileHandle file) override;
  Task<SetattrReply> setattr(Credentials who, FileHandle file, SetAttributes changes,
                             std::optional<Time> guard_ctime) override;
  Task<LookupReply> lookup(Credentials who, FileHandle directory, std::string name) override;
  Task<AccessReply> access(Credentials who, FileHandle file, std::uint32_t access) override;
  Task<ReadlinkReply> readlink(Credentials who, FileHandle link) override;
  Task<ReadReply> read(Credentials who, FileHandle file, std::uint64_t offset, std::uint32_t count) override;
  Task<WriteReply> write(Credentials who, FileHandle file, std::uint64_t offset, std::span<const std::byte> data,
                         StableHow stable) override;
  Task<CreateReply> create(Credentials who, FileHandle directory, std::string name, CreateMode mode,
                           SetAttributes attributes, Verifier verifier) override;
  Task<CreateReply> mkdir(Credentials who, FileHandle directory, std::string name, SetAttributes attributes) override;
  Task<CreateReply> symlink(Credentials who, FileHandle directory, std::string name, std::string target,
                            SetAttributes attributes) override;
  Task<CreateReply> mknod(Credentials who, FileHandle directory, std::string name, NodeKind kind,
                          SetAttributes attributes) override;
  Task<RemoveReply> remove(Credentials who, FileHandle directory, std::string name) override;
  Task<RemoveReply> rmdir(Credentials who, FileHandle directory, std::string name) override;
  Task<RenameReply> rename(Credentials who, FileHandle from_directory, std::string from_name, FileHandle to_directory,
                           std::string to_name, FileHandle source) override;
  Task<LinkReply> link(Credentials who, FileHandle file, FileHandle directory, std::string name) override;
  Task<ReaddirReply> readdir(Credentials who, FileHandle directory, Cookie cookie, Verifier verifier,
                             std::uint32_t bytes_max) override;
  Task<ReaddirReply> readdirplus(Credentials who, FileHandle directory, Cookie cookie, Verifier verifier,
                                 std::uint32_t bytes_max) override;
  Task<FsstatReply> fsstat(Credentials who, FileHandle root) override;
  Task<FsinfoReply> fsinfo(Credentials who, FileHandle root) override;
  Task<PathconfReply> pathconf(Credentials who, FileHandle file) override;
  Task<CommitReply> commit(Credentials who, FileHandle file, std::uint64_t offset, std::uint32_t count) override;
  Task<Status> open(Credentials who, FileHandle file, OpenMode mode) override;
  Task<Status> close(Credentials who, FileHandle file, OpenMode mode) override;

  // NFSv3 servers never call back: nothing is kept.
  void set_events(ServerEvents*) override {}
  RpcStatistics statistics() const override { return transport_.statistics(); }
  ServerState server_state() const override { return transport_.server_state(); }

 private:
  template <class Call>
  Task<typename Call::Reply> perform(Credentials who, Call call);
  template <class Call>
  Task<CreateReply> perform_creation(Credentials who, Call call, CreationProof proof);
  template <class Call>
  Task<RemoveReply> perform_removal(Credentials who, Call call);
  template <class Call>
  Task<ReaddirReply> perform_listing(Credentials who, Call call);

  Transport transport_;
  Repetition repetition_;
};

}  // namespace nfs
