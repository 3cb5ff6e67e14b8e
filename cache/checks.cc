// Whether what is known still holds: attributes, names at open, permissions; the root's statistics.
#include <unistd.h>

#include "cache/caching_file_system_parts.h"

namespace cache {

using nfs::Status;
using nfs::Task;

NodePtr CachingFileSystem::find(NodeId id) {
  std::lock_guard lock(mutex_);
  return table_.find(id);
}

Ticket CachingFileSystem::send() {
  std::lock_guard lock(mutex_);
  return knowledge_.send(now());
}

Ticket CachingFileSystem::begin_change(Node& node) {
  std::lock_guard lock(mutex_);
  knowledge_.begin_own_change(node);
  return knowledge_.send(now());
}

Task<Status> CachingFileSystem::check_attributes(nfs::Credentials who, NodePtr node, nfs::MonotonicTime begun) {
  bool joined = false;
  while (true) {
    std::shared_ptr<nfs::Event> others;
    std::shared_ptr<nfs::Event> ours;
    Ticket ticket;
    {
      std::lock_guard lock(mutex_);
      if (node->gone) {
        co_return Status::kStale;
      }
      if (knowledge_.attributes_fresh(*node, begun, now())) {
        count_hit();
        co_return Status::kOk;
      }
      if (node->checking && !joined) {
        others = node->checking;
      } else {
        ours = std::make_shared<nfs::Event>();
        node->checking = ours;
        ticket = knowledge_.send(now());
      }
    }
    if (others) {
      // Somebody's call is under way; if it was sent too early for this caller, one of our own follows.
      joined = true;
      co_await *others;
      continue;
    }
    count_miss();
    nfs::GetattrReply reply = co_await client_.getattr(who, node->handle);
    {
      std::lock_guard lock(mutex_);
      if (reply.status == Status::kOk) {
        knowledge_.learn(*node, reply.attributes, ticket);
      }
      knowledge_.note_status(*node, reply.status);
      if (node->checking == ours) {
        node->checking.reset();
      }
    }
    ours->set();
    co_return reply.status;
  }
}

Task<nfs::Result<NodePtr>> CachingFileSystem::ask_name(nfs::Credentials who, NodePtr parent, std::string name) {
  const Ticket ticket = send();
  count_miss();
  nfs::LookupReply reply = co_await client_.lookup(who, parent->handle, name);
  if (reply.status == Status::kOk && !reply.attributes) {
    nfs::GetattrReply attributes = co_await client_.getattr(who, reply.object);
    if (attributes.status != Status::kOk) {
      co_return std::unexpected(attributes.status);
    }
    reply.attributes = attributes.attributes;
  }
  std::lock_guard lock(mutex_);
  if (reply.status != Status::kOk && reply.status != Status::kNoent) {
    knowledge_.note_status(*parent, reply.status);
    co_return std::unexpected(reply.status);
  }
  NodePtr child;
  if (reply.status == Status::kOk) {
    child = knowledge_.learn_object(reply.object, *reply.attributes, ticket);
  }
  knowledge_.learn_lookup(*parent, name, child.get(), reply.directory_attributes, ticket);
  // An answer at all means that the caller may search the directory.
  knowledge_.learn_access(*parent, who, nfs::kAccessLookup, nfs::kAccessLookup, reply.directory_attributes);
  co_return child;
}

Task<Status> CachingFileSystem::check_at_open(Caller caller, NodePtr node, nfs::MonotonicTime begun) {
  NodePtr parent;
  std::string name;
  {
    std::lock_guard lock(mutex_);
    if (node->gone) {
      co_return Status::kStale;
    }
    for (NameLink& link : node->names) {
      const bool same_thread = caller.thread_id != 0 && link.asked_by_thread_id == caller.thread_id;
      if (same_thread && is_same_walk(link.asked_at, begun)) {
        // The kernel had no lifetime for this name, so this open's own walk has just asked the server for it.
        link.asked_by_thread_id = 0;
        count_hit();
        co_return Status::kOk;
      }
      const NodePtr candidate = table_.find(link.parent);
      const bool walked = caller.thread_id != 0 && link.walked_by_thread_id == caller.thread_id;
      if (candidate && (!parent || walked)) {
        parent = candidate;
        name = link.name;
      }
    }
  }
  if (!parent) {
    // No name to ask for (unlinked, or its directory was dropped): the handle is all there is.
    co_return co_await check_attributes(caller.credentials, node, begun);
  }
  const nfs::Result<NodePtr> named = co_await ask_name(caller.credentials, parent, name);
  if (!named) {
    co_return named.error();
  }
  if (*named == node) {
    co_return Status::kOk;
  }
  // Replaced or removed by another client: the kernel walks the path again. This name is not the file's any more.
  std::lock_guard lock(mutex_);
  std::erase_if(node->names, [&](const NameLink& link) { return link.parent == parent->id && link.name == name; });
  const ChildName* meaning = table_.find_name(*parent, name);
  if (meaning && meaning->node == node->id) {
    table_.erase_name(*parent, name);
  }
  co_return Status::kStale;
}

Task<Status> CachingFileSystem::check_access(nfs::Credentials who, NodePtr node, std::uint32_t wanted,
                                             nfs::MonotonicTime begun) {
  if (options_.permission == Permission::kLocal) {
    co_return Status::kOk;
  }
  Ticket ticket;
  {
    std::lock_guard lock(mutex_);
    const AccessAnswer* answer = knowledge_.known_access(*node, who);
    if (answer && (answer->known & wanted) == wanted && knowledge_.attributes_fresh(*node, begun, now())) {
      count_hit();
      co_return (answer->granted & wanted) == wanted ? Status::kOk : Status::kAcces;
    }
    ticket = knowledge_.send(now());
  }
  count_miss();
  nfs::AccessReply reply = co_await client_.access(who, node->handle, nfs::kAccessAll);
  std::lock_guard lock(mutex_);
  if (reply.attributes) {
    knowledge_.learn(*node, *reply.attributes, ticket);
  }
  if (reply.status != Status::kOk) {
    knowledge_.note_status(*node, reply.status);
    co_return reply.status;
  }
  knowledge_.learn_access(*node, who, nfs::kAccessAll, reply.access, reply.attributes);
  co_return (reply.access & wanted) == wanted ? Status::kOk : Status::kAcces;
}

namespace {

// access(2)'s bits in RFC 1813's, section 3.3.4.
std::uint32_t nfs_access(int access, bool directory) {
  std::uint32_t wanted = 0;
  wanted |= (access & R_OK) != 0 ? nfs::kAccessRead : 0;
  wanted |= (access & W_OK) != 0 ? nfs::kAccessModify | nfs::kAccessExtend : 0;
  wanted |= (access & X_OK) != 0 ? (directory ? nfs::kAccessLookup : nfs::kAccessExecute) : 0;
  return wanted;
}

}  // namespace

Task<Status> CachingFileSystem::access(Caller caller, NodeId id, int access) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  if (!node) {
    co_return Status::kStale;
  }
  const Status known = co_await check_attributes(caller.credentials, node, begun);
  if (known != Status::kOk) {
    co_return known;
  }
  bool directory = false;
  {
    std::lock_guard lock(mutex_);
    directory = node->is_directory();
  }
  const std::uint32_t wanted = nfs_access(access, directory);
  if (wanted == 0) {
    co_return Status::kOk;
  }
  co_return co_await check_access(caller.credentials, node, wanted, begun);
}

