// KernelMount: a FUSE mount in the kernel's mount table and the /dev/fuse descriptor that serves it.
//
// As root the program opens /dev/fuse and calls mount(2) itself, which also works over the dead mount of a daemon that
// was killed (anything that looks at the mountpoint first would fail there). Other users go through fusermount3.
// Thread-safety: functions without state. They may block on the mountpoint's file system, never on the new mount.
// Errors: one line for the user.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <expected>
#include <string>

#include "fused/unique_descriptor.h"

namespace fused {

struct KernelMountOptions {
  std::string source;      // as the mount table shows it
  std::string mountpoint;  // absolute
  bool read_only = false;
  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;
  bool noatime = false;
  bool allow_other = false;
  bool default_permissions = false;
  std::uint32_t read_bytes_max = 1 << 20;
};

// REQUIRES: the effective user is root.
std::expected<UniqueDescriptor, std::string> mount_as_root(const KernelMountOptions& options);
// The option string for libfuse and fusermount3.
std::string fusermount_options(const KernelMountOptions& options);

// Takes the mount out of the tree; files that are open on it stay usable when `lazy`. Returns 0 or an errno.
int unmount(const std::string& mountpoint, bool lazy);

}  // namespace fused
