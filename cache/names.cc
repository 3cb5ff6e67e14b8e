// Lookup, and everything that makes, moves or removes names.
#include <bit>

#include "cache/caching_file_system_parts.h"

namespace cache {

using nfs::Status;
using nfs::Task;

NodePtr CachingFileSystem::named_node(Node& parent, const std::string& name) {
  const ChildName* meaning = table_.find_name(parent, name);
  return meaning && meaning->node != 0 ? table_.find(meaning->node) : nullptr;
}

Status CachingFileSystem::refuse_name(const std::string& name) const {
  return name.size() > nfs::kNameBytesMax ? Status::kNametoolong : Status::kOk;
}

Entry CachingFileSystem::hand_out(Node& parent, const std::string& name, Node& child) {
  table_.add_lookup(child);
  if (NameLink* link = find_link(child, parent.id, name)) {
    link->asked_by_thread_id = 0;  // the kernel may have a lifetime for the name now
  }
  return knowledge_.tell_entry(parent, name, &child, false, now());
}

nfs::Result<Entry> CachingFileSystem::hand_out_made(Node& parent, const std::string& name,
                                                    const nfs::Result<NodePtr>& made) {
  if (!made) {
    return std::unexpected(made.error());
  }
  std::lock_guard lock(mutex_);
  return hand_out(parent, name, **made);
}

// What memory says of a name, or nothing when the server has to be asked. `ask_permission` is set when the name is
// known and only the caller's permission to search is not.
std::optional<nfs::Result<Entry>> CachingFileSystem::known_entry(const Caller& caller, Node& parent,
                                                                 const std::string& name, nfs::MonotonicTime begun,
                                                                 bool& ask_permission) {
  std::lock_guard lock(mutex_);
  const nfs::MonotonicTime time = now();
  const ChildName* meaning = knowledge_.fresh_name(parent, name, begun, time);
  if (!meaning) {
    return std::nullopt;
  }
  const NodePtr child = meaning->node == 0 ? nullptr : table_.find(meaning->node);
  if (meaning->node != 0 && (!child || !knowledge_.attributes_fresh(*child, begun, time))) {
    return std::nullopt;
  }
  if (options_.permission == Permission::kServer) {
    const AccessAnswer* answer = knowledge_.known_access(parent, caller.credentials);
    ask_permission =
        !answer || (answer->known & nfs::kAccessLookup) == 0 || !knowledge_.attributes_fresh(parent, begun, time);
    if (ask_permission) {
      return std::nullopt;
    }
    if ((answer->granted & nfs::kAccessLookup) == 0) {
      return std::unexpected(Status::kAcces);
    }
  }
  count_hit();
  if (!child) {
    return knowledge_.tell_entry(parent, name, nullptr, false, time);
  }
  walk_link(*child, parent.id, name, caller.thread_id);
  return hand_out(parent, name, *child);
}

Task<nfs::Result<Entry>> CachingFileSystem::lookup(Caller caller, NodeId parent_id, std::string name) {
  const nfs::MonotonicTime begun = now();
  if (const Status refused = refuse_name(name); refused != Status::kOk) {
    co_return std::unexpected(refused);
  }
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return std::unexpected(Status::kStale);
  }
  bool ask_permission = false;
  if (std::optional<nfs::Result<Entry>> known = known_entry(caller, *parent, name, begun, ask_permission)) {
    co_return *std::move(known);
  }
  if (ask_permission) {
    const Status allowed = co_await check_access(caller.credentials, parent, nfs::kAccessLookup, begun);
    if (allowed != Status::kOk) {
      co_return std::unexpected(allowed);
    }
    if (std::optional<nfs::Result<Entry>> known = known_entry(caller, *parent, name, begun, ask_permission)) {
      co_return *std::move(known);
    }
  }
  const nfs::Result<NodePtr> asked = co_await ask_name(caller.credentials, parent, name);
  if (!asked) {
    co_return std::unexpected(asked.error());
  }
  std::lock_guard lock(mutex_);
  const NodePtr& child = *asked;
  if (!child) {
    co_return knowledge_.tell_entry(*parent, name, nullptr, false, now());
  }
  table_.add_lookup(*child);
  if (NameLink* link = walk_link(*child, parent_id, name, caller.thread_id)) {
    link->asked_by_thread_id = caller.thread_id;
    link->asked_at = begun;
  }
  co_return knowledge_.tell_entry(*parent, name, child.get(), true, now());
}

