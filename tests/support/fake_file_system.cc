// The heart of the fake: inodes, handles, permissions, attributes.
#include "tests/support/fake_file_system.h"

#include <algorithm>
#include <cstring>

namespace support {

namespace {

constexpr std::uint64_t kRootFsid = 0x100;
constexpr std::uint64_t kFirstFileid = 2;
constexpr std::uint32_t kNobody = 65534;
constexpr std::uint32_t kHandleMagic = 0x46414b45;

// What a handle of the fake consists of.
struct HandleParts {
  std::uint32_t magic = kHandleMagic;
  std::uint32_t generation = 0;
  std::uint64_t fsid = 0;
  std::uint64_t fileid = 0;
};

}  // namespace

FakeFileSystem::FakeFileSystem() {
  Key key{kRootFsid, kFirstFileid};
  auto inode = std::make_unique<Inode>();
  inode->key = key;
  inode->parent = key;
  inode->generation = next_generation_++;
  nfs::Time now = stamp();
  nfs::Attributes& attributes = inode->attributes;
  attributes.type = nfs::FileType::kDirectory;
  attributes.mode = 0755;
  attributes.nlink = 2;
  attributes.size = attributes.used = 4096;
  attributes.fsid = key.fsid;
  attributes.fileid = key.fileid;
  attributes.atime = attributes.mtime = attributes.ctime = now;
  inodes_[key] = std::move(inode);
  next_fileid_[kRootFsid] = kFirstFileid + 1;
}

nfs::FileHandle FakeFileSystem::root() const {
  return handle_for(*inodes_.at({kRootFsid, kFirstFileid}));
}

void FakeFileSystem::set_time(nfs::Time now) {
  now_ = std::chrono::seconds(now.seconds) + std::chrono::nanoseconds(now.nanoseconds);
}

void FakeFileSystem::advance(std::chrono::nanoseconds duration) {
  now_ += duration;
}

nfs::Time FakeFileSystem::stamp() {
  now_ += tick_;
  auto count = static_cast<std::uint64_t>(now_.count());
  return round_time(
      {static_cast<std::uint32_t>(count / 1'000'000'000), static_cast<std::uint32_t>(count % 1'000'000'000)});
}

nfs::Time FakeFileSystem::round_time(nfs::Time time) const {
  auto granularity = static_cast<std::uint64_t>(granularity_.count());
  std::uint64_t count = time.seconds * 1'000'000'000ULL + time.nanoseconds;
  count -= count % granularity;
  return {static_cast<std::uint32_t>(count / 1'000'000'000), static_cast<std::uint32_t>(count % 1'000'000'000)};
}

nfs::Credentials FakeFileSystem::squashed(nfs::Credentials who) const {
  if (rules.squash_root && who.uid == 0) {
    nfs::Credentials nobody;
    nobody.uid = nobody.gid = kNobody;
    return nobody;
  }
  return who;
}

FakeFileSystem::Inode* FakeFileSystem::find(const nfs::FileHandle& handle, nfs::Status& status) {
  HandleParts parts;
  status = nfs::Status::kBadhandle;
  if (handle.bytes().size() != sizeof(parts)) {
    return nullptr;
  }
  std::memcpy(&parts, handle.bytes().data(), sizeof(parts));
  if (parts.magic != kHandleMagic) {
    return nullptr;
  }
  auto place = inodes_.find({parts.fsid, parts.fileid});
  if (place == inodes_.end() || place->second->generation != parts.generation) {
    status = nfs::Status::kStale;
    return nullptr;
  }
  status = nfs::Status::kOk;
  return place->second.get();
}

FakeFileSystem::Inode* FakeFileSystem::find_directory(const nfs::FileHandle& handle, nfs::Status& status) {
  Inode* inode = find(handle, status);
  if (inode != nullptr && inode->attributes.type != nfs::FileType::kDirectory) {
    status = nfs::Status::kNotdir;
    return nullptr;
  }
  return inode;
}

FakeFileSystem::Inode& FakeFileSystem::at(Key key) {
  return *inodes_.at(key);
}

FakeFileSystem::Inode* FakeFileSystem::child(Inode& directory, std::string_view name) {
  if (name == ".") {
    return &directory;
  }
  if (name == "..") {
    return &at(directory.parent);
  }
  auto place = directory.cookies.find(name);
  return place == directory.cookies.end() ? nullptr : &at(directory.entries.at(place->second).target);
}

nfs::FileHandle FakeFileSystem::handle_for(const Inode& inode) const {
  HandleParts parts;
  parts.generation = inode.generation;
  parts.fsid = inode.key.fsid;
  parts.fileid = inode.key.fileid;
  return nfs::FileHandle(std::as_bytes(std::span(&parts, 1)));
}

std::optional<nfs::Attributes> FakeFileSystem::post_op(const Inode& inode) const {
  return rules.wcc_after ? std::optional(inode.attributes) : std::nullopt;
}

nfs::WccData FakeFileSystem::wcc(const nfs::Version& before, const Inode& inode) const {
  nfs::WccData data;
  if (rules.wcc_before) {
    data.before = before;
  }
  data.after = post_op(inode);
  return data;
}

bool FakeFileSystem::in_group(const nfs::Credentials& who, std::uint32_t gid) {
  auto groups = std::span(who.groups).first(who.group_count);
  return who.gid == gid || std::find(groups.begin(), groups.end(), gid) != groups.end();
}

bool FakeFileSystem::permits(const nfs::Credentials& who, const Inode& inode, unsigned wanted) {
  std::uint32_t mode = inode.attributes.mode;
  if (who.uid == 0) {
    bool executable = inode.attributes.type == nfs::FileType::kDirectory || (mode & 0111) != 0;
    return (wanted & 1) == 0 || executable;
  }
  unsigned shift = 0;
  if (who.uid == inode.attributes.uid) {
    shift = 6;
  } else if (in_group(who, inode.attributes.gid)) {
    shift = 3;
  }
  return ((mode >> shift) & wanted) == wanted;
}

// RFC 1813 section 3.3.1. No permission is asked for.
nfs::GetattrReply FakeFileSystem::getattr(const nfs::FileHandle& file) {
  nfs::GetattrReply reply;
  if (Inode* inode = find(file, reply.status)) {
    reply.attributes = inode->attributes;
  }
  return reply;
}

nfs::Status FakeFileSystem::check_change(const nfs::Credentials& who, const Inode& inode,
                                         const nfs::SetAttributes& changes) const {
  const nfs::Attributes& now = inode.attributes;
  bool owner = who.uid == 0 || who.uid == now.uid;
  bool gives_away = changes.uid && *changes.uid != now.uid && who.uid != 0;
  bool foreign_group = changes.gid && *changes.gid != now.gid && who.uid != 0 && !in_group(who, *changes.gid);
  if (gives_away || foreign_group || ((changes.mode || changes.uid || changes.gid) && !owner)) {
    return nfs::Status::kPerm;
  }
  for (const std::optional<nfs::SetTime>& time : {changes.atime, changes.mtime}) {
    if (time && !owner && !(time->server_now && permits(who, inode, 2))) {
      return time->server_now ? nfs::Status::kAcces : nfs::Status::kPerm;
    }
  }
  if (!changes.size) {
    return nfs::Status::kOk;
  }
  if (now.type != nfs::FileType::kRegular) {
    return now.type == nfs::FileType::kDirectory ? nfs::Status::kIsdir : nfs::Status::kInval;
  }
  if (*changes.size > rules.file_bytes_max) {
    return nfs::Status::kFbig;
  }
  // The owner may truncate a file that was open for writing before its mode forbade it (section 4.4).
  return owner || permits(who, inode, 2) ? nfs::Status::kOk : nfs::Status::kAcces;
}

void FakeFileSystem::apply(const nfs::Credentials& who, Inode& inode, const nfs::SetAttributes& changes) {
  nfs::Attributes& attributes = inode.attributes;
  nfs::Time now = stamp();
  if (changes.size) {
    inode.content.resize(*changes.size);
    if (inode.stable_content) {
      inode.stable_content->resize(*changes.size);
    }
    attributes.size = *changes.size;
    attributes.used = inode.content.used();
    attributes.mtime = now;
  }
  if ((changes.uid || changes.gid) && attributes.type == nfs::FileType::kRegular && who.uid != 0) {
    attributes.mode &= ~(kSetUid | kSetGid);
  }
  attributes.uid = changes.uid.value_or(attributes.uid);
  attributes.gid = changes.gid.value_or(attributes.gid);
  if (changes.mode) {
    attributes.mode = *changes.mode & 07777;
    if (who.uid != 0 && !in_group(who, attributes.gid) && attributes.type != nfs::FileType::kDirectory) {
      attributes.mode &= ~kSetGid;
    }
  }
  if (changes.atime) {
    attributes.atime = changes.atime->server_now ? now : round_time(changes.atime->time);
  }
  if (changes.mtime) {
    attributes.mtime = changes.mtime->server_now ? now : round_time(changes.mtime->time);
  }
  attributes.ctime = now;
}

// RFC 1813 section 3.3.2.
nfs::SetattrReply FakeFileSystem::setattr(nfs::Credentials who, const nfs::FileHandle& file,
                                          const nfs::SetAttributes& changes, std::optional<nfs::Time> guard_ctime) {
  who = squashed(who);
  nfs::SetattrReply reply;
  Inode* inode = find(file, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  nfs::Version before = nfs::version_of(inode->attributes);
  if (rules.read_only) {
    reply.status = nfs::Status::kRofs;
  } else if (guard_ctime && *guard_ctime != inode->attributes.ctime) {
    reply.status = nfs::Status::kNotSync;
  } else {
    reply.status = check_change(who, *inode, changes);
  }
  if (reply.status == nfs::Status::kOk) {
    inode->create_verifier.reset();  // the SETATTR that follows an exclusive CREATE ends its memory
    apply(who, *inode, changes);
  }
  reply.wcc = wcc(before, *inode);
  return reply;
}

// RFC 1813 section 3.3.4.
nfs::AccessReply FakeFileSystem::access(nfs::Credentials who, const nfs::FileHandle& file, std::uint32_t access) {
  who = squashed(who);
  nfs::AccessReply reply;
  Inode* inode = find(file, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  bool directory = inode->attributes.type == nfs::FileType::kDirectory;
  bool writes = permits(who, *inode, directory ? 3 : 2);
  std::uint32_t granted = 0;
  granted |= permits(who, *inode, 4) ? nfs::kAccessRead : 0;
  granted |= writes ? nfs::kAccessModify | nfs::kAccessExtend : 0;
  if (directory) {
    granted |= permits(who, *inode, 1) ? nfs::kAccessLookup : 0;
    granted |= writes ? nfs::kAccessDelete : 0;
  } else {
    granted |= permits(who, *inode, 1) ? nfs::kAccessExecute : 0;
  }
  if (rules.read_only) {
    granted &= ~(nfs::kAccessModify | nfs::kAccessExtend | nfs::kAccessDelete);
  }
  reply.access = granted & access;
  reply.attributes = post_op(*inode);
  return reply;
}

}  // namespace support