Task<nfs::Result<NodeAttributes>> CachingFileSystem::getattr(Caller caller, NodeId id) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  if (!node) {
    co_return std::unexpected(Status::kStale);
  }
  if (id == kRootNode && !client_.server_state().up) {
    std::lock_guard lock(mutex_);
    if (node->attributes) {
      co_return knowledge_.tell(*node, now());
    }
  }
  // The times of a file with bytes on their way are the server's to tell.
  if (const std::shared_ptr<FileWriter> writer = writer_of(node); writer && writer->unanswered()) {
    co_await writer->write_out();
  }
  const Status status = co_await check_attributes(caller.credentials, node, begun);
  if (status != Status::kOk) {
    co_return std::unexpected(status);
  }
  std::lock_guard lock(mutex_);
  co_return knowledge_.tell(*node, now());
}

Task<nfs::Result<std::string>> CachingFileSystem::readlink(Caller caller, NodeId id) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  if (!node) {
    co_return std::unexpected(Status::kStale);
  }
  Ticket ticket;
  {
    std::lock_guard lock(mutex_);
    if (node->symlink_target && knowledge_.attributes_fresh(*node, begun, now())) {
      count_hit();
      co_return *node->symlink_target;
    }
    ticket = knowledge_.send(now());
  }
  count_miss();
  nfs::ReadlinkReply reply = co_await client_.readlink(caller.credentials, node->handle);
  std::lock_guard lock(mutex_);
  if (reply.attributes) {
    knowledge_.learn(*node, *reply.attributes, ticket);
  }
  if (reply.status != Status::kOk) {
    knowledge_.note_status(*node, reply.status);
    co_return std::unexpected(reply.status);
  }
  if (reply.attributes && node->attributes && reply.attributes->ctime == node->attributes->ctime) {
    node->symlink_target = reply.target;
  }
  co_return reply.target;
}

Task<nfs::Result<nfs::FsstatReply>> CachingFileSystem::statfs(Caller caller) {
  const NodePtr root = find(kRootNode);
  if (!client_.server_state().up) {
    std::lock_guard lock(mutex_);
    if (last_fsstat_) {
      co_return *last_fsstat_;
    }
  }
  nfs::FsstatReply reply = co_await client_.fsstat(caller.credentials, root->handle);
  if (reply.status != Status::kOk) {
    co_return std::unexpected(reply.status);
  }
  std::lock_guard lock(mutex_);
  last_fsstat_ = reply;
  co_return reply;
}

}  // namespace cache