void CachingFileSystem::forget(NodeId id, std::uint64_t lookups) {
  std::lock_guard lock(mutex_);
  table_.forget(id, lookups);
}

// Learns what a CREATE, MKDIR, SYMLINK or MKNOD made; asks for what its reply left out.
Task<nfs::Result<NodePtr>> CachingFileSystem::settle_creation(nfs::Credentials who, NodePtr parent, std::string name,
                                                              nfs::CreateReply reply, Ticket ticket) {
  {
    std::lock_guard lock(mutex_);
    knowledge_.end_own_change(*parent, reply.directory, ticket);
    knowledge_.note_status(*parent, reply.status);
    if (reply.status == Status::kExist) {
      table_.erase_name(*parent, name);
    }
    if (reply.status != Status::kOk) {
      co_return std::unexpected(reply.status);
    }
    if (!reply.object.empty() && reply.attributes) {
      NodePtr child = knowledge_.learn_object(reply.object, *reply.attributes, ticket);
      knowledge_.set_own_name(*parent, name, child.get(), ticket);
      co_return child;
    }
  }
  nfs::Result<NodePtr> asked = co_await ask_name(who, parent, name);
  if (asked && !*asked) {
    co_return std::unexpected(Status::kNoent);
  }
  co_return asked;
}

Task<nfs::Result<Entry>> CachingFileSystem::mkdir(Caller caller, NodeId parent_id, std::string name,
                                                  std::uint32_t mode) {
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return std::unexpected(Status::kStale);
  }
  if (const Status refused = refuse_name(name); refused != Status::kOk) {
    co_return std::unexpected(refused);
  }
  nfs::SetAttributes attributes;
  attributes.mode = mode & 07777;
  const Ticket ticket = begin_change(*parent);
  nfs::CreateReply reply = co_await client_.mkdir(caller.credentials, parent->handle, name, attributes);
  const nfs::Result<NodePtr> made =
      co_await settle_creation(caller.credentials, parent, name, std::move(reply), ticket);
  co_return hand_out_made(*parent, name, made);
}

Task<nfs::Result<Entry>> CachingFileSystem::symlink(Caller caller, NodeId parent_id, std::string name,
                                                    std::string target) {
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return std::unexpected(Status::kStale);
  }
  if (const Status refused = refuse_name(name); refused != Status::kOk) {
    co_return std::unexpected(refused);
  }
  nfs::SetAttributes attributes;
  attributes.mode = 0777;
  const Ticket ticket = begin_change(*parent);
  nfs::CreateReply reply = co_await client_.symlink(caller.credentials, parent->handle, name, target, attributes);
  const nfs::Result<NodePtr> made =
      co_await settle_creation(caller.credentials, parent, name, std::move(reply), ticket);
  co_return hand_out_made(*parent, name, made);
}

Task<nfs::Result<Entry>> CachingFileSystem::mknod(Caller caller, NodeId parent_id, std::string name, std::uint32_t mode,
                                                  nfs::NodeKind kind) {
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return std::unexpected(Status::kStale);
  }
  if (const Status refused = refuse_name(name); refused != Status::kOk) {
    co_return std::unexpected(refused);
  }
  nfs::SetAttributes attributes;
  attributes.mode = mode & 07777;
  const Ticket ticket = begin_change(*parent);
  nfs::CreateReply reply = co_await client_.mknod(caller.credentials, parent->handle, name, kind, attributes);
  const nfs::Result<NodePtr> made =
      co_await settle_creation(caller.credentials, parent, name, std::move(reply), ticket);
  co_return hand_out_made(*parent, name, made);
}

