// The caching file system's class. Its operations are spread over files by subject:
//   checks.cc        are attributes, names and permissions still what they were; statfs
//   names.cc         lookup and everything that makes, moves or removes names
//   silly_names.cc   unlinked files that are still open here
//   files.cc         open, read, write, flush, setattr
//   directories.cc   listings
//
// Locking: one mutex guards all nodes, open files and what was learned. It is never held while the client, the
// notifier's blocking calls or a resumed coroutine runs; so each operation locks, decides, unlocks, sends, and locks
// again to learn. A FileWriter's mutex is taken inside it, never the other way round.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>

#include "cache/caching_file_system.h"
#include "cache/file_writer.h"
#include "cache/knowledge.h"
#include "cache/node_table.h"
#include "cache/silly_journal.h"

namespace cache {

struct OpenFile {
  NodePtr node;
  nfs::Credentials opener;
  OpenFlags flags;
  nfs::OpenMode mode = nfs::OpenMode::kRead;
  std::uint64_t errors_seen = 0;  // guarded by the writer's mutex
};

struct OpenDirectory {
  NodePtr node;
  nfs::Credentials opener;
  std::shared_ptr<Listing> listing;
};

class CachingFileSystem final : public FileSystem {
 public:
  CachingFileSystem(Parts parts, nfs::FileHandle root, Options options);
  ~CachingFileSystem() override;

  nfs::Task<nfs::Result<Entry>> lookup(Caller caller, NodeId parent, std::string name) override;
  void forget(NodeId node, std::uint64_t lookups) override;
  nfs::Task<nfs::Result<NodeAttributes>> getattr(Caller caller, NodeId id) override;
  nfs::Task<nfs::Result<NodeAttributes>> setattr(Caller caller, NodeId id, nfs::SetAttributes changes,
                                                 std::optional<OpenFileId> file) override;
  nfs::Task<nfs::Status> access(Caller caller, NodeId id, int access) override;
  nfs::Task<nfs::Result<std::string>> readlink(Caller caller, NodeId id) override;
  nfs::Task<nfs::Result<Entry>> mknod(Caller caller, NodeId parent, std::string name, std::uint32_t mode,
                                      nfs::NodeKind kind) override;
  nfs::Task<nfs::Result<Entry>> mkdir(Caller caller, NodeId parent, std::string name, std::uint32_t mode) override;
  nfs::Task<nfs::Result<Entry>> symlink(Caller caller, NodeId parent, std::string name, std::string target) override;
  nfs::Task<nfs::Result<Entry>> link(Caller caller, NodeId id, NodeId parent, std::string name) override;
  nfs::Task<nfs::Status> unlink(Caller caller, NodeId parent, std::string name) override;
  nfs::Task<nfs::Status> rmdir(Caller caller, NodeId parent, std::string name) override;
  nfs::Task<nfs::Status> rename(Caller caller, NodeId from_parent, std::string from_name, NodeId to_parent,
                                std::string to_name, RenameMode mode) override;
  nfs::Task<nfs::Result<CreatedFile>> create(Caller caller, NodeId parent, std::string name, std::uint32_t mode,
                                             bool exclusive, OpenFlags flags) override;
  nfs::Task<nfs::Result<OpenedFile>> open(Caller caller, NodeId id, OpenFlags flags) override;
  nfs::Task<nfs::Result<nfs::Bytes>> read(OpenFileId file, std::uint64_t offset, std::uint32_t count) override;
  nfs::Task<nfs::Status> write(OpenFileId file, std::uint64_t offset, std::span<const std::byte> data) override;
  nfs::Task<nfs::Status> flush(OpenFileId file) override;
  nfs::Task<nfs::Status> fsync(OpenFileId file) override;
  nfs::Task<nfs::Status> release(OpenFileId file) override;
  nfs::Task<nfs::Result<OpenDirectoryId>> opendir(Caller caller, NodeId id) override;
  nfs::Task<nfs::Status> readdir(OpenDirectoryId directory, std::uint64_t offset, ListingSink sink) override;
  void releasedir(OpenDirectoryId directory) override;
  nfs::Task<nfs::Result<nfs::FsstatReply>> statfs(Caller caller) override;
  nfs::Task<nfs::Status> drain() override;
  FileSystemStatistics statistics() const override;

