// The fake's procedures that change names: CREATE, MKDIR, SYMLINK, MKNOD, REMOVE, RMDIR, RENAME, LINK.
#include <algorithm>

#include "tests/support/fake_file_system.h"

namespace support {

using nfs::Status;

namespace {

constexpr std::size_t kTargetBytesMax = 4095;

bool is_directory(const nfs::Attributes& attributes) {
  return attributes.type == nfs::FileType::kDirectory;
}

Status check_spelling(std::string_view name) {
  if (name.size() > nfs::kNameBytesMax) {
    return Status::kNametoolong;
  }
  bool valid = !name.empty() && name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
  return valid ? Status::kOk : Status::kInval;
}

}  // namespace

Status FakeFileSystem::check_new_name(const nfs::Credentials& who, Inode& directory, std::string_view name) const {
  if (Status spelling = check_spelling(name); spelling != Status::kOk) {
    return spelling;
  }
  if (name == "." || name == "..") {
    return Status::kExist;
  }
  if (!permits(who, directory, 1)) {
    return Status::kAcces;
  }
  if (directory.cookies.contains(name)) {
    return Status::kExist;
  }
  if (rules.read_only) {
    return Status::kRofs;
  }
  return permits(who, directory, 2) ? Status::kOk : Status::kAcces;
}

Status FakeFileSystem::check_old_name(const nfs::Credentials& who, Inode& directory, std::string_view name) const {
  if (Status spelling = check_spelling(name); spelling != Status::kOk) {
    return spelling;
  }
  if (name == "." || name == "..") {
    return Status::kInval;
  }
  if (!permits(who, directory, 1)) {
    return Status::kAcces;
  }
  auto place = directory.cookies.find(name);
  if (place == directory.cookies.end()) {
    return Status::kNoent;
  }
  if (rules.read_only) {
    return Status::kRofs;
  }
  if (!permits(who, directory, 2)) {
    return Status::kAcces;
  }
  const Inode& victim = *inodes_.at(directory.entries.at(place->second).target);
  return may_unlink(who, directory, victim) ? Status::kOk : Status::kPerm;
}

bool FakeFileSystem::may_unlink(const nfs::Credentials& who, const Inode& directory, const Inode& victim) const {
  bool owner = who.uid == 0 || who.uid == directory.attributes.uid || who.uid == victim.attributes.uid;
  return (directory.attributes.mode & kSticky) == 0 || owner;
}

void FakeFileSystem::touch_directory(Inode& directory) {
  directory.attributes.mtime = directory.attributes.ctime = stamp();
}

void FakeFileSystem::add_name(Inode& directory, const std::string& name, Inode& target) {
  nfs::Cookie cookie = directory.next_cookie++;
  directory.entries[cookie] = {name, target.key};
  directory.cookies[name] = cookie;
  if (is_directory(target.attributes)) {
    target.parent = directory.key;
    ++directory.attributes.nlink;
  }
  touch_directory(directory);
}

void FakeFileSystem::drop_name(Inode& directory, const std::string& name) {
  auto place = directory.cookies.find(name);
  const Inode& target = at(directory.entries.at(place->second).target);
  if (is_directory(target.attributes)) {
    --directory.attributes.nlink;
  }
  directory.entries.erase(place->second);
  directory.cookies.erase(place);
  touch_directory(directory);
}

void FakeFileSystem::drop_link(Inode& inode) {
  bool last = is_directory(inode.attributes) || inode.attributes.nlink <= 1;
  if (!last) {
    --inode.attributes.nlink;
    inode.attributes.ctime = stamp();
    return;
  }
  Key key = inode.key;
  if (rules.reuse_fileids) {
    free_ids_[key.fsid].push_back(key.fileid);
  }
  inodes_.erase(key);
}

FakeFileSystem::Inode& FakeFileSystem::new_inode(const nfs::Credentials& who, Inode& directory, nfs::FileType type) {
  // The directory's own fsid, not its key's: below the root of a nested file system the two differ.
  std::uint64_t fsid = directory.attributes.fsid;
  std::vector<std::uint64_t>& free_ids = free_ids_[fsid];
  std::uint64_t fileid = 0;
  if (free_ids.empty()) {
    std::uint64_t& next = next_fileid_.try_emplace(fsid, 3).first->second;
    fileid = next++;
  } else {
    fileid = free_ids.back();
    free_ids.pop_back();
  }
  auto inode = std::make_unique<Inode>();
  inode->key = {fsid, fileid};
  inode->generation = next_generation_++;
  nfs::Attributes& attributes = inode->attributes;
  attributes.type = type;
  attributes.nlink = type == nfs::FileType::kDirectory ? 2 : 1;
  attributes.size = type == nfs::FileType::kDirectory ? 4096 : 0;
  attributes.used = attributes.size;
  attributes.uid = who.uid;
  attributes.gid = who.gid;
  if ((directory.attributes.mode & kSetGid) != 0) {
    attributes.gid = directory.attributes.gid;
  }
  attributes.fsid = fsid;
  attributes.fileid = fileid;
  attributes.atime = attributes.mtime = attributes.ctime = stamp();
  Inode& reference = *inode;
  inodes_[inode->key] = std::move(inode);
  return reference;
}

void FakeFileSystem::fill_created(nfs::CreateReply& reply, const Inode& inode) const {
  if (rules.created_handles) {
    reply.object = handle_for(inode);
    reply.attributes = post_op(inode);
  }
}

nfs::CreateReply FakeFileSystem::make(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                                      nfs::FileType type, const nfs::SetAttributes& attributes, const Builder& build) {
  who = squashed(who);
  nfs::CreateReply reply;
  Inode* parent = find_directory(directory, reply.status);
  if (parent == nullptr) {
    return reply;
  }
  nfs::Version before = nfs::version_of(parent->attributes);
  reply.status = check_new_name(who, *parent, name);
  if (reply.status == Status::kOk) {
    Inode& inode = new_inode(who, *parent, type);
    build(inode);
    nfs::SetAttributes initial = attributes;
    if (!rules.honours_create_atime) {
      initial.atime.reset();
    }
    // Ownership by request is the superuser's; others' is what their credentials say.
    if (who.uid != 0) {
      initial.uid.reset();
      initial.gid.reset();
    }
    if (type != nfs::FileType::kRegular) {
      initial.size.reset();
    }
    if (type == nfs::FileType::kSymlink) {
      initial.mode = 0777;
    }
    apply(who, inode, initial);
    if (type == nfs::FileType::kDirectory && (parent->attributes.mode & kSetGid) != 0) {
      inode.attributes.mode |= kSetGid;
    }
    add_name(*parent, name, inode);
    fill_created(reply, inode);
  }
  reply.directory = wcc(before, *parent);
  return reply;
}

Status FakeFileSystem::create_existing(const nfs::Credentials& who, Inode& file, nfs::CreateMode mode,
                                       const nfs::SetAttributes& attributes, nfs::Verifier verifier) {
  if (mode == nfs::CreateMode::kGuarded) {
    return Status::kExist;
  }
  if (mode == nfs::CreateMode::kExclusive) {
    return file.create_verifier == verifier ? Status::kOk : Status::kExist;
  }
  if (file.attributes.type != nfs::FileType::kRegular) {
    return is_directory(file.attributes) ? Status::kIsdir : Status::kExist;
  }
  if (attributes.size) {
    nfs::SetAttributes only_size;
    only_size.size = attributes.size;
    if (Status status = check_change(who, file, only_size); status != Status::kOk) {
      return status;
    }
    apply(who, file, only_size);
  }
  return Status::kOk;
}

// RFC 1813 section 3.3.8.
nfs::CreateReply FakeFileSystem::create(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                                        nfs::CreateMode mode, const nfs::SetAttributes& attributes,
                                        nfs::Verifier verifier) {
  Status ignored = Status::kOk;
  Inode* parent = find_directory(directory, ignored);
  Inode* existing = parent != nullptr && name != "." && name != ".." ? child(*parent, name) : nullptr;
  if (existing != nullptr && permits(squashed(who), *parent, 1)) {
    nfs::CreateReply reply;
    nfs::Version before = nfs::version_of(parent->attributes);
    reply.status =
        rules.read_only ? Status::kRofs : create_existing(squashed(who), *existing, mode, attributes, verifier);
    if (reply.status == Status::kOk) {
      fill_created(reply, *existing);
    }
    reply.directory = wcc(before, *parent);
    return reply;
  }
  bool exclusive = mode == nfs::CreateMode::kExclusive;
  Builder build = [&](Inode& inode) {
    if (exclusive) {
      inode.create_verifier = verifier;
    }
  };
  nfs::SetAttributes initial = exclusive ? nfs::SetAttributes{} : attributes;
  return make(who, directory, name, nfs::FileType::kRegular, initial, build);
}

// RFC 1813 section 3.3.9.
nfs::CreateReply FakeFileSystem::mkdir(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                                       const nfs::SetAttributes& attributes) {
  return make(who, directory, name, nfs::FileType::kDirectory, attributes, [](Inode&) {});
}

// RFC 1813 section 3.3.10.
nfs::CreateReply FakeFileSystem::symlink(nfs::Credentials who, const nfs::FileHandle& directory,
                                         const std::string& name, const std::string& target,
                                         const nfs::SetAttributes& attributes) {
  if (target.empty() || target.size() > kTargetBytesMax) {
    nfs::CreateReply reply;
    reply.status = target.empty() ? Status::kInval : Status::kNametoolong;
    return reply;
  }
  return make(who, directory, name, nfs::FileType::kSymlink, attributes, [&](Inode& inode) {
    inode.target = target;
    inode.attributes.size = target.size();
  });
}

// RFC 1813 section 3.3.11. Device nodes are the superuser's to make.
nfs::CreateReply FakeFileSystem::mknod(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                                       nfs::NodeKind kind, const nfs::SetAttributes& attributes) {
  bool device = kind.type == nfs::FileType::kBlock || kind.type == nfs::FileType::kCharacter;
  bool special = device || kind.type == nfs::FileType::kFifo || kind.type == nfs::FileType::kSocket;
  if (!special || (device && squashed(who).uid != 0)) {
    nfs::CreateReply reply;
    reply.status = special ? Status::kPerm : Status::kBadtype;
    return reply;
  }
  return make(who, directory, name, kind.type, attributes, [&](Inode& inode) {
    if (device) {
      inode.attributes.rdev = kind.device;
    }
  });
}

// RFC 1813 section 3.3.12.
nfs::RemoveReply FakeFileSystem::remove(nfs::Credentials who, const nfs::FileHandle& directory,
                                        const std::string& name) {
  who = squashed(who);
  nfs::RemoveReply reply;
  Inode* parent = find_directory(directory, reply.status);
  if (parent == nullptr) {
    return reply;
  }
  nfs::Version before = nfs::version_of(parent->attributes);
  reply.status = check_old_name(who, *parent, name);
  if (reply.status == Status::kOk) {
    Inode& victim = *child(*parent, name);
    if (is_directory(victim.attributes)) {
      reply.status = Status::kIsdir;
    } else {
      drop_name(*parent, name);
      drop_link(victim);
    }
  }
  reply.directory = wcc(before, *parent);
  return reply;
}

// RFC 1813 section 3.3.13.
nfs::RemoveReply FakeFileSystem::rmdir(nfs::Credentials who, const nfs::FileHandle& directory,
                                       const std::string& name) {
  who = squashed(who);
  nfs::RemoveReply reply;
  Inode* parent = find_directory(directory, reply.status);
  if (parent == nullptr) {
    return reply;
  }
  nfs::Version before = nfs::version_of(parent->attributes);
  reply.status = check_old_name(who, *parent, name);
  if (reply.status == Status::kOk) {
    Inode& victim = *child(*parent, name);
    if (!is_directory(victim.attributes)) {
      reply.status = Status::kNotdir;
    } else if (!victim.entries.empty()) {
      reply.status = Status::kNotempty;
    } else {
      drop_name(*parent, name);
      drop_link(victim);
    }
  }
  reply.directory = wcc(before, *parent);
  return reply;
}

bool FakeFileSystem::is_below(const Inode& directory, Key ancestor) {
  Key key = directory.key;
  while (key != ancestor) {
    Key parent = at(key).parent;
    if (parent == key) {
      return false;
    }
    key = parent;
  }
  return true;
}

Status FakeFileSystem::check_rename(const nfs::Credentials& who, Inode& from, Inode& moved, Inode& to,
                                    Inode* replaced) {
  bool directory = is_directory(moved.attributes);
  if (from.attributes.fsid != to.attributes.fsid || moved.attributes.fsid != from.attributes.fsid) {
    return Status::kXdev;
  }
  if (!permits(who, to, 3)) {
    return Status::kAcces;
  }
  if (directory && is_below(to, moved.key)) {
    return Status::kInval;
  }
  // A directory that changes its parent is written itself: its ".." changes.
  if (directory && &from != &to && !permits(who, moved, 2)) {
    return Status::kAcces;
  }
  if (replaced == nullptr) {
    return Status::kOk;
  }
  if (!may_unlink(who, to, *replaced)) {
    return Status::kPerm;
  }
  if (directory != is_directory(replaced->attributes)) {
    return directory ? Status::kNotdir : Status::kIsdir;
  }
  return replaced->entries.empty() ? Status::kOk : Status::kNotempty;
}

// RFC 1813 section 3.3.14.
nfs::RenameReply FakeFileSystem::rename(nfs::Credentials who, const nfs::FileHandle& from_directory,
                                        const std::string& from_name, const nfs::FileHandle& to_directory,
                                        const std::string& to_name) {
  who = squashed(who);
  nfs::RenameReply reply;
  Inode* from = find_directory(from_directory, reply.status);
  Inode* to = from == nullptr ? nullptr : find_directory(to_directory, reply.status);
  if (to == nullptr) {
    return reply;
  }
  nfs::Version from_before = nfs::version_of(from->attributes);
  nfs::Version to_before = nfs::version_of(to->attributes);
  reply.status = check_old_name(who, *from, from_name);
  if (reply.status == Status::kOk) {
    reply.status = to_name == "." || to_name == ".." ? Status::kInval : check_spelling(to_name);
  }
  if (reply.status == Status::kOk) {
    Inode& moved = *child(*from, from_name);
    Inode* replaced = child(*to, to_name);
    if (replaced != &moved) {  // two names of one file: nothing is done
      reply.status = check_rename(who, *from, moved, *to, replaced);
      if (reply.status == Status::kOk) {
        if (replaced != nullptr) {
          drop_name(*to, to_name);
          drop_link(*replaced);
        }
        drop_name(*from, from_name);
        add_name(*to, to_name, moved);
        moved.attributes.ctime = stamp();
      }
    }
  }
  reply.from_directory = wcc(from_before, *from);
  reply.to_directory = wcc(to_before, *to);
  return reply;
}

// RFC 1813 section 3.3.15.
nfs::LinkReply FakeFileSystem::link(nfs::Credentials who, const nfs::FileHandle& file, const nfs::FileHandle& directory,
                                    const std::string& name) {
  who = squashed(who);
  nfs::LinkReply reply;
  Inode* inode = find(file, reply.status);
  Inode* parent = inode == nullptr ? nullptr : find_directory(directory, reply.status);
  if (parent == nullptr) {
    return reply;
  }
  nfs::Version before = nfs::version_of(parent->attributes);
  reply.status = check_new_name(who, *parent, name);
  if (reply.status == Status::kOk && is_directory(inode->attributes)) {
    reply.status = Status::kPerm;
  } else if (reply.status == Status::kOk && inode->attributes.fsid != parent->attributes.fsid) {
    reply.status = Status::kXdev;
  }
  if (reply.status == Status::kOk) {
    ++inode->attributes.nlink;
    add_name(*parent, name, *inode);
    inode->attributes.ctime = stamp();
  }
  reply.attributes = post_op(*inode);
  reply.directory = wcc(before, *parent);
  return reply;
}

}  // namespace support
