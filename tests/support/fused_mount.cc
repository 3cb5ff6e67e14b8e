#include "tests/support/fused_mount.h"

#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace support {

MountTarget MountTarget::of(const GaneshaServer& server, std::uint16_t nfs_port) {
  return {nfs_port == 0 ? server.nfs_port() : nfs_port, server.mount_port(), server.directory().string()};
}

std::string MountTarget::options(const std::string& more) const {
  std::string options = "port=" + std::to_string(nfs_port) + ",mountport=" + std::to_string(mount_port);
  return more.empty() ? options : options + "," + more;
}

std::string fused_program() {
  return FUSED_PROGRAM;
}

CommandResult run_fused(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) {
  std::vector<std::string> command = {fused_program()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, limit);
}

bool is_mounted(const std::filesystem::path& directory) {
  // Not by stat(): that would ask a server that may be gone.
  std::ifstream table("/proc/self/mountinfo");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string id;
    std::string parent;
    std::string device;
    std::string root;
    std::string mountpoint;
    fields >> id >> parent >> device >> root >> mountpoint;
    if (mountpoint == directory.string()) {
      return true;
    }
  }
  return false;
}

std::string FusedMount::why_not() {
  if (access("/dev/fuse", R_OK | W_OK) != 0) {
    return "/dev/fuse is not there or not ours to open";
  }
  return geteuid() == 0 ? "" : "mounting needs root";
}

FusedMount::FusedMount(const MountTarget& target, const std::string& options) : mountpoint_(place_.path() / "mnt") {
  std::filesystem::create_directory(mountpoint_);
  CommandResult result = run_fused({"mount", "-o", target.options(options), target.source(), mountpoint_.string()});
  if (result.exit_status != 0) {
    throw std::runtime_error("fused mount failed (" + std::to_string(result.exit_status) + "): " + result.error);
  }
  daemon_ = status().at("pid").get<pid_t>();
}

FusedMount::~FusedMount() {
  if (is_mounted(mountpoint_)) {
    umount2(mountpoint_.c_str(), MNT_DETACH);
  }
  if (daemon_ > 0 && !wait_for_daemon_end(std::chrono::seconds(10))) {
    std::cerr << "the daemon of " << mountpoint_ << " does not end, killing it\n";
    kill(daemon_, SIGKILL);
  }
}

nlohmann::json FusedMount::stats() const {
  CommandResult result = run_fused({"stats", "--json", mountpoint_.string()});
  if (result.exit_status != 0) {
    throw std::runtime_error("fused stats failed: " + result.error);
  }
  return nlohmann::json::parse(result.output);
}

nlohmann::json FusedMount::status() const {
  CommandResult result = run_fused({"status", "--json", mountpoint_.string()});
  if (result.output.empty()) {
    throw std::runtime_error("fused status failed: " + result.error);
  }
  return nlohmann::json::parse(result.output);
}

std::uint64_t FusedMount::calls(const std::string& procedure) const {
  return stats().at("rpc").at(procedure).at("calls").get<std::uint64_t>();
}

CommandResult FusedMount::unmount() {
  CommandResult result = run_fused({"umount", mountpoint_.string()});
  wait_for_daemon_end(std::chrono::seconds(10));
  return result;
}

void FusedMount::kill_daemon() {
  kill(daemon_, SIGKILL);
  wait_for_daemon_end(std::chrono::seconds(10));
}

bool FusedMount::wait_for_daemon_end(std::chrono::milliseconds limit) const {
  return eventually([this] { return !is_running(daemon_); }, limit);
}

}  // namespace support
