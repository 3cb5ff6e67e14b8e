// Listings: opendir, readdir, and the pages of READDIRPLUS they are made of.
#include <algorithm>
#include <unordered_set>

#include "cache/caching_file_system_parts.h"

namespace cache {

using nfs::Status;
using nfs::Task;

namespace {

// Bytes asked for in one READDIRPLUS: larger pages cost less per name, up to what libnfs can decode (field-tested).
constexpr std::uint32_t kListingBytes = 256 * 1024;
// "." and ".." come before the entries.
constexpr std::uint64_t kDots = 2;
// How often in a row a page is asked for again when the server calls a living directory stale or absent (nfs-ganesha
// does so when an entry goes away while it gathers the page).
constexpr int kLostPagesMax = 50;
// How often a listing that the server has lost the place of begins again at the start. A directory that changes faster
// than it is listed would never end that way: from then on only the verifier is renewed, by a short page from the
// start, and the old place is tried under it.
constexpr std::uint32_t kWholeRestartsMax = 2;
constexpr std::uint32_t kRestartsMax = 1000;
constexpr std::uint32_t kRenewalBytes = 4096;

void remember_listed(Listing& listing) {
  for (std::size_t index = listing.seen_again.size(); index < listing.entries.size(); ++index) {
    listing.seen_again.insert(listing.entries[index].name);
  }
}

void start_again(Listing& listing) {
  remember_listed(listing);
  ++listing.restarts;
  listing.resume_cookie = listing.restarts > kWholeRestartsMax ? listing.cookie : 0;
  listing.cookie = 0;
  listing.verifier = {};
}

}  // namespace

Task<nfs::Result<OpenDirectoryId>> CachingFileSystem::opendir(Caller caller, NodeId id) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  if (!node) {
    co_return std::unexpected(Status::kStale);
  }
  const Status allowed = co_await check_access(caller.credentials, node, nfs::kAccessRead, begun);
  if (allowed != Status::kOk) {
    co_return std::unexpected(allowed);
  }
  std::lock_guard lock(mutex_);
  const OpenDirectoryId directory = next_open_id_++;
  open_directories_.emplace(directory, std::make_shared<OpenDirectory>(node, caller.credentials, nullptr));
  table_.add_open(*node);
  co_return directory;
}

void CachingFileSystem::releasedir(OpenDirectoryId directory) {
  std::lock_guard lock(mutex_);
  const auto found = open_directories_.find(directory);
  if (found != open_directories_.end()) {
    table_.drop_open(*found->second->node);
    open_directories_.erase(found);
  }
}

// The listing in memory while its names and their attributes are fresh; else a new one, to be fetched.
std::shared_ptr<Listing> CachingFileSystem::choose_listing(Node& directory, nfs::MonotonicTime begun) {
  if (!directory.directory) {
    directory.directory = std::make_unique<DirectoryState>();
  }
  DirectoryState& state = *directory.directory;
  if (state.listing && state.listing->error == Status::kOk && state.listing->change_count == state.change_count &&
      is_fresh(state.listing->validation, begun, now())) {
    count_hit();
    return state.listing;
  }
  auto listing = std::make_shared<Listing>();
  listing->with_attributes = readdirplus_works_;
  listing->change_count = state.change_count;
  listing->validation = Validation{now(), shortest_lifetime(options_, nfs::FileType::kRegular)};
  state.listing = listing;
  return listing;
}

Task<Status> CachingFileSystem::readdir(OpenDirectoryId directory, std::uint64_t offset, ListingSink sink) {
  const nfs::MonotonicTime begun = now();
  std::shared_ptr<OpenDirectory> open_directory;
  std::shared_ptr<Listing> listing;
  {
    std::lock_guard lock(mutex_);
    const auto found = open_directories_.find(directory);
    if (found == open_directories_.end()) {
      co_return Status::kBadFile;
    }
    open_directory = found->second;
    if (offset == 0 || !open_directory->listing) {
      open_directory->listing = choose_listing(*open_directory->node, begun);
    }
    listing = open_directory->listing;
  }
  const NodePtr node = open_directory->node;
  while (true) {
    std::shared_ptr<nfs::Event> arrived;
    {
      std::lock_guard lock(mutex_);
      const bool satisfied = offer(*node, *listing, offset, sink);
      if (satisfied || listing->complete) {
        co_return Status::kOk;
      }
      if (listing->error != Status::kOk) {
        co_return listing->error;
      }
      if (listing->fetching) {
        arrived = listing->arrived;
      } else {
        listing->fetching = true;
        listing->arrived = std::make_shared<nfs::Event>();
      }
    }
    if (arrived) {
      co_await *arrived;
    } else {
      co_await fetch_page(open_directory->opener, node, listing);
    }
  }
}

