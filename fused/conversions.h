// Between FUSE's structures and the cache's vocabulary. Values only; never blocks, no errors of its own.
#pragma once

#include <fuse_lowlevel.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include "cache/file_system.h"

namespace fused {

double to_seconds(std::chrono::nanoseconds duration);
// The S_IFMT bits of a type.
mode_t to_mode(nfs::FileType type);
// `block_bytes`: the transfer size that programs should prefer (st_blksize).
struct stat to_stat(const cache::NodeAttributes& attributes, std::uint32_t block_bytes);
fuse_entry_param to_entry_param(const cache::Entry& entry, std::uint32_t block_bytes);
struct statvfs to_statvfs(const nfs::FsstatReply& reply);

// Times outside NFSv3's 32 bits of seconds are clamped to them, as the kernel does with a file system's limits.
nfs::Time to_time(const timespec& time);
// `to_set`: FUSE_SET_ATTR_* bits. The change time is the server's business and left out.
nfs::SetAttributes to_set_attributes(const struct stat& attributes, int to_set);
bool changes_anything(const nfs::SetAttributes& changes);

// `flags`: open(2)'s, with the kernel's mark for execve(2).
cache::OpenFlags to_open_flags(int flags);
// What mknod(2)'s mode and device name; nullopt for regular files and unknown types.
std::optional<nfs::NodeKind> to_node_kind(mode_t mode, dev_t device);

}  // namespace fused
