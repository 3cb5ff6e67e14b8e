#include "cache/node_table.h"

#include <algorithm>

namespace cache {

NodeTable::NodeTable(nfs::FileHandle root, std::size_t nodes_max) : nodes_max_(nodes_max) {
  const NodePtr node = std::make_shared<Node>(next_id_++, root);
  node->lookups = 1;  // the root is never forgotten
  node->directory = std::make_unique<DirectoryState>();
  by_id_.emplace(node->id, node);
  by_handle_.emplace(root, node->id);
}

NodePtr NodeTable::find(NodeId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

NodePtr NodeTable::find(const nfs::FileHandle& handle) const {
  const auto found = by_handle_.find(handle);
  return found == by_handle_.end() ? nullptr : find(found->second);
}

NodePtr NodeTable::intern(const nfs::FileHandle& handle, const nfs::Attributes& attributes) {
  if (NodePtr known = find(handle)) {
    const bool same = !known->attributes ||
                      (known->attributes->type == attributes.type && known->attributes->fileid == attributes.fileid);
    if (same || known->id == kRootNode) {
      touch(*known);
      return known;
    }
    set_gone(*known);
  }
  NodePtr node = std::make_shared<Node>(next_id_++, handle);
  if (attributes.type == nfs::FileType::kDirectory) {
    node->directory = std::make_unique<DirectoryState>();
  }
  by_id_.emplace(node->id, node);
  by_handle_.insert_or_assign(handle, node->id);
  touch(*node);
  drop_surplus();
  return node;
}

void NodeTable::add_lookup(Node& node) {
  ++node.lookups;
  touch(node);
}

void NodeTable::forget(NodeId id, std::uint64_t lookups) {
  const NodePtr node = find(id);
  if (!node || id == kRootNode) {
    return;
  }
  node->lookups -= std::min(lookups, node->lookups);
  reconsider(*node);
}

void NodeTable::add_open(Node& node) {
  ++node.open_files;
  touch(node);
}

void NodeTable::drop_open(Node& node) {
  --node.open_files;
  reconsider(node);
}

void NodeTable::reconsider(Node& node) {
  touch(node);
  drop_surplus();
}

// Puts the node at the young end of the idle list, or takes it out when it is in use.
void NodeTable::touch(Node& node) {
  if (node.idle) {
    idle_.erase(*node.idle);
    node.idle.reset();
  }
  if (!node.in_use() && by_id_.contains(node.id)) {
    node.idle = idle_.insert(idle_.end(), node.id);
  }
}

void NodeTable::drop_surplus() {
  std::size_t tries = idle_.size();
  while (by_id_.size() > nodes_max_ && tries-- > 1) {
    const NodePtr oldest = find(idle_.front());
    // One node a handle: whoever holds this one (beside the table and this loop) will go on using it. Nobody can come
    // to hold it meanwhile, since that takes the mutex.
    const bool held = oldest.use_count() > 2;
    if (held || (oldest->writer && oldest->writer->held_bytes() > 0)) {
      touch(*oldest);
      continue;
    }
    drop(oldest);
  }
}

void NodeTable::drop(const NodePtr& node) {
  for (const NameLink& link : node->names) {
    const NodePtr parent = find(link.parent);
    if (parent && parent->directory) {
      const auto name = parent->directory->names.find(link.name);
      if (name != parent->directory->names.end() && name->second.node == node->id) {
        parent->directory->names.erase(name);
      }
    }
  }
  if (node->idle) {
    idle_.erase(*node->idle);
    node->idle.reset();
  }
  const auto by_handle = by_handle_.find(node->handle);
  if (by_handle != by_handle_.end() && by_handle->second == node->id) {
    by_handle_.erase(by_handle);
  }
  by_id_.erase(node->id);
}

const ChildName* NodeTable::find_name(const Node& directory, const std::string& name) const {
  if (!directory.directory) {
    return nullptr;
  }
  const auto found = directory.directory->names.find(name);
  return found == directory.directory->names.end() ? nullptr : &found->second;
}

void NodeTable::set_name(Node& directory, const std::string& name, Node* child, const Validation& validation) {
  DirectoryState& state = *directory.directory;
  if (!child && state.absent_names >= kAbsentNamesMax) {
    std::erase_if(state.names, [](const auto& entry) { return entry.second.node == 0; });
    state.absent_names = 0;
  }
  const auto [entry, added] = state.names.try_emplace(name);
  ChildName& meaning = entry->second;
  const NodeId before = meaning.node;
  state.absent_names -= !added && before == 0 ? 1 : 0;
  state.absent_names += child ? 0 : 1;
  meaning = ChildName{child ? child->id : 0, state.change_count, validation};
  if (before != 0 && before != meaning.node) {
    unlink_name(before, directory.id, name);
  }
  if (!child) {
    return;
  }
  const bool known = std::any_of(child->names.begin(), child->names.end(), [&](const NameLink& link) {
    return link.parent == directory.id && link.name == name;
  });
  if (!known) {
    if (child->names.size() >= Node::kNameLinksMax) {
      child->names.erase(child->names.begin());
    }
    child->names.push_back(NameLink{directory.id, name, 0, {}, 0});
  }
}

void NodeTable::erase_name(Node& directory, const std::string& name) {
  if (!directory.directory) {
    return;
  }
  const auto entry = directory.directory->names.find(name);
  if (entry == directory.directory->names.end()) {
    return;
  }
  if (entry->second.node == 0) {
    --directory.directory->absent_names;
  } else {
    unlink_name(entry->second.node, directory.id, name);
  }
  directory.directory->names.erase(entry);
}

void NodeTable::unlink_name(NodeId child, NodeId parent, const std::string& name) {
  if (const NodePtr node = find(child)) {
    std::erase_if(node->names, [&](const NameLink& link) { return link.parent == parent && link.name == name; });
  }
}

void NodeTable::set_gone(Node& node) {
  if (node.id == kRootNode) {
    return;
  }
  node.gone = true;
  const std::vector<NameLink> names = std::move(node.names);
  node.names.clear();
  for (const NameLink& link : names) {
    if (const NodePtr parent = find(link.parent)) {
      const ChildName* meaning = find_name(*parent, link.name);
      if (meaning && meaning->node == node.id) {
        erase_name(*parent, link.name);
      }
    }
  }
  const auto by_handle = by_handle_.find(node.handle);
  if (by_handle != by_handle_.end() && by_handle->second == node.id) {
    by_handle_.erase(by_handle);
  }
}

}  // namespace cache