bool CachingFileSystem::offer(Node& directory, const Listing& listing, std::uint64_t& offset, const ListingSink& sink) {
  while (offset < kDots + listing.entries.size()) {
    bool taken = true;
    if (offset < kDots) {
      const Node* shown = &directory;
      if (offset == 1 && !directory.names.empty()) {
        const NodePtr parent = table_.find(directory.names.front().parent);
        shown = parent && parent->attributes ? parent.get() : shown;
      }
      const nfs::Attributes attributes = shown->attributes.value_or(nfs::Attributes{});
      const std::uint64_t inode = knowledge_.inode_number(attributes.fsid, attributes.fileid);
      taken = sink(ListedName{offset == 0 ? "." : "..", inode, nfs::FileType::kDirectory, offset + 1, std::nullopt});
    } else {
      taken = offer_entry(directory, listing.entries[offset - kDots], offset + 1, sink);
    }
    if (!taken) {
      return true;
    }
    ++offset;
  }
  return false;
}

bool CachingFileSystem::offer_entry(Node& directory, const ListedEntry& entry, std::uint64_t next_offset,
                                    const ListingSink& sink) {
  ListedName listed{entry.name, 0, entry.type, next_offset, std::nullopt};
  const std::uint64_t fsid = directory.attributes ? directory.attributes->fsid : 0;
  listed.inode = knowledge_.inode_number(fsid, entry.fileid);
  const NodePtr child = entry.node == 0 ? nullptr : table_.find(entry.node);
  if (child && child->attributes && !child->gone) {
    listed.entry = knowledge_.tell_entry(directory, entry.name, child.get(), false, now());
    listed.inode = listed.entry->attributes.inode;
    listed.type = child->attributes->type;
  }
  if (!sink(listed)) {
    return false;
  }
  if (listed.entry) {
    table_.add_lookup(*child);
    if (NameLink* link = find_link(*child, directory.id, entry.name)) {
      link->asked_by_thread_id = 0;  // the kernel may have a lifetime for the name now
    }
  }
  return true;
}

void CachingFileSystem::learn_page(Node& directory, Listing& listing, nfs::ReaddirReply& reply, const Ticket& ticket) {
  const bool news = knowledge_.may_teach_names(directory, ticket);
  if (reply.directory_attributes) {
    knowledge_.learn(directory, *reply.directory_attributes, ticket);
  }
  for (nfs::DirectoryEntry& entry : reply.entries) {
    listing.cookie = entry.cookie;
    if (is_own_silly_name(entry.name) || listing.seen_again.contains(entry.name)) {
      continue;
    }
    ListedEntry listed{std::move(entry.name), 0, entry.fileid, nfs::FileType::kRegular};
    if (entry.attributes && !entry.object.empty()) {
      const NodePtr child = knowledge_.learn_object(entry.object, *entry.attributes, ticket);
      listed.node = child->id;
      listed.type = entry.attributes->type;
      listing.validation.lifetime = std::min(listing.validation.lifetime, child->validation.lifetime);
      if (news) {
        knowledge_.learn_name(directory, listed.name, child.get(), ticket);
      }
    }
    listing.entries.push_back(std::move(listed));
  }
  listing.verifier = reply.verifier;
  listing.complete = reply.eof;
  if (listing.resume_cookie != 0) {
    remember_listed(listing);  // the page may overlap with what comes behind the old place
    listing.cookie = std::exchange(listing.resume_cookie, 0);
  }
}

Task<void> CachingFileSystem::fetch_page(nfs::Credentials who, NodePtr directory, std::shared_ptr<Listing> listing) {
  const Ticket ticket = send();
  count_miss();
  const std::uint32_t bytes = listing->resume_cookie == 0 ? kListingBytes : kRenewalBytes;
  nfs::ReaddirReply reply;
  if (listing->with_attributes) {
    reply = co_await client_.readdirplus(who, directory->handle, listing->cookie, listing->verifier, bytes);
  } else {
    reply = co_await client_.readdir(who, directory->handle, listing->cookie, listing->verifier, bytes);
  }
  bool ask_again = false;
  const bool lost = reply.status == Status::kStale || reply.status == Status::kNoent;
  if (lost && ++listing->lost_pages <= kLostPagesMax) {
    const nfs::GetattrReply attributes = co_await client_.getattr(who, directory->handle);
    ask_again = attributes.status == Status::kOk;
  }
  std::shared_ptr<nfs::Event> arrived;
  {
    std::lock_guard lock(mutex_);
    if (reply.status == Status::kOk) {
      listing->lost_pages = 0;
      learn_page(*directory, *listing, reply, ticket);
    } else if (reply.status == Status::kNotsupp && listing->with_attributes) {
      readdirplus_works_ = false;
      listing->with_attributes = false;
    } else if (reply.status == Status::kBadCookie && listing->cookie != 0 && listing->restarts < kRestartsMax) {
      // The directory changed so that the server lost the place: from the start again, without what was listed.
      start_again(*listing);
    } else if (!ask_again) {
      // Not ENOENT: readdir(3) takes that for the end of the directory.
      listing->error = reply.status == Status::kNoent ? Status::kIo : reply.status;
      knowledge_.note_status(*directory, reply.status);
    }
    listing->fetching = false;
    arrived = listing->arrived;
  }
  arrived->set();
}

}  // namespace cache
