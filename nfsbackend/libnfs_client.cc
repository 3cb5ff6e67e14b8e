#include "nfsbackend/libnfs_client.h"

#include <utility>

#include "nfsbackend/procedures.h"

namespace nfs {

namespace {

// A repeated call failed with the one status that its own first transmission would have caused.
bool repeated_with(const Request& request, Status status) {
  return request.transmissions > 1 && request.status() == status;
}

}  // namespace

LibnfsClient::LibnfsClient(const TransportOptions& options, std::unique_ptr<ServerAddress> address, Clock& clock)
    : transport_(options, std::move(address), clock), repetition_(transport_) {}

// While everything that a resumed coroutine may use is still there.
LibnfsClient::~LibnfsClient() {
  transport_.shut_down();
}

template <class Call>
Task<typename Call::Reply> LibnfsClient::perform(Credentials who, Call call) {
  TypedRequest<Call> request(who, std::move(call));
  co_await transport_.perform(request);
  co_return std::move(request.reply);
}

template <class Call>
Task<CreateReply> LibnfsClient::perform_creation(Credentials who, Call call, CreationProof proof) {
  TypedRequest<Call> request(who, std::move(call));
  co_await transport_.perform(request);
  if (!repeated_with(request, Status::kExist)) {
    co_return std::move(request.reply);
  }
  FileHandle directory = request.call.directory;
  std::string name = request.call.name;
  CreateReply failed = std::move(request.reply);
  co_return co_await repetition_.check_creation(who, directory, std::move(name), std::move(proof), std::move(failed));
}

template <class Call>
Task<RemoveReply> LibnfsClient::perform_removal(Credentials who, Call call) {
  TypedRequest<Call> request(who, std::move(call));
  co_await transport_.perform(request);
  if (repeated_with(request, Status::kNoent)) {
    // Gone is what was asked for, whoever did it.
    request.reply.status = Status::kOk;
  }
  co_return std::move(request.reply);
}

template <class Call>
Task<ReaddirReply> LibnfsClient::perform_listing(Credentials who, Call call) {
  for (;;) {
    TypedRequest<Call> request(who, call);
    co_await transport_.perform(request);
    ReaddirPage& page = request.reply;
    if (page.status != Status::kOk || page.eof || !page.entries.empty()) {
      ReaddirReply& reply = page;
      co_return std::move(reply);
    }
    // All names of this page were left out. The caller has no cookie to go on from, so that is done here.
    call.cookie = page.last_cookie;
    call.verifier = page.verifier;
  }
}

Task<Status> LibnfsClient::null() {
  TypedRequest<NullCall> request(Credentials{}, NullCall{});
  co_await transport_.perform(request);
  co_return request.reply.status;
}

Task<GetattrReply> LibnfsClient::getattr(Credentials who, FileHandle file) {
  GetattrCall call;
  call.file = file;
  return perform(who, std::move(call));
}

Task<SetattrReply> LibnfsClient::setattr(Credentials who, FileHandle file, SetAttributes changes,
                                         std::optional<Time> guard_ctime) {
  SetattrCall call;
  call.file = file;
  call.changes = changes;
  call.guard_ctime = guard_ctime;
  return perform(who, std::move(call));
}

Task<LookupReply> LibnfsClient::lookup(Credentials who, FileHandle directory, std::string name) {
  LookupCall call;
  call.directory = directory;
  call.name = std::move(name);
  return perform(who, std::move(call));
}

Task<AccessReply> LibnfsClient::access(Credentials who, FileHandle file, std::uint32_t access) {
  AccessCall call;
  call.file = file;
  call.access = access;
  return perform(who, std::move(call));
}

Task<ReadlinkReply> LibnfsClient::readlink(Credentials who, FileHandle link) {
  ReadlinkCall call;
  call.link = link;
  return perform(who, std::move(call));
}

Task<ReadReply> LibnfsClient::read(Credentials who, FileHandle file, std::uint64_t offset, std::uint32_t count) {
  ReadCall call;
  call.file = file;
  call.offset = offset;
  call.count = count;
  return perform(who, std::move(call));
}

Task<WriteReply> LibnfsClient::write(Credentials who, FileHandle file, std::uint64_t offset,
                                     std::span<const std::byte> data, StableHow stable) {
  WriteCall call;
  call.file = file;
  call.offset = offset;
  call.data = data;
  call.stable = stable;
  return perform(who, std::move(call));
}

Task<CreateReply> LibnfsClient::create(Credentials who, FileHandle directory, std::string name, CreateMode mode,
                                       SetAttributes attributes, Verifier verifier) {
  CreateCall call;
  call.directory = directory;
  call.name = std::move(name);
  call.mode = mode;
  call.attributes = attributes;
  call.verifier = verifier;
  // An unchecked CREATE never says "exists"; for an exclusive one the server itself compares the verifiers.
  CreationProof proof;
  if (mode == CreateMode::kGuarded) {
    proof = repetition_.prepare(FileType::kRegular, call.attributes);
  }
  return perform_creation(who, std::move(call), std::move(proof));
}

Task<CreateReply> LibnfsClient::mkdir(Credentials who, FileHandle directory, std::string name,
                                      SetAttributes attributes) {
  MkdirCall call;
  call.directory = directory;
  call.name = std::move(name);
  call.attributes = attributes;
  CreationProof proof = repetition_.prepare(FileType::kDirectory, call.attributes);
  return perform_creation(who, std::move(call), std::move(proof));
}

Task<CreateReply> LibnfsClient::symlink(Credentials who, FileHandle directory, std::string name, std::string target,
                                        SetAttributes attributes) {
  SymlinkCall call;
  call.directory = directory;
  call.name = std::move(name);
  call.target = std::move(target);
  call.attributes = attributes;
  CreationProof proof = repetition_.prepare(FileType::kSymlink, call.attributes);
  proof.target = call.target;
  return perform_creation(who, std::move(call), std::move(proof));
}

Task<CreateReply> LibnfsClient::mknod(Credentials who, FileHandle directory, std::string name, NodeKind kind,
                                      SetAttributes attributes) {
  MknodCall call;
  call.directory = directory;
  call.name = std::move(name);
  call.kind = kind;
  call.attributes = attributes;
  CreationProof proof = repetition_.prepare(kind.type, call.attributes);
  return perform_creation(who, std::move(call), std::move(proof));
}

Task<RemoveReply> LibnfsClient::remove(Credentials who, FileHandle directory, std::string name) {
  RemoveCall call;
  call.directory = directory;
  call.name = std::move(name);
  return perform_removal(who, std::move(call));
}

Task<RemoveReply> LibnfsClient::rmdir(Credentials who, FileHandle directory, std::string name) {
  RmdirCall call;
  call.directory = directory;
  call.name = std::move(name);
  return perform_removal(who, std::move(call));
}

Task<RenameReply> LibnfsClient::rename(Credentials who, FileHandle from_directory, std::string from_name,
                                       FileHandle to_directory, std::string to_name, FileHandle source) {
  RenameCall call;
  call.from_directory = from_directory;
  call.from_name = from_name;
  call.to_directory = to_directory;
  call.to_name = to_name;
  TypedRequest<RenameCall> request(who, std::move(call));
  co_await transport_.perform(request);
  RenameReply reply = std::move(request.reply);
  if (request.transmissions <= 1 || reply.status != Status::kNoent) {
    co_return reply;
  }
  co_return co_await repetition_.check_rename(who, from_directory, std::move(from_name), to_directory,
                                              std::move(to_name), source, std::move(reply));
}

Task<LinkReply> LibnfsClient::link(Credentials who, FileHandle file, FileHandle directory, std::string name) {
  LinkCall call;
  call.file = file;
  call.directory = directory;
  call.name = name;
  TypedRequest<LinkCall> request(who, std::move(call));
  co_await transport_.perform(request);
  LinkReply reply = std::move(request.reply);
  if (request.transmissions <= 1 || reply.status != Status::kExist) {
    co_return reply;
  }
  co_return co_await repetition_.check_link(who, file, directory, std::move(name), std::move(reply));
}

Task<ReaddirReply> LibnfsClient::readdir(Credentials who, FileHandle directory, Cookie cookie, Verifier verifier,
                                         std::uint32_t bytes_max) {
  ReaddirCall call;
  call.directory = directory;
  call.cookie = cookie;
  call.verifier = verifier;
  call.bytes_max = bytes_max;
  return perform_listing(who, std::move(call));
}

Task<ReaddirReply> LibnfsClient::readdirplus(Credentials who, FileHandle directory, Cookie cookie, Verifier verifier,
                                             std::uint32_t bytes_max) {
  ReaddirplusCall call;
  call.directory = directory;
  call.cookie = cookie;
  call.verifier = verifier;
  call.bytes_max = bytes_max;
  return perform_listing(who, std::move(call));
}

Task<FsstatReply> LibnfsClient::fsstat(Credentials who, FileHandle root) {
  FsstatCall call;
  call.root = root;
  return perform(who, std::move(call));
}

Task<FsinfoReply> LibnfsClient::fsinfo(Credentials who, FileHandle root) {
  FsinfoCall call;
  call.root = root;
  return perform(who, std::move(call));
}

Task<PathconfReply> LibnfsClient::pathconf(Credentials who, FileHandle file) {
  PathconfCall call;
  call.file = file;
  return perform(who, std::move(call));
}

Task<CommitReply> LibnfsClient::commit(Credentials who, FileHandle file, std::uint64_t offset, std::uint32_t count) {
  CommitCall call;
  call.file = file;
  call.offset = offset;
  call.count = count;
  return perform(who, std::move(call));
}

Task<Status> LibnfsClient::open(Credentials, FileHandle, OpenMode) {
  co_return Status::kOk;
}

Task<Status> LibnfsClient::close(Credentials, FileHandle, OpenMode) {
  co_return Status::kOk;
}

}  // namespace nfs
