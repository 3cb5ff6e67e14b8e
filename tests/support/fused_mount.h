// FusedMount: an export mounted with the real program, as a user mounts it, for the time of a test.
//
// Ownership: the mountpoint is a temporary directory of the mount's. The destructor unmounts in any case, and kills the
// daemon where that is what it takes.
// Errors: the constructor throws std::runtime_error with the program's own words.
// Thread-safety: a value of one thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/ganesha_server.h"
#include "tests/support/subprocess.h"
#include "tests/support/temporary_directory.h"

namespace support {

// Where a mount goes: ports and export, as the test's server or a proxy before it has them.
struct MountTarget {
  std::uint16_t nfs_port = 0;
  std::uint16_t mount_port = 0;
  std::string export_path;

  static MountTarget of(const GaneshaServer& server, std::uint16_t nfs_port = 0);
  std::string source() const { return "127.0.0.1:" + export_path; }
  std::string options(const std::string& more) const;
};

// The program that this build made.
std::string fused_program();
// Runs it with these arguments.
CommandResult run_fused(const std::vector<std::string>& arguments,
                        std::chrono::milliseconds limit = std::chrono::seconds(60));
// Whether something is mounted on exactly this directory.
bool is_mounted(const std::filesystem::path& directory);

class FusedMount {
 public:
  // Why nothing can be mounted here; empty when it can.
  static std::string why_not();

  explicit FusedMount(const MountTarget& target, const std::string& options = "");
  ~FusedMount();
  FusedMount(const FusedMount&) = delete;
  FusedMount& operator=(const FusedMount&) = delete;

  const std::filesystem::path& path() const { return mountpoint_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return mountpoint_ / name; }
  pid_t daemon_pid() const { return daemon_; }

  nlohmann::json stats() const;
  nlohmann::json status() const;
  // RPCs of this procedure ("GETATTR") that the daemon began so far.
  std::uint64_t calls(const std::string& procedure) const;

  // fused umount, then waits for the daemon's end.
  CommandResult unmount();
  void kill_daemon();  // SIGKILL
  bool wait_for_daemon_end(std::chrono::milliseconds limit) const;

 private:
  TemporaryDirectory place_;
  std::filesystem::path mountpoint_;
  pid_t daemon_ = -1;
};

}  // namespace support
