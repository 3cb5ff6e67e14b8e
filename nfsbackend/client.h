// Client: an NFS server's files by handle. One asynchronous call per procedure of RFC 1813 section 3.3, open and close
// beside them (NFSv3 answers these without a message), and events from the server. The cache is written against this
// interface, so that an NFSv4 client can stand in for the NFSv3 one.
//
// Calls: each returns at once with a Task that ends in a reply; the continuation runs in the submitting thread or in
// one of the client's own, which it must not block. How long a call may wait for a server that is away is the client's
// policy (hard, soft, softerr); a call never fails for being early, late or repeated.
//
// Replies: `status` tells how the call ended. Attributes and WCC data may be present in failures too; each is optional
// because the server may leave it out. Names in replies are valid (1 to 255 bytes, no slash or NUL, not "." or "..");
// handles measure at most 64 bytes; counts never exceed what was asked.
//
// Ownership: arguments are taken by value, but for the bytes of a WRITE, which the caller keeps until the Task ends.
// Thread-safety: every member may be called from any thread. The client outlives its calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nfsbackend/status.h"
#include "nfsbackend/task.h"
#include "nfsbackend/types.h"

namespace nfs {

struct GetattrReply {
  Status status = Status::kOk;
  Attributes attributes;  // when kOk
};
struct SetattrReply {
  Status status = Status::kOk;
  WccData wcc;
};
struct LookupReply {
  Status status = Status::kOk;
  FileHandle object;
  std::optional<Attributes> attributes;            // of the object
  std::optional<Attributes> directory_attributes;  // of the directory, also in failures
};
struct AccessReply {
  Status status = Status::kOk;
  std::uint32_t access = 0;  // the granted ones of the bits asked for
  std::optional<Attributes> attributes;
};
struct ReadlinkReply {
  Status status = Status::kOk;
  std::string target;
  std::optional<Attributes> attributes;
};
struct ReadReply {
  Status status = Status::kOk;
  Bytes data;
  bool eof = false;
  std::optional<Attributes> attributes;
};
struct WriteReply {
  Status status = Status::kOk;
  std::uint32_t count = 0;  // may be less than what was given, never 0 when kOk
  StableHow committed = StableHow::kUnstable;
  Verifier verifier{};
  WccData wcc;
};
// CREATE, MKDIR, SYMLINK, MKNOD. The server may leave out handle and attributes even when kOk: look the name up then.
struct CreateReply {
  Status status = Status::kOk;
  FileHandle object;
  std::optional<Attributes> attributes;
  WccData directory;
};
// REMOVE, RMDIR.
struct RemoveReply {
  Status status = Status::kOk;
  WccData directory;
};
struct RenameReply {
  Status status = Status::kOk;
  WccData from_directory;
  WccData to_directory;
};
struct LinkReply {
  Status status = Status::kOk;
  std::optional<Attributes> attributes;  // of the file
  WccData directory;
};
struct DirectoryEntry {
  std::uint64_t fileid = 0;
  std::string name;
  Cookie cookie = 0;
  FileHandle object;                     // READDIRPLUS only; may be empty
  std::optional<Attributes> attributes;  // READDIRPLUS only
};
// READDIR and READDIRPLUS. "." and ".." are left out.
struct ReaddirReply {
  Status status = Status::kOk;
  Verifier verifier{};
  std::vector<DirectoryEntry> entries;
  bool eof = false;
  std::optional<Attributes> directory_attributes;
};
struct FsstatReply {
  Status status = Status::kOk;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t available_bytes = 0;
  std::uint64_t total_files = 0;
  std::uint64_t free_files = 0;
  std::uint64_t available_files = 0;
};
struct FsinfoReply {
  Status status = Status::kOk;
  std::uint32_t read_bytes_max = 0;
  std::uint32_t write_bytes_max = 0;
  std::uint32_t readdir_bytes_preferred = 0;
  std::uint64_t file_bytes_max = 0;
  Time time_delta;  // the granularity of the server's times
};
struct PathconfReply {
  Status status = Status::kOk;
  std::uint32_t link_max = 0;
  std::uint32_t name_bytes_max = 0;
};
struct CommitReply {
  Status status = Status::kOk;
  Verifier verifier{};
  WccData wcc;
};

// createhow3. kExclusive makes a repeated CREATE safe: the server remembers the verifier; attributes are ignored by it
// and must be set afterwards.
enum class CreateMode : std::uint32_t { kUnchecked = 0, kGuarded = 1, kExclusive = 2 };

// What MKNOD makes: one of kBlock, kCharacter (with a device number), kSocket, kFifo.
struct NodeKind {
  FileType type = FileType::kFifo;
  DeviceNumber device;
};

enum class OpenMode : std::uint32_t { kRead = 1, kWrite = 2, kReadWrite = 3 };

struct RpcCounters {
  std::uint64_t calls = 0;    // calls begun by the program
  std::uint64_t errors = 0;   // of those, how many ended with another status than kOk
  std::uint64_t retries = 0;  // transmissions beyond the first (timeouts, reconnections, JUKEBOX)
};
// By the procedure's RFC 1813 name ("GETATTR"); every procedure of NFSv3 is present.
using RpcStatistics = std::map<std::string, RpcCounters, std::less<>>;

struct ServerState {
  bool up = true;
  std::chrono::seconds since{0};  // how long it has been so
};

// What a server tells without being asked. NFSv3 servers never do; NFSv4 ones recall delegations.
// Called from the client's threads; must not block.
class ServerEvents {
 public:
  virtual ~ServerEvents() = default;
  // The promise to tell of others' changes to this file ends: distrust what is held.
  virtual void on_recall(const FileHandle& file) = 0;
};

class Client {
 public:
  virtual ~Client() = default;

