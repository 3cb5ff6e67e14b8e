// Repetition: what a call that was sent more than once did, when the server answers "exists" or "no such file".
//
// After a reconnection a call is sent again with its old XID, and a server that remembers it answers as the first time.
// One that has restarted does not: it does the work again, finds it done and says NFS3ERR_EXIST or NFS3ERR_NOENT. The
// functions here look at the server's state to tell whether it was this very call that did the work, and if so turn the
// failure into the success that it was. Where there is no proof the failure stands. The proof of a symbolic link is
// weaker than the others': the same target, made after the call began.
//
// Thread-safety: every member may be called from any thread; each asks the server and never blocks.
#pragma once

#include <atomic>
#include <optional>
#include <random>
#include <string>

#include "nfsbackend/client.h"
#include "nfsbackend/task.h"
#include "nfsbackend/transport.h"
#include "nfsbackend/types.h"

namespace nfs {

// What tells an object that this call made from any other of the same name.
struct CreationProof {
  FileType type = FileType::kRegular;
  std::optional<Time> atime;  // without one there is no proof
  std::string target;         // of a symbolic link
};

class Repetition {
 public:
  // `transport` outlives this.
  explicit Repetition(Transport& transport) : transport_(transport), marks_(std::random_device()()) {}

  // Makes the object that is to be created recognisable: an access time of now whose fraction of a second, in whole
  // microseconds, is used only once. Leaves a time that the caller wants alone; then there is no proof.
  CreationProof prepare(FileType type, SetAttributes& attributes);

  // After kExist from CREATE (guarded), MKDIR, SYMLINK or MKNOD.
  Task<CreateReply> check_creation(Credentials who, FileHandle directory, std::string name, CreationProof proof,
                                   CreateReply failed);
  // After kExist from LINK: is the name a link to the file?
  Task<LinkReply> check_link(Credentials who, FileHandle file, FileHandle directory, std::string name,
                             LinkReply failed);
  // After kNoent from RENAME: is `source` at its new place? With an empty `source`: is something there, and nothing
  // left at the old one?
  Task<RenameReply> check_rename(Credentials who, FileHandle from_directory, std::string from_name,
                                 FileHandle to_directory, std::string to_name, FileHandle source, RenameReply failed);

 private:
  Task<LookupReply> lookup(Credentials who, FileHandle directory, std::string name);

  Transport& transport_;
  std::atomic<std::uint64_t> marks_;
};

}  // namespace nfs
