// NodeTable: all nodes, found by id, by handle and by name, within a bound.
//
// Ids are never reused. A node that the kernel, an open file or dirty data needs stays; the others are kept as cache,
// the least recently used dropped first when `nodes_max` is exceeded. Thread-safety: none; guarded by the file system's
// mutex.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/node.h"

namespace cache {

class NodeTable {
 public:
  // How many names that do not exist one directory remembers at most.
  static constexpr std::size_t kAbsentNamesMax = 10'000;

  NodeTable(nfs::FileHandle root, std::size_t nodes_max);

  NodePtr find(NodeId id) const;
  NodePtr find(const nfs::FileHandle& handle) const;
  // Finds or makes the node of a handle. `type` and `fileid` tell a handle that the server has given to another file.
  NodePtr intern(const nfs::FileHandle& handle, const nfs::Attributes& attributes);

  void add_lookup(Node& node);
  void forget(NodeId id, std::uint64_t lookups);
  void add_open(Node& node);
  void drop_open(Node& node);
  // Call when a node's silly name or writer is done with.
  void reconsider(Node& node);

  // The name's meaning as last learned, valid or not; null when nothing is known.
  const ChildName* find_name(const Node& directory, const std::string& name) const;
  void set_name(Node& directory, const std::string& name, Node* child, const Validation& validation);
  void erase_name(Node& directory, const std::string& name);
  // The server lost the handle: the next walk asks for its names again, and a new node takes its place.
  void set_gone(Node& node);

  std::size_t size() const { return by_id_.size(); }
  const std::unordered_map<NodeId, NodePtr>& nodes() const { return by_id_; }

 private:
  void unlink_name(NodeId child, NodeId parent, const std::string& name);
  void touch(Node& node);
  void drop_surplus();
  void drop(const NodePtr& node);

  const std::size_t nodes_max_;
  NodeId next_id_ = kRootNode;
  std::unordered_map<NodeId, NodePtr> by_id_;
  std::unordered_map<nfs::FileHandle, NodeId> by_handle_;
  std::list<NodeId> idle_;  // nodes nobody needs, least recently used first
};

}  // namespace cache