// CREATE EXCLUSIVE leaves the verifier in the file's attributes; the real ones follow (RFC 1813 section 3.3.8).
Task<Status> CachingFileSystem::finish_exclusive(nfs::Credentials who, NodePtr node, std::uint32_t mode) {
  nfs::SetAttributes attributes;
  attributes.mode = mode;
  attributes.atime = nfs::SetTime{true, {}};
  attributes.mtime = nfs::SetTime{true, {}};
  co_return co_await set_on_server(who, node, attributes);
}

Task<nfs::Result<NodePtr>> CachingFileSystem::create_file(nfs::Credentials who, NodePtr parent, std::string name,
                                                          std::uint32_t mode, bool exclusive) {
  nfs::SetAttributes attributes;
  nfs::Verifier verifier{};
  {
    std::lock_guard lock(mutex_);
    verifier = std::bit_cast<nfs::Verifier>(random_());
  }
  const Ticket ticket = begin_change(*parent);
  if (!exclusive) {
    attributes.mode = mode;
  }
  const nfs::CreateMode how = exclusive ? nfs::CreateMode::kExclusive : nfs::CreateMode::kGuarded;
  nfs::CreateReply reply = co_await client_.create(who, parent->handle, name, how, attributes, verifier);
  nfs::Result<NodePtr> made = co_await settle_creation(who, parent, name, std::move(reply), ticket);
  if (made && exclusive) {
    const Status finished = co_await finish_exclusive(who, *made, mode);
    if (finished != Status::kOk) {
      co_return std::unexpected(finished);
    }
  }
  co_return made;
}

Task<nfs::Result<CreatedFile>> CachingFileSystem::create(Caller caller, NodeId parent_id, std::string name,
                                                         std::uint32_t mode, bool exclusive, OpenFlags flags) {
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return std::unexpected(Status::kStale);
  }
  if (const Status refused = refuse_name(name); refused != Status::kOk) {
    co_return std::unexpected(refused);
  }
  nfs::Result<NodePtr> made = co_await create_file(caller.credentials, parent, name, mode & 07777, exclusive);
  const bool existed = !made && made.error() == Status::kExist && !exclusive;
  if (existed) {
    // Another client was first; open(2) without O_EXCL opens what is there.
    made = co_await ask_name(caller.credentials, parent, name);
    if (made && !*made) {
      co_return std::unexpected(Status::kStale);
    }
  }
  if (!made) {
    co_return std::unexpected(made.error());
  }
  const NodePtr node = *made;
  if (existed) {
    const Status opened = co_await open_existing(caller, node, flags);
    if (opened != Status::kOk) {
      co_return std::unexpected(opened);
    }
  }
  CreatedFile created;
  created.opened = register_open(node, caller.credentials, flags);
  std::lock_guard lock(mutex_);
  created.entry = hand_out(*parent, name, *node);
  co_return created;
}

Task<Status> CachingFileSystem::link_on_server(nfs::Credentials who, NodePtr node, NodePtr parent, std::string name) {
  const Ticket ticket = begin_change(*parent);
  nfs::LinkReply reply = co_await client_.link(who, node->handle, parent->handle, name);
  std::lock_guard lock(mutex_);
  knowledge_.end_own_change(*parent, reply.directory, ticket);
  if (reply.attributes) {
    knowledge_.learn(*node, *reply.attributes, ticket);
  } else {
    knowledge_.expire(*node);
  }
  if (reply.status == Status::kOk) {
    knowledge_.set_own_name(*parent, name, node.get(), ticket);
  } else if (reply.status == Status::kExist) {
    table_.erase_name(*parent, name);
  }
  co_return reply.status;
}

