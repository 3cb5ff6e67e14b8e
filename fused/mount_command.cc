// `fused mount` and mount(8)'s helper.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <utility>

#include "fused/command_line.h"
#include "fused/commands.h"
#include "fused/control_client.h"
#include "fused/kernel_mount.h"
#include "fused/logging.h"
#include "fused/mount_daemon.h"
#include "fused/mount_options.h"
#include "fused/mount_table.h"
#include "fused/startup_report.h"
#include "fused/state_files.h"

namespace fused {

namespace {

constexpr std::string_view kMount = "mount";
constexpr int kAnswerSecondsMax = 30;

struct MountRequest {
  MountOptions options;
  std::string mountpoint;
  bool foreground = false;
};

// A mount of ours on the mountpoint: is somebody still serving it?
bool is_served(const MountEntry& present) {
  ControlAnswer answer = control_get(control_socket_path(present.device_minor), "/status");
  if (answer || answer.error().failure != ControlFailure::kNoDaemon) {
    return true;
  }
  // The attributes of a dead mount's root may still be in the kernel's cache; statfs(2) is not.
  struct statvfs statistics {};
  return ::statvfs(present.mountpoint.c_str(), &statistics) == 0 || (errno != ENOTCONN && errno != ECONNABORTED);
}

// Looks at the mountpoint without waiting for a mount that may hang there. Fails with the line for the user.
std::expected<std::string, std::string> check_mountpoint(const std::string& path) {
  std::string resolved = resolve_mountpoint(path);
  if (resolved.empty()) {
    return std::unexpected("mountpoint " + path + ": " + std::strerror(errno));
  }
  std::optional<MountEntry> present = find_mount(resolved);
  if (present && present->type == kMountType) {
    if (is_served(*present)) {
      return std::unexpected("mountpoint " + resolved + " is in use: " + present->source + " is mounted there");
    }
    // What a killed daemon leaves behind can be mounted over.
    return resolved;
  }
  struct stat attributes {};
  if (::stat(resolved.c_str(), &attributes) != 0) {
    return std::unexpected("mountpoint " + resolved + ": " + std::strerror(errno));
  }
  if (!S_ISDIR(attributes.st_mode)) {
    return std::unexpected("mountpoint " + resolved + " is not a directory");
  }
  return resolved;
}

// Relative names would mean something else once the daemon has left for the root directory.
void make_absolute(std::string& path) {
  if (!path.empty()) {
    path = std::filesystem::absolute(path).lexically_normal();
  }
}

nfs::Credentials own_credentials() {
  nfs::Credentials own;
  own.uid = ::geteuid();
  own.gid = ::getegid();
  std::array<gid_t, 65536> groups{};
  int count = std::max(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
  own.group_count = static_cast<std::uint32_t>(std::min<std::size_t>(count, nfs::Credentials::kGroupsMax));
  std::copy_n(groups.begin(), own.group_count, own.groups.begin());
  return own;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// False when the export was not reached, or a signal said to give up; the report has been made then.
bool connect_with_retries(MountDaemon& daemon, const MountOptions& options, StartupReport& report) {
  using std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kBackoffMin{1000}, kBackoffMax{30'000};
  steady_clock::time_point give_up_at = steady_clock::now() + options.retry();
  std::chrono::milliseconds backoff = kBackoffMin;
  while (true) {
    auto connected = daemon.connect();
    if (connected) {
      return true;
    }
    const nfs::ConnectError& error = connected.error();
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(give_up_at - steady_clock::now());
    if (!error.transient || left.count() <= 0) {
      report.failed(kExitFailure, error.message);
      return false;
    }
    if (options.background) {
      report.in_background(error.message);
    }
    if (wait_for_signal(std::min(backoff, left))) {
      report.failed(kExitFailure, "interrupted: " + error.message);
      return false;
    }
    backoff = std::min(backoff * 2, kBackoffMax);
  }
}

// The life of the process that serves the mount.
[[noreturn]] void serve(const MountRequest& request, StartupReport report) {
  block_signals();
  raise_descriptor_limit();
  LogOptions log{request.options.log_file, request.options.log_level, request.foreground};
  auto logging = set_up_logging(log);
  if (!logging) {
    report.failed(kExitFailure, logging.error());
    std::_Exit(kExitFailure);
  }
  // Not destroyed: end_process() tells why.
  MountDaemon& daemon = *std::make_unique<MountDaemon>(request.options, request.mountpoint).release();
  auto reserved = daemon.reserve();
  if (!reserved) {
    report.failed(kExitFailure, reserved.error());
    end_process(kExitFailure);
  }
  if (!connect_with_retries(daemon, request.options, report)) {
    end_process(kExitFailure);
  }
  auto mounted = daemon.mount();
  if (!mounted) {
    report.failed(kExitFailure, mounted.error());
    end_process(kExitFailure);
  }
  if (!report.ready()) {
    daemon.shut_down(std::chrono::seconds(0));
    end_process(kExitFailure);
  }
  end_process(daemon.run() ? kExitOk : kExitFailure);
}

void leave_terminal() {
  ::setsid();
  ::umask(077);
  if (::chdir("/") != 0) {
    return;
  }
  UniqueDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) {
    // Hardened systems let users only read it; what is written then goes nowhere, too.
    null = UniqueDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(null.get(), standard);
  }
}

// What the caller was promised: the mountpoint answers, and it is this mount.
int check_answer(const MountRequest& request, pid_t daemon) {
  PathProbe probe = probe_path(request.mountpoint, kAnswerSecondsMax);
  std::optional<MountEntry> entry = find_mount(request.mountpoint);
  bool is_ours = probe.error == 0 && entry && entry->device_major == probe.device_major &&
                 entry->device_minor == probe.device_minor && entry->type == kMountType;
  if (is_ours) {
    return kExitOk;
  }
  // With its descriptor closed, whoever waits for the mount is let go.
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  unmount(request.mountpoint, /*lazy=*/true);
  int error = probe.error != 0 ? probe.error : ENXIO;
  return fail(kMount, "mountpoint " + request.mountpoint + " does not answer: " + std::strerror(error), kExitFailure);
}

int mount_in_background(const MountRequest& request) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail(kMount, std::string("cannot make a pipe: ") + std::strerror(errno), kExitFailure);
  }
  UniqueDescriptor reading(ends[0]);
  UniqueDescriptor writing(ends[1]);
  std::cout.flush();
  pid_t daemon = ::fork();
  if (daemon < 0) {
    return fail(kMount, std::string("cannot fork: ") + std::strerror(errno), kExitFailure);
  }
  if (daemon == 0) {
    reading.reset();
    leave_terminal();
    serve(request, StartupReport(std::move(writing)));
  }
  writing.reset();
  StartupOutcome outcome = wait_for_report(reading);
  if (outcome.ready) {
    return check_answer(request, daemon);
  }
  if (outcome.exit_code == kExitOk) {
    return fail(kMount, outcome.reason + "; goes on trying in the background", kExitOk);
  }
  return fail(kMount, outcome.reason, outcome.exit_code);
}

int start_mount(const std::string& source, const std::string& mountpoint, const Words& option_strings, bool foreground,
                bool debug) {
  auto options = parse_mount_options(source, option_strings, ::geteuid() == 0);
  if (!options) {
    return fail(kMount, options.error(), kExitUsage);
  }
  auto checked = check_mountpoint(mountpoint);
  if (!checked) {
    return fail(kMount, checked.error(), kExitFailure);
  }
  MountRequest request{std::move(*options), *checked, foreground || debug};
  request.options.connect.mount_credentials = own_credentials();
  if (debug) {
    request.options.log_level = "debug";
  }
  make_absolute(request.options.cache_directory);
  make_absolute(request.options.log_file);
  if (request.foreground) {
    serve(request, StartupReport());
  }
  return mount_in_background(request);
}

Words values_of(const CommandLine& line, const std::string& option) {
  auto found = line.options.find(option);
  return found == line.options.end() ? Words() : found->second;
}

}  // namespace

int run_mount(const Words& words) {
  CommandForm form{{"foreground,f", "debug,d"}, {"options,o"}, 2, 2};
  auto line = parse_command_line(words, form);
  if (!line) {
    return fail(kMount, line.error() + " (see fused help mount)", kExitUsage);
  }
  return start_mount(line->operands[0], line->operands[1], values_of(*line, "options"), line->has("foreground"),
                     line->has("debug"));
}

int run_mount_helper(const Words& words) {
  CommandForm form{{"sloppy,s", "fake,f", "no-mtab,n", "verbose,v"}, {"options,o", "type,t", "namespace,N"}, 2, 2};
  auto line = parse_command_line(words, form);
  if (!line) {
    return fail(kMount, line.error() + " (see mount.fused(8))", kExitUsage);
  }
  if (line->has("fake")) {
    auto options = parse_mount_options(line->operands[0], values_of(*line, "options"), ::geteuid() == 0);
    return options ? kExitOk : fail(kMount, options.error(), kExitUsage);
  }
  return start_mount(line->operands[0], line->operands[1], values_of(*line, "options"), /*foreground=*/false,
                     /*debug=*/false);
}

}  // namespace fused
