// The kernel's mount table, /proc/self/mountinfo (proc(5)), and the questions the commands ask of it.
//
// Nothing here touches the mounts themselves, so it answers for dead and hanging ones too.
// Thread-safety: functions without state. They read /proc and do not block. A table that cannot be read is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fused {

inline constexpr std::string_view kMountType = "fuse.fused";

struct MountEntry {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::string mountpoint;
  std::string type;
  std::string source;
};

// In mounting order: of several mounts on one directory the last is the visible one.
std::vector<MountEntry> read_mount_table();
std::vector<MountEntry> parse_mount_table(std::string_view mountinfo);

// What is visible at this absolute path, if it is a mountpoint.
std::optional<MountEntry> find_mount(const std::string& mountpoint);
// The visible mounts of this program.
std::vector<MountEntry> find_fused_mounts();

// The absolute path of a mountpoint without links, also when a dead mount is there. Empty, with errno set, when the
// path leads nowhere.
std::string resolve_mountpoint(const std::string& path);

// The device number of what a path leads to, or an errno; ETIMEDOUT when nobody answered within `seconds_max` (then a
// thread stays behind until somebody does).
struct PathProbe {
  int error = 0;
  bool is_directory = false;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
};
PathProbe probe_path(const std::string& path, int seconds_max);

}  // namespace fused