 private:
  class WriteObserver;

  // --- checks.cc ---
  NodePtr find(NodeId id);
  nfs::MonotonicTime now() const { return clock_.now(); }
  Ticket send();
  Ticket begin_change(Node& node);  // send(), for a call that changes the node
  // Ends when the attributes are fresh for a request that began at `begun`, by a GETATTR where need be.
  nfs::Task<nfs::Status> check_attributes(nfs::Credentials who, NodePtr node, nfs::MonotonicTime begun);
  // Close-to-open: asks the server for the name the file was opened by. kStale makes the kernel walk the path again.
  nfs::Task<nfs::Status> check_at_open(Caller caller, NodePtr node, nfs::MonotonicTime begun);
  // kOk when the caller is granted all of `wanted`, kAcces when not.
  nfs::Task<nfs::Status> check_access(nfs::Credentials who, NodePtr node, std::uint32_t wanted,
                                      nfs::MonotonicTime begun);
  // Sends the LOOKUP and learns from it. The node is null when the name does not exist.
  nfs::Task<nfs::Result<NodePtr>> ask_name(nfs::Credentials who, NodePtr parent, std::string name);
  void count_hit() { metadata_hits_.fetch_add(1, std::memory_order_relaxed); }
  void count_miss() { metadata_misses_.fetch_add(1, std::memory_order_relaxed); }

  // --- names.cc ---
  std::optional<nfs::Result<Entry>> known_entry(const Caller& caller, Node& parent, const std::string& name,
                                                nfs::MonotonicTime begun, bool& ask_permission);
  nfs::Task<nfs::Result<NodePtr>> settle_creation(nfs::Credentials who, NodePtr parent, std::string name,
                                                  nfs::CreateReply reply, Ticket ticket);
  Entry hand_out(Node& parent, const std::string& name, Node& child);  // REQUIRES: mutex_ held
  nfs::Result<Entry> hand_out_made(Node& parent, const std::string& name, const nfs::Result<NodePtr>& made);
  nfs::Task<nfs::Result<NodePtr>> create_file(nfs::Credentials who, NodePtr parent, std::string name,
                                              std::uint32_t mode, bool exclusive);
  nfs::Task<nfs::Status> finish_exclusive(nfs::Credentials who, NodePtr node, std::uint32_t mode);
  nfs::Task<nfs::Status> remove_name(nfs::Credentials who, NodePtr parent, std::string name, bool directory);
  nfs::Task<nfs::Status> rename_on_server(nfs::Credentials who, NodePtr from_parent, std::string from_name,
                                          NodePtr to_parent, std::string to_name);
  nfs::Task<nfs::Status> link_on_server(nfs::Credentials who, NodePtr node, NodePtr parent, std::string name);
  NodePtr named_node(Node& parent, const std::string& name);  // REQUIRES: mutex_ held
  nfs::Task<NodePtr> node_at_stake(nfs::Credentials who, NodePtr parent, std::string name);
  nfs::Task<bool> is_last_name_of_open_file(nfs::Credentials who, NodePtr node, nfs::MonotonicTime begun);
  nfs::Task<nfs::Status> rename_without_replacing(nfs::Credentials who, NodePtr from_parent, std::string from_name,
                                                  NodePtr to_parent, std::string to_name, NodePtr moved);
  nfs::Status refuse_name(const std::string& name) const;

