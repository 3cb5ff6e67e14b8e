// The fake's procedures that look names up: LOOKUP, READDIR, READDIRPLUS.
#include <cstring>

#include "tests/support/fake_file_system.h"

namespace support {

using nfs::Status;

namespace {

// What entries and replies measure in XDR, which is what bytes_max bounds.
constexpr std::size_t kReplyBytes = 128;
constexpr std::size_t kEntryBytes = 24;
constexpr std::size_t kPlusBytes = 96;

std::size_t padded(std::size_t bytes) {
  return (bytes + 3) / 4 * 4;
}

std::size_t encoded_bytes(const nfs::DirectoryEntry& entry, bool plus) {
  std::size_t bytes = kEntryBytes + padded(entry.name.size());
  return plus ? bytes + kPlusBytes + padded(entry.object.bytes().size()) : bytes;
}

}  // namespace

// RFC 1813 section 3.3.3.
nfs::LookupReply FakeFileSystem::lookup(nfs::Credentials who, const nfs::FileHandle& directory,
                                        const std::string& name) {
  who = squashed(who);
  nfs::LookupReply reply;
  Inode* parent = find_directory(directory, reply.status);
  if (parent == nullptr) {
    return reply;
  }
  reply.directory_attributes = post_op(*parent);
  if (name.size() > nfs::kNameBytesMax) {
    reply.status = Status::kNametoolong;
  } else if (name.empty() || name.find('/') != std::string::npos) {
    reply.status = Status::kInval;
  } else if (!permits(who, *parent, 1)) {
    reply.status = Status::kAcces;
  } else if (Inode* inode = child(*parent, name)) {
    reply.object = handle_for(*inode);
    reply.attributes = post_op(*inode);
  } else {
    reply.status = Status::kNoent;
  }
  return reply;
}

nfs::Verifier FakeFileSystem::cookie_verifier(const Inode& directory) const {
  nfs::Verifier verifier{};
  if (rules.strict_cookies) {
    std::memcpy(verifier.data(), &directory.attributes.mtime, verifier.size());
  }
  return verifier;
}

nfs::DirectoryEntry FakeFileSystem::listed(Inode& directory, nfs::Cookie cookie, const Name& name, bool plus) {
  nfs::DirectoryEntry entry;
  const Inode& inode = *child(directory, name.name);
  entry.fileid = inode.attributes.fileid;
  entry.name = name.name;
  entry.cookie = cookie;
  if (plus && rules.readdirplus_handles) {
    entry.object = handle_for(inode);
  }
  if (plus && rules.readdirplus_attributes) {
    entry.attributes = inode.attributes;
  }
  return entry;
}

// RFC 1813 sections 3.3.16 and 3.3.17. A name keeps its cookie while others come and go, and a cookie whose name has
// gone still says where to go on.
nfs::ReaddirReply FakeFileSystem::readdir(nfs::Credentials who, const nfs::FileHandle& directory, nfs::Cookie cookie,
                                          nfs::Verifier verifier, std::uint32_t bytes_max, bool plus) {
  who = squashed(who);
  nfs::ReaddirReply reply;
  Inode* inode = find_directory(directory, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  reply.directory_attributes = post_op(*inode);
  if (!permits(who, *inode, 4)) {
    reply.status = Status::kAcces;
    return reply;
  }
  reply.verifier = cookie_verifier(*inode);
  if (cookie != 0 && verifier != reply.verifier) {
    reply.status = Status::kBadCookie;
    return reply;
  }
  std::size_t bytes = kReplyBytes;
  auto place = inode->entries.upper_bound(cookie);
  for (; place != inode->entries.end(); ++place) {
    nfs::DirectoryEntry entry = listed(*inode, place->first, place->second, plus);
    bytes += encoded_bytes(entry, plus);
    if (bytes > bytes_max) {
      break;
    }
    reply.entries.push_back(std::move(entry));
  }
  reply.eof = place == inode->entries.end();
  if (reply.entries.empty() && !reply.eof) {
    reply.status = Status::kToosmall;
  }
  return reply;
}

}  // namespace support