Task<nfs::Result<Entry>> CachingFileSystem::link(Caller caller, NodeId id, NodeId parent_id, std::string name) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  const NodePtr parent = find(parent_id);
  if (!node || !parent) {
    co_return std::unexpected(Status::kStale);
  }
  if (const Status refused = refuse_name(name); refused != Status::kOk) {
    co_return std::unexpected(refused);
  }
  Status status = co_await link_on_server(caller.credentials, node, parent, name);
  if (status == Status::kOk) {
    status = co_await check_attributes(caller.credentials, node, begun);
  }
  if (status != Status::kOk) {
    co_return std::unexpected(status);
  }
  std::lock_guard lock(mutex_);
  for (const NameLink& link : node->names) {
    // The kernel was given a lifetime for the only name; with close-to-open each use of several has to be seen.
    if (options_.close_to_open && (link.parent != parent_id || link.name != name)) {
      notifier_.invalidate_name(link.parent, link.name);
    }
  }
  co_return hand_out(*parent, name, *node);
}

Task<Status> CachingFileSystem::remove_name(nfs::Credentials who, NodePtr parent, std::string name, bool directory) {
  const Ticket ticket = begin_change(*parent);
  nfs::RemoveReply reply;
  if (directory) {
    reply = co_await client_.rmdir(who, parent->handle, name);
  } else {
    reply = co_await client_.remove(who, parent->handle, name);
  }
  std::lock_guard lock(mutex_);
  knowledge_.end_own_change(*parent, reply.directory, ticket);
  knowledge_.note_status(*parent, reply.status);
  if (reply.status == Status::kOk) {
    if (const NodePtr child = named_node(*parent, name)) {
      knowledge_.expire(*child);  // one link less
    }
    knowledge_.set_own_name(*parent, name, nullptr, ticket);
  } else if (reply.status == Status::kNoent) {
    table_.erase_name(*parent, name);
  }
  co_return reply.status;
}

// The node whose name is about to go. The kernel knows it, but a change of the directory while it was looked up may
// have kept its name from being remembered here; then it is asked for, lest an open file lose its last name.
Task<NodePtr> CachingFileSystem::node_at_stake(nfs::Credentials who, NodePtr parent, std::string name) {
  {
    std::lock_guard lock(mutex_);
    if (table_.find_name(*parent, name) || open_files_.empty()) {
      co_return named_node(*parent, name);
    }
  }
  const nfs::Result<NodePtr> asked = co_await ask_name(who, parent, name);
  co_return asked.value_or(nullptr);
}

Task<bool> CachingFileSystem::is_last_name_of_open_file(nfs::Credentials who, NodePtr node, nfs::MonotonicTime begun) {
  {
    std::lock_guard lock(mutex_);
    if (!node || node->open_files == 0 || node->is_directory() || node->silly) {
      co_return false;
    }
  }
  const Status status = co_await check_attributes(who, node, begun);
  std::lock_guard lock(mutex_);
  co_return status == Status::kOk && node->attributes->nlink == 1;
}

Task<Status> CachingFileSystem::unlink(Caller caller, NodeId parent_id, std::string name) {
  const nfs::MonotonicTime begun = now();
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return Status::kStale;
  }
  const NodePtr child = co_await node_at_stake(caller.credentials, parent, name);
  const bool last_name = co_await is_last_name_of_open_file(caller.credentials, child, begun);
  if (last_name) {
    co_return co_await unlink_open_file(caller.credentials, parent, name, child);
  }
  co_return co_await remove_name(caller.credentials, parent, name, false);
}

Task<Status> CachingFileSystem::rmdir(Caller caller, NodeId parent_id, std::string name) {
  const NodePtr parent = find(parent_id);
  if (!parent) {
    co_return Status::kStale;
  }
  Status status = co_await remove_name(caller.credentials, parent, name, true);
  if (status != Status::kNotempty && status != Status::kExist) {
    co_return status;
  }
  NodePtr directory;
  {
    std::lock_guard lock(mutex_);
    directory = named_node(*parent, name);
  }
  if (!directory) {
    co_return status;
  }
  const bool moved = co_await evacuate_silly_files(caller.credentials, directory, parent);
  if (moved) {
    status = co_await remove_name(caller.credentials, parent, name, true);
  }
  co_return status;
}