  // --- silly_names.cc ---
  SillyName new_silly_name(const Node& node, const Node& parent, const nfs::Credentials& who);
  // Listings leave these out: by form, since a page may be older than what is known of a name.
  bool is_own_silly_name(std::string_view name) const;
  // REQUIRES: mutex_ held.
  void set_silly(Node& node, Node& parent, const SillyName& silly);
  void clear_silly(Node& node);
  nfs::Task<nfs::Status> unlink_open_file(nfs::Credentials who, NodePtr parent, std::string name, NodePtr node);
  // Gives a file that is about to be replaced a second, silly name.
  nfs::Task<nfs::Status> keep_replaced_file(nfs::Credentials who, NodePtr parent, NodePtr node);
  // Removes the silly name, if the node has one.
  nfs::Task<void> remove_silly(NodePtr node);
  // Moves the silly files of a directory that is to be removed into its parent; returns whether there were any.
  nfs::Task<bool> evacuate_silly_files(nfs::Credentials who, NodePtr directory, NodePtr parent);
  nfs::Task<void> remove_silly_if_closed(NodePtr node);
  nfs::Task<void> remove_leftovers();

  // --- files.cc ---
  std::shared_ptr<OpenFile> find_open(OpenFileId file);
  std::shared_ptr<FileWriter> writer_of(const NodePtr& node);  // null when nothing was ever written
  std::shared_ptr<FileWriter> make_writer(const NodePtr& node);
  OpenedFile register_open(const NodePtr& node, const nfs::Credentials& opener, OpenFlags flags);
  // What open(2) does with a file that is there: permissions, O_TRUNC.
  nfs::Task<nfs::Status> open_existing(Caller caller, NodePtr node, OpenFlags flags);
  nfs::Task<nfs::Status> set_on_server(nfs::Credentials who, NodePtr node, nfs::SetAttributes changes);
  nfs::Task<nfs::Result<nfs::Bytes>> read_server(nfs::Credentials who, NodePtr node, std::uint64_t offset,
                                                 std::uint32_t count);
  // Goes on where `data` ends.
  nfs::Task<nfs::Result<nfs::Bytes>> read_rest(nfs::Credentials who, NodePtr node, std::uint64_t offset,
                                               std::uint32_t count, nfs::Bytes data);
  nfs::Task<nfs::ReadReply> read_once(nfs::Credentials who, NodePtr node, std::uint64_t offset, std::uint32_t count);
  nfs::Task<nfs::Status> flush_open(OpenFileId file);

  // --- directories.cc ---
  std::shared_ptr<Listing> choose_listing(Node& directory, nfs::MonotonicTime begun);  // REQUIRES: mutex_ held
  nfs::Task<void> fetch_page(nfs::Credentials who, NodePtr directory, std::shared_ptr<Listing> listing);
  void learn_page(Node& directory, Listing& listing, nfs::ReaddirReply& reply, const Ticket& ticket);
  // Offers entries until the sink is full (true) or more have to be fetched (false). REQUIRES: mutex_ held.
  bool offer(Node& directory, const Listing& listing, std::uint64_t& offset, const ListingSink& sink);
  bool offer_entry(Node& directory, const ListedEntry& entry, std::uint64_t next_offset, const ListingSink& sink);

  nfs::Client& client_;
  nfs::Clock& clock_;
  KernelNotifier& notifier_;
  const Options options_;
  const std::shared_ptr<DirtyBudget> budget_ = std::make_shared<DirtyBudget>();
  SillyJournal journal_;
  const std::uint32_t silly_tag_ = std::random_device{}();

  mutable std::mutex mutex_;  // guards all below and every node
  NodeTable table_;
  Knowledge knowledge_;
  std::unordered_map<OpenFileId, std::shared_ptr<OpenFile>> open_files_;
  std::unordered_map<OpenDirectoryId, std::shared_ptr<OpenDirectory>> open_directories_;
  std::uint64_t next_open_id_ = 1;
  std::map<std::pair<NodeId, std::string>, NodeId> silly_names_;  // by directory and name
  std::mt19937_64 random_{std::random_device{}()};                // create verifiers
  bool readdirplus_works_;
  std::optional<nfs::FsstatReply> last_fsstat_;

  std::atomic<std::uint64_t> metadata_hits_{0};
  std::atomic<std::uint64_t> metadata_misses_{0};
  std::atomic<std::uint64_t> page_hits_{0};
  std::atomic<std::uint64_t> page_misses_{0};
};

}  // namespace cache
