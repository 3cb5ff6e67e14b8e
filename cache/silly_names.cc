// Silly rename: NFSv3 forgets a file with its last name, so a file that is unlinked or replaced while it is open here
// keeps a name of our own on the server until its last close. The form is the one other NFS clients use, so that a
// filer's own cleaning jobs know it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cache/caching_file_system_parts.h"

namespace cache {

using nfs::Status;
using nfs::Task;

// The same for one file each time; the tag tells our names from those of other clients and of earlier mounts.
SillyName CachingFileSystem::new_silly_name(const Node& node, const Node& parent, const nfs::Credentials& who) {
  std::lock_guard lock(mutex_);
  const std::uint64_t fileid = node.attributes ? node.attributes->fileid : node.id;
  return SillyName{parent.handle, fmt::format(".nfs{:016x}{:08x}", fileid, silly_tag_), who};
}

bool CachingFileSystem::is_own_silly_name(std::string_view name) const {
  constexpr std::size_t kNameBytes = 4 + 16 + 8;
  return name.size() == kNameBytes && name.starts_with(".nfs") && name.ends_with(fmt::format("{:08x}", silly_tag_));
}

void CachingFileSystem::set_silly(Node& node, Node& parent, const SillyName& silly) {
  clear_silly(node);
  node.silly = silly;
  node.silly_parent = parent.id;
  silly_names_[{parent.id, silly.name}] = node.id;
}

void CachingFileSystem::clear_silly(Node& node) {
  if (node.silly) {
    silly_names_.erase({node.silly_parent, node.silly->name});
    node.silly.reset();
    table_.reconsider(node);
  }
}

Task<Status> CachingFileSystem::unlink_open_file(nfs::Credentials who, NodePtr parent, std::string name, NodePtr node) {
  const SillyName silly = new_silly_name(*node, *parent, who);
  journal_.added(silly);
  {
    // Before the server can show the name to a listing.
    std::lock_guard lock(mutex_);
    set_silly(*node, *parent, silly);
  }
  const Status status = co_await rename_on_server(who, parent, name, parent, silly.name);
  {
    std::lock_guard lock(mutex_);
    table_.erase_name(*parent, silly.name);
    if (status != Status::kOk) {
      clear_silly(*node);
    }
  }
  if (status != Status::kOk) {
    journal_.removed(silly);
    co_return status;
  }
  co_await remove_silly_if_closed(node);
  co_return status;
}

Task<Status> CachingFileSystem::keep_replaced_file(nfs::Credentials who, NodePtr parent, NodePtr node) {
  const SillyName silly = new_silly_name(*node, *parent, who);
  journal_.added(silly);
  {
    std::lock_guard lock(mutex_);
    set_silly(*node, *parent, silly);
  }
  const Status status = co_await link_on_server(who, node, parent, silly.name);
  {
    std::lock_guard lock(mutex_);
    table_.erase_name(*parent, silly.name);
    if (status != Status::kOk) {
      clear_silly(*node);
    }
  }
  if (status != Status::kOk) {
    journal_.removed(silly);
  }
  co_return status;
}

Task<void> CachingFileSystem::remove_silly(NodePtr node) {
  SillyName silly;
  NodePtr parent;
  {
    std::lock_guard lock(mutex_);
    if (!node->silly) {
      co_return;
    }
    silly = *node->silly;
    parent = table_.find(node->silly_parent);
    clear_silly(*node);
  }
  Status status = Status::kOk;
  if (parent) {
    status = co_await remove_name(silly.owner, parent, silly.name, false);
  } else {
    const nfs::RemoveReply reply = co_await client_.remove(silly.owner, silly.directory, silly.name);
    status = reply.status;
  }
  {
    std::lock_guard lock(mutex_);
    knowledge_.expire(*node);  // one link less, if it has others
  }
  if (status == Status::kOk || status == Status::kNoent || status == Status::kStale) {
    journal_.removed(silly);
  } else {
    spdlog::warn("{} stays on the server until the next mount: {}", silly.name, nfs::status_name(status));
  }
}

Task<void> CachingFileSystem::remove_silly_if_closed(NodePtr node) {
  bool closed = false;
  {
    std::lock_guard lock(mutex_);
    closed = node->open_files == 0;
  }
  if (closed) {
    co_await remove_silly(node);
  }
}

Task<bool> CachingFileSystem::evacuate_silly_files(nfs::Credentials who, NodePtr directory, NodePtr parent) {
  std::vector<NodePtr> hidden;
  {
    std::lock_guard lock(mutex_);
    for (auto entry = silly_names_.lower_bound({directory->id, ""});
         entry != silly_names_.end() && entry->first.first == directory->id; ++entry) {
      if (const NodePtr node = table_.find(entry->second)) {
        hidden.push_back(node);
      }
    }
  }
  for (const NodePtr& node : hidden) {
    SillyName before;
    {
      std::lock_guard lock(mutex_);
      if (!node->silly) {
        continue;
      }
      before = *node->silly;
    }
    const SillyName after = new_silly_name(*node, *parent, who);
    journal_.added(after);
    const Status status = co_await rename_on_server(who, directory, before.name, parent, after.name);
    std::lock_guard lock(mutex_);
    journal_.removed(status == Status::kOk ? before : after);
    if (status == Status::kOk && node->silly) {
      table_.erase_name(*parent, after.name);
      set_silly(*node, *parent, after);
    }
  }
  co_return !hidden.empty();
}

Task<void> CachingFileSystem::remove_leftovers() {
  for (const SillyName& silly : journal_.leftovers()) {
    const nfs::RemoveReply reply = co_await client_.remove(silly.owner, silly.directory, silly.name);
    if (reply.status == Status::kOk || reply.status == Status::kNoent || reply.status == Status::kStale) {
      journal_.removed(silly);
    }
  }
}

}  // namespace cache