Task<Status> CachingFileSystem::rename_on_server(nfs::Credentials who, NodePtr from_parent, std::string from_name,
                                                 NodePtr to_parent, std::string to_name) {
  NodePtr moved;
  Ticket ticket;
  {
    std::lock_guard lock(mutex_);
    moved = named_node(*from_parent, from_name);
    knowledge_.begin_own_change(*from_parent);
    knowledge_.begin_own_change(*to_parent);
    ticket = knowledge_.send(now());
  }
  const nfs::FileHandle source = moved ? moved->handle : nfs::FileHandle();
  nfs::RenameReply reply =
      co_await client_.rename(who, from_parent->handle, from_name, to_parent->handle, to_name, source);
  std::lock_guard lock(mutex_);
  knowledge_.end_own_change(*from_parent, reply.from_directory, ticket);
  knowledge_.end_own_change(*to_parent, reply.to_directory, ticket);
  if (reply.status == Status::kNoent) {
    table_.erase_name(*from_parent, from_name);
  }
  if (reply.status != Status::kOk) {
    co_return reply.status;
  }
  const NodePtr replaced = named_node(*to_parent, to_name);
  if (replaced && replaced == moved) {
    co_return Status::kOk;  // two links of one file: rename(2) does nothing
  }
  if (replaced) {
    knowledge_.expire(*replaced);
  }
  knowledge_.set_own_name(*from_parent, from_name, nullptr, ticket);
  if (moved) {
    knowledge_.expire(*moved);
    knowledge_.set_own_name(*to_parent, to_name, moved.get(), ticket);
  } else {
    table_.erase_name(*to_parent, to_name);
  }
  co_return Status::kOk;
}

Task<Status> CachingFileSystem::rename(Caller caller, NodeId from_parent_id, std::string from_name, NodeId to_parent_id,
                                       std::string to_name, RenameMode mode) {
  const nfs::MonotonicTime begun = now();
  const NodePtr from_parent = find(from_parent_id);
  const NodePtr to_parent = find(to_parent_id);
  if (!from_parent || !to_parent) {
    co_return Status::kStale;
  }
  if (const Status refused = refuse_name(to_name); refused != Status::kOk) {
    co_return refused;
  }
  const NodePtr moved = co_await node_at_stake(caller.credentials, from_parent, from_name);
  if (mode == RenameMode::kNoReplace) {
    co_return co_await rename_without_replacing(caller.credentials, from_parent, from_name, to_parent, to_name, moved);
  }
  const NodePtr replaced = co_await node_at_stake(caller.credentials, to_parent, to_name);
  bool keep = false;
  if (replaced != moved) {
    keep = co_await is_last_name_of_open_file(caller.credentials, replaced, begun);
  }
  if (keep) {
    const Status kept = co_await keep_replaced_file(caller.credentials, to_parent, replaced);
    if (kept != Status::kOk) {
      co_return kept;
    }
  }
  const Status status = co_await rename_on_server(caller.credentials, from_parent, from_name, to_parent, to_name);
  if (status != Status::kOk && keep) {
    co_await remove_silly(replaced);
  }
  co_return status;
}

// LINK refuses an existing name in one step, which RENAME cannot; directories have no such step.
Task<Status> CachingFileSystem::rename_without_replacing(nfs::Credentials who, NodePtr from_parent,
                                                         std::string from_name, NodePtr to_parent, std::string to_name,
                                                         NodePtr moved) {
  if (!moved) {
    co_return Status::kStale;
  }
  {
    std::lock_guard lock(mutex_);
    if (moved->is_directory()) {
      co_return Status::kInval;
    }
  }
  const Status linked = co_await link_on_server(who, moved, to_parent, to_name);
  if (linked != Status::kOk) {
    co_return linked;
  }
  co_return co_await remove_name(who, from_parent, from_name, false);
}

}  // namespace cache
