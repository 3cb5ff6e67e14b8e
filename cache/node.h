// Node: what is known of one file or directory of the server. Plain data; the rules are in Knowledge and Freshness.
//
// Ownership: NodeTable; a shared_ptr keeps a node usable while a call for it is under way, also after it was dropped.
// Thread-safety: none; every member but `id` and `handle` is guarded by the file system's mutex.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cache/file_system.h"
#include "cache/file_writer.h"
#include "cache/freshness.h"
#include "nfsbackend/event.h"
#include "nfsbackend/types.h"

namespace cache {

struct Listing;

// What an unlinked file that is still open here is called on the server, and who may remove it there.
struct SillyName {
  nfs::FileHandle directory;
  std::string name;
  nfs::Credentials owner;
};

// A name under which a node is known, and who walked it last.
struct NameLink {
  NodeId parent = 0;
  std::string name;
  // The thread whose request last asked the server for this name, and when; 0 once used or unknown.
  std::uint32_t asked_by_thread_id = 0;
  nfs::MonotonicTime asked_at;
  std::uint32_t walked_by_thread_id = 0;  // the thread that last walked the name
};

// What the server let one caller do, as ACCESS answers or other calls have shown. Void when the file's ctime changes by
// more than our own changes.
struct AccessAnswer {
  nfs::Credentials credentials;
  std::uint32_t known = 0;    // the bits that are known
  std::uint32_t granted = 0;  // of those, the granted ones
};

// A name of a directory; node 0 says that it does not exist. Holds while the directory's change_count is the same.
struct ChildName {
  NodeId node = 0;
  std::uint64_t change_count = 0;
  Validation validation;
};

struct DirectoryState {
  std::uint64_t change_count = 0;  // counts changes by others; what was learned under another count is void
  std::uint64_t settled_at = 0;    // tick of the last change noticed or made; replies to earlier calls teach no names
  std::unordered_map<std::string, ChildName> names;
  std::size_t absent_names = 0;  // how many of them say "does not exist"
  std::shared_ptr<Listing> listing;
};

// One of our own changes, as its reply described it.
struct OwnChange {
  nfs::Version before;
  nfs::Attributes after;
};

struct Node {
  static constexpr std::size_t kAccessAnswersMax = 8;
  static constexpr std::size_t kNameLinksMax = 16;

  Node(NodeId node_id, nfs::FileHandle file_handle) : id(node_id), handle(file_handle) {}

  const NodeId id;
  const nfs::FileHandle handle;

  std::optional<nfs::Attributes> attributes;
  Validation validation;
  std::uint64_t learned_at = 0;  // tick of the reply the attributes came with
  bool gone = false;             // the server no longer knows the handle

  // Our own changes under way, and the replies to them that do not join up with `attributes` yet.
  std::uint32_t own_changes_under_way = 0;
  std::vector<OwnChange> own_changes;

  std::optional<nfs::Version> told_version;   // of the attributes the kernel was last given
  std::optional<nfs::Version> pages_version;  // of the pages that the kernel may hold

  std::uint64_t lookups = 0;     // the kernel's references
  std::uint32_t open_files = 0;  // open files and directories
  std::vector<NameLink> names;   // the most recently walked last
  std::vector<AccessAnswer> access;
  std::optional<std::string> symlink_target;
  std::unique_ptr<DirectoryState> directory;
  std::shared_ptr<FileWriter> writer;
  std::optional<SillyName> silly;                   // set while the file is unlinked and open here
  NodeId silly_parent = 0;                          // the silly name's directory
  std::shared_ptr<nfs::Event> checking;             // a GETATTR is under way; opened when its reply is in
  std::optional<std::list<NodeId>::iterator> idle;  // its place among the nodes that may be dropped

  bool is_directory() const { return attributes && attributes->type == nfs::FileType::kDirectory; }
  bool in_use() const { return lookups > 0 || open_files > 0 || silly.has_value(); }
};
using NodePtr = std::shared_ptr<Node>;

struct ListedEntry {
  std::string name;
  NodeId node = 0;  // 0: not taught by the listing
  std::uint64_t fileid = 0;
  nfs::FileType type = nfs::FileType::kRegular;
};

// The names of a directory in the server's order, fetched page by page and kept whole, so that an open directory reads
// one consistent, stable sequence however the directory changes meanwhile. Guarded by the file system's mutex.
struct Listing {
  std::vector<ListedEntry> entries;
  bool complete = false;
  bool with_attributes = true;  // READDIRPLUS
  nfs::Status error = nfs::Status::kOk;
  nfs::Cookie cookie = 0;
  nfs::Verifier verifier{};
  std::uint64_t change_count = 0;              // the directory's, when fetching began
  Validation validation;                       // of the names and of the attributes they came with
  std::unordered_set<std::string> seen_again;  // listed before the server made us start again
  std::uint32_t restarts = 0;                  // how often it did
  nfs::Cookie resume_cookie = 0;               // where to go on once the verifier is renewed; 0: behind the page
  int lost_pages = 0;                          // answers in a row that the directory is not there
  bool fetching = false;
  std::shared_ptr<nfs::Event> arrived;  // opened when the page being fetched is in
};

}  // namespace cache
