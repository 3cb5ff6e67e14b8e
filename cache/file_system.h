// FileSystem: the caching file system as its user, the FUSE session, sees it: nodes, names, open files.
//
// Node ids are numbers that are never reused while the process lives; kRootNode always exists. Each Entry handed out
// with a node counts as one lookup of it, to be given back with forget(); a node with lookups left is never dropped.
// Open file and directory ids are valid until released.
//
// Lifetimes tell how long the kernel may answer by itself; they never exceed the freshness promise.
//
// Every call returns at once; its Task may end in the calling thread or in one of the client's threads. Errors are
// nfs::Status. Thread-safety: every member may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "nfsbackend/client.h"

namespace cache {

using NodeId = std::uint64_t;
inline constexpr NodeId kRootNode = 1;
using OpenFileId = std::uint64_t;
using OpenDirectoryId = std::uint64_t;

// Who asks: the credentials that go to the server, and the asking thread (0 when unknown).
struct Caller {
  nfs::Credentials credentials;
  std::uint32_t thread_id = 0;
};

// Attributes as a program may see them. `inode` is unique within the mount; attributes.fileid need not be.
struct NodeAttributes {
  nfs::Attributes attributes;
  std::uint64_t inode = 0;
  std::chrono::nanoseconds lifetime{0};
};

// A name's meaning. node 0: the name does not exist, and the kernel may remember that for name_lifetime.
struct Entry {
  NodeId node = 0;
  NodeAttributes attributes;
  std::chrono::nanoseconds name_lifetime{0};
};

// open(2)'s flags that matter here.
struct OpenFlags {
  bool read = true;
  bool write = false;
  bool append = false;
  bool direct = false;       // O_DIRECT
  bool synchronous = false;  // O_SYNC, O_DSYNC
  bool truncate = false;     // O_TRUNC of a create(); an open() is truncated by setattr() instead
  bool execute = false;      // opened by execve(2): permission to execute is enough to read
};

struct OpenedFile {
  OpenFileId file = 0;
  bool keep_pages = false;  // the pages that the kernel holds are of the file's present version
};

struct CreatedFile {
  Entry entry;
  OpenedFile opened;
};

// One entry of a listing. `next_offset` is where a later read of the directory goes on behind it.
struct ListedName {
  std::string_view name;
  std::uint64_t inode = 0;
  nfs::FileType type = nfs::FileType::kRegular;
  std::uint64_t next_offset = 0;
  // Set when the listing taught the node's attributes; the node's lookup is counted once the sink has returned true.
  std::optional<Entry> entry;
};
// Takes one name; returns false when it has no room for it (the name is offered again by the next call).
using ListingSink = std::function<bool(const ListedName&)>;

enum class RenameMode { kReplace, kNoReplace };

struct FileSystemStatistics {
  std::uint64_t metadata_hits = 0;    // calls answered without a message to the server
  std::uint64_t metadata_misses = 0;  // calls that needed one
  std::uint64_t metadata_entries = 0;
  std::uint64_t page_hits = 0;    // opens that let the kernel keep its pages
  std::uint64_t page_misses = 0;  // reads that went to the server
  std::uint64_t dirty_bytes = 0;  // accepted from programs, not yet stable on the server
  std::uint64_t open_files = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual nfs::Task<nfs::Result<Entry>> lookup(Caller caller, NodeId parent, std::string name) = 0;
  virtual void forget(NodeId node, std::uint64_t lookups) = 0;

  virtual nfs::Task<nfs::Result<NodeAttributes>> getattr(Caller caller, NodeId node) = 0;
  // `file`: the open file through which a size is changed (ftruncate), whose credentials are then used.
  virtual nfs::Task<nfs::Result<NodeAttributes>> setattr(Caller caller, NodeId node, nfs::SetAttributes changes,
                                                         std::optional<OpenFileId> file) = 0;
  // `access`: R_OK, W_OK, X_OK of access(2).
  virtual nfs::Task<nfs::Status> access(Caller caller, NodeId node, int access) = 0;
  virtual nfs::Task<nfs::Result<std::string>> readlink(Caller caller, NodeId node) = 0;

  virtual nfs::Task<nfs::Result<Entry>> mknod(Caller caller, NodeId parent, std::string name, std::uint32_t mode,
                                              nfs::NodeKind kind) = 0;
  virtual nfs::Task<nfs::Result<Entry>> mkdir(Caller caller, NodeId parent, std::string name, std::uint32_t mode) = 0;
  virtual nfs::Task<nfs::Result<Entry>> symlink(Caller caller, NodeId parent, std::string name, std::string target) = 0;
  virtual nfs::Task<nfs::Result<Entry>> link(Caller caller, NodeId node, NodeId parent, std::string name) = 0;
  virtual nfs::Task<nfs::Status> unlink(Caller caller, NodeId parent, std::string name) = 0;
  virtual nfs::Task<nfs::Status> rmdir(Caller caller, NodeId parent, std::string name) = 0;
  virtual nfs::Task<nfs::Status> rename(Caller caller, NodeId from_parent, std::string from_name, NodeId to_parent,
                                        std::string to_name, RenameMode mode) = 0;

  virtual nfs::Task<nfs::Result<CreatedFile>> create(Caller caller, NodeId parent, std::string name, std::uint32_t mode,
                                                     bool exclusive, OpenFlags flags) = 0;
  virtual nfs::Task<nfs::Result<OpenedFile>> open(Caller caller, NodeId node, OpenFlags flags) = 0;
  virtual nfs::Task<nfs::Result<nfs::Bytes>> read(OpenFileId file, std::uint64_t offset, std::uint32_t count) = 0;
  // Copies `data` before it returns its Task. Ends when the bytes are accepted (or stable, where asked for).
  virtual nfs::Task<nfs::Status> write(OpenFileId file, std::uint64_t offset, std::span<const std::byte> data) = 0;
  // Ends when everything written to the file is on stable storage, or with the first error since the last report.
  virtual nfs::Task<nfs::Status> flush(OpenFileId file) = 0;
  virtual nfs::Task<nfs::Status> fsync(OpenFileId file) = 0;
  virtual nfs::Task<nfs::Status> release(OpenFileId file) = 0;

  virtual nfs::Task<nfs::Result<OpenDirectoryId>> opendir(Caller caller, NodeId node) = 0;
  // Offers the names from `offset` on, "." and ".." first, until the sink is full or the directory ends.
  virtual nfs::Task<nfs::Status> readdir(OpenDirectoryId directory, std::uint64_t offset, ListingSink sink) = 0;
  virtual void releasedir(OpenDirectoryId directory) = 0;

  virtual nfs::Task<nfs::Result<nfs::FsstatReply>> statfs(Caller caller) = 0;

  // Writes out all dirty data and removes silly-renamed files; the last thing before the daemon ends.
  virtual nfs::Task<nfs::Status> drain() = 0;

  virtual FileSystemStatistics statistics() const = 0;
};

}  // namespace cache
