// The procedures of RFC 1813 section 3.3 as values: the arguments of one call, how libnfs is told of them, and how its
// answer becomes a reply of client.h.
//
// encode() queues the call on a libnfs context and returns false when libnfs cannot encode it; `request` is what
// `on_reply` gets. decode() turns libnfs's result structure into a reply and validates it: a reply that breaks the
// protocol ends kMalformed and is logged. Neither blocks. Arguments must outlive the call to encode() only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "nfsbackend/client.h"
#include "nfsbackend/procedure.h"
#include "nfsbackend/reply_log.h"
#include "nfsbackend/request.h"
#include "nfsbackend/types.h"

namespace nfs {

template <Procedure procedure, class ReplyType>
struct CallBase {
  using Reply = ReplyType;
  static constexpr Procedure kProcedure = procedure;
  std::size_t payload_bytes() const { return 0; }
};

struct NullReply {
  Status status = Status::kOk;
};

// One page of a listing. Names that are left out of `entries` still count in `last_cookie`, so that a page of which
// nothing remains can be passed over.
struct ReaddirPage : ReaddirReply {
  Cookie last_cookie = 0;
};

struct NullCall : CallBase<Procedure::kNull, NullReply> {
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct GetattrCall : CallBase<Procedure::kGetattr, GetattrReply> {
  FileHandle file;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct SetattrCall : CallBase<Procedure::kSetattr, SetattrReply> {
  FileHandle file;
  SetAttributes changes;
  std::optional<Time> guard_ctime;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct LookupCall : CallBase<Procedure::kLookup, LookupReply> {
  FileHandle directory;
  std::string name;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct AccessCall : CallBase<Procedure::kAccess, AccessReply> {
  FileHandle file;
  std::uint32_t access = 0;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct ReadlinkCall : CallBase<Procedure::kReadlink, ReadlinkReply> {
  FileHandle link;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct ReadCall : CallBase<Procedure::kRead, ReadReply> {
  FileHandle file;
  std::uint64_t offset = 0;
  std::uint32_t count = 0;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct WriteCall : CallBase<Procedure::kWrite, WriteReply> {
  FileHandle file;
  std::uint64_t offset = 0;
  std::span<const std::byte> data;
  StableHow stable = StableHow::kUnstable;
  std::size_t payload_bytes() const { return data.size(); }
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct CreateCall : CallBase<Procedure::kCreate, CreateReply> {
  FileHandle directory;
  std::string name;
  CreateMode mode = CreateMode::kUnchecked;
  SetAttributes attributes;
  Verifier verifier{};
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct MkdirCall : CallBase<Procedure::kMkdir, CreateReply> {
  FileHandle directory;
  std::string name;
  SetAttributes attributes;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct SymlinkCall : CallBase<Procedure::kSymlink, CreateReply> {
  FileHandle directory;
  std::string name;
  std::string target;
  SetAttributes attributes;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct MknodCall : CallBase<Procedure::kMknod, CreateReply> {
  FileHandle directory;
  std::string name;
  NodeKind kind;
  SetAttributes attributes;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct RemoveCall : CallBase<Procedure::kRemove, RemoveReply> {
  FileHandle directory;
  std::string name;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct RmdirCall : CallBase<Procedure::kRmdir, RemoveReply> {
  FileHandle directory;
  std::string name;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct RenameCall : CallBase<Procedure::kRename, RenameReply> {
  FileHandle from_directory;
  std::string from_name;
  FileHandle to_directory;
  std::string to_name;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct LinkCall : CallBase<Procedure::kLink, LinkReply> {
  FileHandle file;
  FileHandle directory;
  std::string name;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct ReaddirCall : CallBase<Procedure::kReaddir, ReaddirPage> {
  FileHandle directory;
  Cookie cookie = 0;
  Verifier verifier{};
  std::uint32_t bytes_max = 0;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct ReaddirplusCall : CallBase<Procedure::kReaddirplus, ReaddirPage> {
  FileHandle directory;
  Cookie cookie = 0;
  Verifier verifier{};
  std::uint32_t bytes_max = 0;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct FsstatCall : CallBase<Procedure::kFsstat, FsstatReply> {
  FileHandle root;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct FsinfoCall : CallBase<Procedure::kFsinfo, FsinfoReply> {
  FileHandle root;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct PathconfCall : CallBase<Procedure::kPathconf, PathconfReply> {
  FileHandle file;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

struct CommitCall : CallBase<Procedure::kCommit, CommitReply> {
  FileHandle file;
  std::uint64_t offset = 0;
  std::uint32_t count = 0;
  bool encode(rpc_context* context, ReplyCallback on_reply, Request* request) const;
  Reply decode(const void* result, ReplyLog& log) const;
};

}  // namespace nfs
