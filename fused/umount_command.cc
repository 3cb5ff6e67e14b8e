// `fused umount`.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "fused/command_line.h"
#include "fused/commands.h"
#include "fused/control_client.h"
#include "fused/kernel_mount.h"
#include "fused/mount_table.h"
#include "fused/state_files.h"
#include "fused/unique_descriptor.h"

namespace fused {

namespace {

constexpr std::string_view kUmount = "umount";
constexpr std::chrono::seconds kDrainMax{60};
constexpr std::chrono::seconds kEndMax{30};

// A descriptor that becomes readable when the daemon ends; none when there is no daemon that answers.
UniqueDescriptor open_daemon(const std::string& socket_path) {
  ControlAnswer answer = control_get(socket_path, "/status");
  if (!answer) {
    return {};
  }
  nlohmann::json status = nlohmann::json::parse(*answer, nullptr, /*allow_exceptions=*/false);
  if (!status.is_object() || !status.contains("pid")) {
    return {};
  }
  return UniqueDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, status["pid"].get<pid_t>(), 0)));
}

bool wait_until_ended(const UniqueDescriptor& daemon, std::chrono::milliseconds timeout) {
  pollfd event{daemon.get(), POLLIN, 0};
  while (true) {
    int ready = ::poll(&event, 1, static_cast<int>(timeout.count()));
    if (ready >= 0 || errno != EINTR) {
      return ready > 0;
    }
  }
}

// The mount is gone from the tree and nothing new can be written: waits for what the daemon still has to do.
int finish(const std::string& mountpoint, const std::string& socket_path, const UniqueDescriptor& daemon) {
  if (!daemon) {
    // What a killed daemon left behind.
    ::unlink(socket_path.c_str());
    return kExitOk;
  }
  ControlAnswer drained =
      control_post(socket_path, "/drain?seconds=" + std::to_string(kDrainMax.count()), kDrainMax + kControlTimeout);
  if (!drained && drained.error().failure == ControlFailure::kRefused) {
    return fail(kUmount, mountpoint + ": " + drained.error().text, kExitFailure);
  }
  // No answer means that it has ended already, with nothing left to write out.
  if (!wait_until_ended(daemon, kEndMax)) {
    return fail(kUmount, mountpoint + ": unmounted, but its daemon is still writing out data", kExitFailure);
  }
  return kExitOk;
}

}  // namespace

int run_umount(const Words& words) {
  auto line = parse_command_line(words, {{"lazy,l"}, {}, 1, 1});
  if (!line) {
    return fail(kUmount, line.error() + " (see fused help umount)", kExitUsage);
  }
  std::string mountpoint = resolve_mountpoint(line->operands[0]);
  if (mountpoint.empty()) {
    return fail(kUmount, line->operands[0] + ": " + std::strerror(errno), kExitFailure);
  }
  std::optional<MountEntry> entry = find_mount(mountpoint);
  if (!entry || entry->type != kMountType) {
    return fail(kUmount, mountpoint + " is not a mountpoint of fused", kExitFailure);
  }
  bool lazy = line->has("lazy");
  std::string socket_path = control_socket_path(entry->device_minor);
  UniqueDescriptor daemon = open_daemon(socket_path);
  if (int error = unmount(mountpoint, lazy); error != 0) {
    bool busy = error == EBUSY;
    return fail(kUmount, mountpoint + (busy ? " is in use" : std::string(": ") + std::strerror(error)), kExitFailure);
  }
  // What is still open on a lazily unmounted tree keeps its daemon.
  return lazy && daemon ? kExitOk : finish(mountpoint, socket_path, daemon);
}

}  // namespace fused