  virtual Task<Status> null() = 0;
  virtual Task<GetattrReply> getattr(Credentials who, FileHandle file) = 0;
  // `guard_ctime`: refuse with kNotSync unless the file's ctime is this one.
  virtual Task<SetattrReply> setattr(Credentials who, FileHandle file, SetAttributes changes,
                                     std::optional<Time> guard_ctime) = 0;
  virtual Task<LookupReply> lookup(Credentials who, FileHandle directory, std::string name) = 0;
  virtual Task<AccessReply> access(Credentials who, FileHandle file, std::uint32_t access) = 0;
  virtual Task<ReadlinkReply> readlink(Credentials who, FileHandle link) = 0;
  virtual Task<ReadReply> read(Credentials who, FileHandle file, std::uint64_t offset, std::uint32_t count) = 0;
  virtual Task<WriteReply> write(Credentials who, FileHandle file, std::uint64_t offset,
                                 std::span<const std::byte> data, StableHow stable) = 0;
  virtual Task<CreateReply> create(Credentials who, FileHandle directory, std::string name, CreateMode mode,
                                   SetAttributes attributes, Verifier verifier) = 0;
  virtual Task<CreateReply> mkdir(Credentials who, FileHandle directory, std::string name,
                                  SetAttributes attributes) = 0;
  virtual Task<CreateReply> symlink(Credentials who, FileHandle directory, std::string name, std::string target,
                                    SetAttributes attributes) = 0;
  virtual Task<CreateReply> mknod(Credentials who, FileHandle directory, std::string name, NodeKind kind,
                                  SetAttributes attributes) = 0;
  virtual Task<RemoveReply> remove(Credentials who, FileHandle directory, std::string name) = 0;
  virtual Task<RemoveReply> rmdir(Credentials who, FileHandle directory, std::string name) = 0;
  // `source`: the handle of what is renamed, or empty when unknown. Not sent; after a repetition it tells whether the
  // first transmission had already done the work.
  virtual Task<RenameReply> rename(Credentials who, FileHandle from_directory, std::string from_name,
                                   FileHandle to_directory, std::string to_name, FileHandle source) = 0;
  virtual Task<LinkReply> link(Credentials who, FileHandle file, FileHandle directory, std::string name) = 0;
  virtual Task<ReaddirReply> readdir(Credentials who, FileHandle directory, Cookie cookie, Verifier verifier,
                                     std::uint32_t bytes_max) = 0;
  virtual Task<ReaddirReply> readdirplus(Credentials who, FileHandle directory, Cookie cookie, Verifier verifier,
                                         std::uint32_t bytes_max) = 0;
  virtual Task<FsstatReply> fsstat(Credentials who, FileHandle root) = 0;
  virtual Task<FsinfoReply> fsinfo(Credentials who, FileHandle root) = 0;
  virtual Task<PathconfReply> pathconf(Credentials who, FileHandle file) = 0;
  virtual Task<CommitReply> commit(Credentials who, FileHandle file, std::uint64_t offset, std::uint32_t count) = 0;

  // State the server keeps of an open file. NFSv3 has none and answers kOk at once.
  virtual Task<Status> open(Credentials who, FileHandle file, OpenMode mode) = 0;
  virtual Task<Status> close(Credentials who, FileHandle file, OpenMode mode) = 0;

  // Where the server's own calls go; null for nowhere. Set before the first call.
  virtual void set_events(ServerEvents* events) = 0;

  virtual RpcStatistics statistics() const = 0;
  virtual ServerState server_state() const = 0;
};

}  // namespace nfs
