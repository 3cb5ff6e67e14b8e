#include "cache/knowledge.h"

#include <algorithm>
#include <utility>

namespace cache {

using nfs::Attributes;
using nfs::Status;

namespace {

// Our own parallel changes of one node wait for each other's replies in a list this long; beyond it they count as
// somebody else's, which costs calls but is never wrong.
constexpr std::size_t kOwnChangesMax = 64;

bool is_newer(const Attributes& candidate, const Attributes& held) {
  return candidate.ctime > held.ctime || (candidate.ctime == held.ctime && candidate.size > held.size);
}

bool same_owner_and_mode(const Attributes& a, const Attributes& b) {
  return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid;
}

bool same_permissions(const Attributes& a, const Attributes& b) {
  return a.ctime == b.ctime && same_owner_and_mode(a, b);
}

constexpr std::uint32_t kSearchBits = 0111;

}  // namespace

NameLink* find_link(Node& node, NodeId parent, const std::string& name) {
  const auto found = std::find_if(node.names.begin(), node.names.end(),
                                  [&](const NameLink& link) { return link.parent == parent && link.name == name; });
  return found == node.names.end() ? nullptr : &*found;
}

NameLink* walk_link(Node& node, NodeId parent, const std::string& name, std::uint32_t thread_id) {
  NameLink* link = find_link(node, parent, name);
  if (!link) {
    return nullptr;
  }
  std::rotate(node.names.begin() + (link - node.names.data()), node.names.begin() + (link - node.names.data()) + 1,
              node.names.end());
  node.names.back().walked_by_thread_id = thread_id;
  return &node.names.back();
}

void Knowledge::learn(Node& node, const Attributes& attributes, const Ticket& ticket) {
  const bool overtaken = ticket.tick < node.learned_at;
  if (node.attributes && overtaken && !is_newer(attributes, *node.attributes)) {
    return;
  }
  apply(node, attributes, ticket, false);
}

void Knowledge::apply(Node& node, const Attributes& attributes, const Ticket& ticket, bool own_change) {
  const Validation previous = node.validation;
  const bool known = node.attributes.has_value();
  const bool changed = !known || version_of(attributes) != version_of(*node.attributes);
  // A change of ours that leaves owner and mode alone changes nobody's permissions; behind a foreign ctime there may be
  // an access control list.
  const bool permissions_hold = known && (own_change ? same_owner_and_mode(attributes, *node.attributes)
                                                     : same_permissions(attributes, *node.attributes));
  if (!permissions_hold) {
    node.access.clear();
  }
  node.attributes = attributes;
  node.learned_at = ++tick_;
  node.validation.checked_at = std::max(previous.checked_at, ticket.sent_at);
  node.validation.lifetime = changed || previous.lifetime.count() == 0
                                 ? shortest_lifetime(options_, attributes.type)
                                 : next_lifetime(options_, attributes.type, previous, ticket.sent_at);
  if (attributes.type == nfs::FileType::kDirectory && !node.directory) {
    node.directory = std::make_unique<DirectoryState>();
  }
  if (!changed) {
    return;
  }
  node.symlink_target.reset();
  if (node.directory) {
    node.directory->listing.reset();
    node.directory->settled_at = tick_;
    node.directory->change_count += own_change || !known ? 0 : 1;
  }
}

NodePtr Knowledge::learn_object(const nfs::FileHandle& handle, const Attributes& attributes, const Ticket& ticket) {
  NodePtr node = table_.intern(handle, attributes);
  learn(*node, attributes, ticket);
  return node;
}

void Knowledge::end_own_change(Node& node, const nfs::WccData& wcc, const Ticket& ticket) {
  --node.own_changes_under_way;
  if (!wcc.after) {
    expire(node);
    if (node.directory) {
      ++node.directory->change_count;
      node.directory->settled_at = ++tick_;
      node.directory->listing.reset();
    }
    return;
  }
  if (!node.attributes || !wcc.before || node.own_changes.size() >= kOwnChangesMax) {
    learn(node, *wcc.after, ticket);
  } else {
    node.own_changes.push_back(OwnChange{*wcc.before, *wcc.after});
    join_own_changes(node, ticket);
  }
  if (node.own_changes_under_way == 0 && !node.own_changes.empty()) {
    // Something between our changes was not ours.
    const auto newest =
        std::max_element(node.own_changes.begin(), node.own_changes.end(),
                         [](const OwnChange& a, const OwnChange& b) { return is_newer(b.after, a.after); });
    const Attributes after = newest->after;
    node.own_changes.clear();
    learn(node, after, ticket);
  }
}

// Follows the chain of our own changes from what is held as far as the replies that are in describe it.
void Knowledge::join_own_changes(Node& node, const Ticket& ticket) {
  while (true) {
    const nfs::Version held = version_of(*node.attributes);
    const auto next = std::find_if(node.own_changes.begin(), node.own_changes.end(),
                                   [&](const OwnChange& change) { return change.before == held; });
    if (next == node.own_changes.end()) {
      break;
    }
    const Attributes after = next->after;
    node.own_changes.erase(next);
    if (node.pages_version == held) {
      node.pages_version = version_of(after);
    }
    apply(node, after, ticket, true);
  }
  std::erase_if(node.own_changes, [&](const OwnChange& change) { return !is_newer(change.after, *node.attributes); });
}

void Knowledge::note_status(Node& node, Status status) {
  if (status == Status::kStale || status == Status::kBadhandle) {
    table_.set_gone(node);
  }
}

void Knowledge::learn_lookup(Node& directory, const std::string& name, Node* child,
                             const std::optional<Attributes>& directory_attributes, const Ticket& ticket) {
  const bool news = may_teach_names(directory, ticket);
  if (directory_attributes) {
    learn(directory, *directory_attributes, ticket);
  }
  if (news) {
    learn_name(directory, name, child, ticket);
  }
}

void Knowledge::learn_name(Node& directory, const std::string& name, Node* child, const Ticket& ticket) {
  if (directory.directory && !directory.gone) {
    table_.set_name(directory, name, child,
                    Validation{ticket.sent_at, std::max(directory.validation.lifetime,
                                                        shortest_lifetime(options_, nfs::FileType::kDirectory))});
  }
}

void Knowledge::set_own_name(Node& directory, const std::string& name, Node* child, const Ticket& ticket) {
  learn_name(directory, name, child, ticket);
  if (directory.directory) {
    directory.directory->settled_at = ++tick_;
    directory.directory->listing.reset();
  }
}

void Knowledge::learn_access(Node& node, const nfs::Credentials& who, std::uint32_t known, std::uint32_t granted,
                             const std::optional<Attributes>& attributes) {
  if (!attributes || !node.attributes || !same_permissions(*attributes, *node.attributes)) {
    return;
  }
  const auto found = std::find_if(node.access.begin(), node.access.end(),
                                  [&](const AccessAnswer& answer) { return answer.credentials == who; });
  if (found != node.access.end()) {
    found->granted = (found->granted & ~known) | (granted & known);
    found->known |= known;
    return;
  }
  if (node.access.size() >= Node::kAccessAnswersMax) {
    node.access.erase(node.access.begin());
  }
  node.access.push_back(AccessAnswer{who, known, granted & known});
}

const ChildName* Knowledge::fresh_name(const Node& directory, const std::string& name, nfs::MonotonicTime begun,
                                       nfs::MonotonicTime now) const {
  const ChildName* meaning = table_.find_name(directory, name);
  if (!meaning || directory.gone || !may_remember_name(options_, meaning->node != 0) ||
      meaning->change_count != directory.directory->change_count) {
    return nullptr;
  }
  const bool fresh = is_fresh(meaning->validation, begun, now) || attributes_fresh(directory, begun, now);
  return fresh ? meaning : nullptr;
}

const AccessAnswer* Knowledge::known_access(const Node& node, const nfs::Credentials& who) const {
  const auto found = std::find_if(node.access.begin(), node.access.end(),
                                  [&](const AccessAnswer& answer) { return answer.credentials == who; });
  return found == node.access.end() ? nullptr : &*found;
}

NodeAttributes Knowledge::tell(Node& node, nfs::MonotonicTime now) const {
  NodeAttributes told{*node.attributes, inode_number(node.attributes->fsid, node.attributes->fileid),
                      remaining(node.validation, now)};
  node.told_version = version_of(*node.attributes);
  if (node.writer) {
    told.attributes.size = std::max(told.attributes.size, node.writer->held_end());
    if (node.writer->unanswered()) {
      told.lifetime = std::chrono::nanoseconds(0);
    }
  }
  if (node.silly && told.attributes.nlink > 0) {
    --told.attributes.nlink;  // the name on the server is ours, not the program's
  }
  return told;
}

Entry Knowledge::tell_entry(const Node& directory, const std::string& name, Node* child, bool just_looked_up,
                            nfs::MonotonicTime now) const {
  Entry entry;
  NameFacts facts;
  facts.exists = child != nullptr;
  facts.just_looked_up = just_looked_up;
  facts.everybody_may_search = directory.attributes && (directory.attributes->mode & kSearchBits) == kSearchBits;
  if (child) {
    entry.node = child->id;
    entry.attributes = tell(*child, now);
    const bool regular = child->attributes->type == nfs::FileType::kRegular;
    facts.several_links = regular && child->attributes->nlink > 1;
    facts.just_looked_up = just_looked_up && regular;
  }
  const ChildName* meaning = table_.find_name(directory, name);
  if (meaning && meaning->node == entry.node && meaning->change_count == directory.directory->change_count) {
    const auto left = std::max(remaining(meaning->validation, now), remaining(directory.validation, now));
    entry.name_lifetime = kernel_name_lifetime(options_, facts, left);
  }
  return entry;
}

std::uint64_t Knowledge::inode_number(std::uint64_t fsid, std::uint64_t fileid) const {
  const NodePtr root = table_.find(kRootNode);
  if (!root->attributes || root->attributes->fsid == fsid) {
    return fileid;
  }
  // A fixed mixing function, so that the numbers stay the same from one mount to the next; the top bit keeps them apart
  // from the root's own.
  std::uint64_t mixed = fsid * 0x9E3779B97F4A7C15ULL ^ fileid;
  mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93ULL;
  return (mixed ^ (mixed >> 32)) | 1ULL << 63;
}

}  // namespace cache
