// Knowledge: what replies teach about nodes, and what the kernel may be told.
//
// Replies arrive in any order. Each call takes a Ticket when it is sent; a reply whose call was sent before something
// newer was learned counts only if its ctime proves it newer. Weak cache consistency data (RFC 1813 section 2.6) tells
// our own changes from those of others: a change by others voids what was known of a directory's names or of a file's
// pages, our own does not.
//
// Thread-safety: none; guarded by the file system's mutex. Blocks never, sends nothing.
#pragma once

#include <cstdint>
#include <string>

#include "cache/freshness.h"
#include "cache/node_table.h"

namespace cache {

// Taken when a call is sent: its place among all calls and replies, and the time.
struct Ticket {
  std::uint64_t tick = 0;
  nfs::MonotonicTime sent_at;
};

class Knowledge {
 public:
  // `options` and `table` are borrowed.
  Knowledge(const Options& options, NodeTable& table) : options_(options), table_(table) {}

  Ticket send(nfs::MonotonicTime now) { return {++tick_, now}; }

  // --- learning ---
  void learn(Node& node, const nfs::Attributes& attributes, const Ticket& ticket);
  // Makes or finds the node of an object a reply described.
  NodePtr learn_object(const nfs::FileHandle& handle, const nfs::Attributes& attributes, const Ticket& ticket);
  // Around a call that changes the node: what its reply says of before and after.
  void begin_own_change(Node& node) { ++node.own_changes_under_way; }
  void end_own_change(Node& node, const nfs::WccData& wcc, const Ticket& ticket);
  // The attributes are to be asked for again before they are used. Replies to calls sent before are no news any more,
  // since they may tell of the time before the change of ours that is the reason.
  void expire(Node& node) {
    node.validation = Validation{};
    node.learned_at = ++tick_;
  }
  // A status that tells that the server has lost the node's handle.
  void note_status(Node& node, nfs::Status status);

  // A LOOKUP's answer: `child` null for "does not exist". Records it unless something newer is known.
  void learn_lookup(Node& directory, const std::string& name, Node* child,
                    const std::optional<nfs::Attributes>& directory_attributes, const Ticket& ticket);
  // Whether replies to a call sent with this ticket may teach names of the directory.
  bool may_teach_names(const Node& directory, const Ticket& ticket) const {
    return directory.directory && ticket.tick >= directory.directory->settled_at;
  }
  void learn_name(Node& directory, const std::string& name, Node* child, const Ticket& ticket);
  // The meaning of a name after our own successful change; replies to calls sent before are no news any more.
  void set_own_name(Node& directory, const std::string& name, Node* child, const Ticket& ticket);

  void learn_access(Node& node, const nfs::Credentials& who, std::uint32_t known, std::uint32_t granted,
                    const std::optional<nfs::Attributes>& attributes);

  // --- using ---
  bool attributes_fresh(const Node& node, nfs::MonotonicTime begun, nfs::MonotonicTime now) const {
    return node.attributes && !node.gone && is_fresh(node.validation, begun, now);
  }
  // The name's meaning when it may be used without asking; else null.
  const ChildName* fresh_name(const Node& directory, const std::string& name, nfs::MonotonicTime begun,
                              nfs::MonotonicTime now) const;
  // What is known of a caller's permissions while the attributes are fresh.
  const AccessAnswer* known_access(const Node& node, const nfs::Credentials& who) const;

  // The attributes as programs may see them, with what is only here so far; remembers that the kernel was told.
  NodeAttributes tell(Node& node, nfs::MonotonicTime now) const;
  Entry tell_entry(const Node& directory, const std::string& name, Node* child, bool just_looked_up,
                   nfs::MonotonicTime now) const;
  // Unique within the mount: the fileid within the root's file system, a hash of fsid and fileid in others.
  std::uint64_t inode_number(std::uint64_t fsid, std::uint64_t fileid) const;

 private:
  void apply(Node& node, const nfs::Attributes& attributes, const Ticket& ticket, bool own_change);
  void join_own_changes(Node& node, const Ticket& ticket);

  const Options& options_;
  NodeTable& table_;
  std::uint64_t tick_ = 0;
};

// The node's link of that name, or null.
NameLink* find_link(Node& node, NodeId parent, const std::string& name);
// The same for a thread that walks it: the link becomes the node's last one.
NameLink* walk_link(Node& node, NodeId parent, const std::string& name, std::uint32_t thread_id);

}  // namespace cache
