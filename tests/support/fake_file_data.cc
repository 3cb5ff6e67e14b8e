// The fake's data procedures: READLINK, READ, WRITE, COMMIT, and what a reboot loses; FSSTAT, FSINFO, PATHCONF.
#include <algorithm>
#include <cstring>
#include <limits>

#include "tests/support/fake_file_system.h"

namespace support {

namespace {

nfs::Verifier verifier_of(std::uint64_t number) {
  nfs::Verifier verifier;
  std::memcpy(verifier.data(), &number, sizeof(number));
  return verifier;
}

}  // namespace

nfs::Status FakeFileSystem::file_for_data(Inode& file) const {
  if (file.attributes.type == nfs::FileType::kRegular) {
    return nfs::Status::kOk;
  }
  return file.attributes.type == nfs::FileType::kDirectory ? nfs::Status::kIsdir : nfs::Status::kInval;
}

// RFC 1813 section 3.3.5.
nfs::ReadlinkReply FakeFileSystem::readlink(const nfs::FileHandle& link) {
  nfs::ReadlinkReply reply;
  Inode* inode = find(link, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  reply.attributes = post_op(*inode);
  if (inode->attributes.type != nfs::FileType::kSymlink) {
    reply.status = nfs::Status::kInval;
  } else {
    reply.target = inode->target;
  }
  return reply;
}

// RFC 1813 section 3.3.6. Who may execute a file may read it, and its owner always may (section 4.4).
nfs::ReadReply FakeFileSystem::read(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset,
                                    std::uint32_t count) {
  who = squashed(who);
  nfs::ReadReply reply;
  Inode* inode = find(file, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  reply.attributes = post_op(*inode);
  reply.status = file_for_data(*inode);
  if (reply.status != nfs::Status::kOk) {
    return reply;
  }
  if (who.uid != inode->attributes.uid && !permits(who, *inode, 4) && !permits(who, *inode, 1)) {
    reply.status = nfs::Status::kAcces;
    return reply;
  }
  reply.data = inode->content.read(offset, std::min(count, rules.read_bytes_max));
  reply.eof = offset + reply.data.size() >= inode->content.size();
  return reply;
}

// RFC 1813 section 3.3.7.
nfs::WriteReply FakeFileSystem::write(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset,
                                      std::span<const std::byte> data, nfs::StableHow stable) {
  who = squashed(who);
  nfs::WriteReply reply;
  Inode* inode = find(file, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  nfs::Attributes& attributes = inode->attributes;
  nfs::Version before = nfs::version_of(attributes);
  data = data.first(std::min<std::size_t>(data.size(), rules.write_bytes_max));
  reply.status = file_for_data(*inode);
  if (reply.status == nfs::Status::kOk && rules.read_only) {
    reply.status = nfs::Status::kRofs;
  } else if (reply.status == nfs::Status::kOk && who.uid != attributes.uid && !permits(who, *inode, 2)) {
    reply.status = nfs::Status::kAcces;
  } else if (reply.status == nfs::Status::kOk && offset + data.size() > rules.file_bytes_max) {
    reply.status = nfs::Status::kFbig;
  } else if (reply.status == nfs::Status::kOk && offset + data.size() > rules.capacity_bytes) {
    reply.status = nfs::Status::kNospc;
  }
  if (reply.status == nfs::Status::kOk) {
    if (stable == nfs::StableHow::kUnstable && !inode->stable_content) {
      inode->stable_content = inode->content;
      inode->stable_version = before;
    } else if (stable != nfs::StableHow::kUnstable && inode->stable_content) {
      inode->stable_content->write(offset, data);
    }
    inode->content.write(offset, data);
    attributes.size = inode->content.size();
    attributes.used = inode->content.used();
    attributes.mtime = attributes.ctime = stamp();
    if (who.uid != 0) {
      attributes.mode &= ~(kSetUid | kSetGid);  // as local writes do to set-uid programs
    }
    reply.count = static_cast<std::uint32_t>(data.size());
    reply.committed = stable == nfs::StableHow::kUnstable ? stable : nfs::StableHow::kFileSync;
    reply.verifier = verifier_of(boot_);
  }
  reply.wcc = wcc(before, *inode);
  return reply;
}

// RFC 1813 section 3.3.21. A count of 0 reaches to the end of the file.
nfs::CommitReply FakeFileSystem::commit(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset,
                                        std::uint32_t count) {
  who = squashed(who);
  nfs::CommitReply reply;
  Inode* inode = find(file, reply.status);
  if (inode == nullptr) {
    return reply;
  }
  nfs::Version version = nfs::version_of(inode->attributes);
  reply.status = file_for_data(*inode);
  if (reply.status == nfs::Status::kOk && who.uid != inode->attributes.uid && !permits(who, *inode, 2)) {
    reply.status = nfs::Status::kAcces;
  }
  if (reply.status == nfs::Status::kOk) {
    std::uint64_t end = count == 0 ? std::numeric_limits<std::uint64_t>::max() : offset + count;
    if (offset == 0 && end >= inode->content.size()) {
      inode->stable_content.reset();
    } else if (inode->stable_content) {
      inode->stable_content->copy_range(inode->content, offset, end);
    }
    reply.verifier = verifier_of(boot_);
  }
  reply.wcc = wcc(version, *inode);
  return reply;
}

void FakeFileSystem::reboot() {
  ++boot_;
  for (auto& [key, inode] : inodes_) {
    if (inode->stable_content) {
      inode->content = std::move(*inode->stable_content);
      inode->stable_content.reset();
      inode->attributes.size = inode->content.size();
      inode->attributes.used = inode->content.used();
      inode->attributes.mtime = inode->stable_version.mtime;
      inode->attributes.ctime = inode->stable_version.ctime;
    }
  }
}

nfs::FsstatReply FakeFileSystem::fsstat(const nfs::FileHandle& root) {
  nfs::FsstatReply reply;
  if (find(root, reply.status) == nullptr) {
    return reply;
  }
  std::uint64_t used = 0;
  for (const auto& [key, inode] : inodes_) {
    used += inode->content.used();
  }
  constexpr std::uint64_t kFiles = 1'000'000;
  reply.total_bytes = rules.capacity_bytes;
  reply.free_bytes = reply.available_bytes = rules.capacity_bytes - std::min(used, rules.capacity_bytes);
  reply.total_files = kFiles;
  reply.free_files = reply.available_files = kFiles - std::min<std::uint64_t>(inodes_.size(), kFiles);
  return reply;
}

nfs::FsinfoReply FakeFileSystem::fsinfo(const nfs::FileHandle& root) {
  nfs::FsinfoReply reply;
  if (find(root, reply.status) == nullptr) {
    return reply;
  }
  reply.read_bytes_max = rules.read_bytes_max;
  reply.write_bytes_max = rules.write_bytes_max;
  reply.readdir_bytes_preferred = 64 << 10;
  reply.file_bytes_max = rules.file_bytes_max;
  reply.time_delta = {static_cast<std::uint32_t>(granularity_.count() / 1'000'000'000),
                      static_cast<std::uint32_t>(granularity_.count() % 1'000'000'000)};
  return reply;
}

nfs::PathconfReply FakeFileSystem::pathconf(const nfs::FileHandle& file) {
  nfs::PathconfReply reply;
  if (find(file, reply.status) != nullptr) {
    reply.link_max = 32'000;
    reply.name_bytes_max = nfs::kNameBytesMax;
  }
  return reply;
}

}  // namespace support
