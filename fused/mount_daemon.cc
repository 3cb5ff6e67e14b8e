#include "fused/mount_daemon.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <future>
#include <thread>
#include <utility>

#include "cache/caching_file_system.h"
#include "fused/kernel_mount.h"
#include "fused/logging.h"
#include "fused/mount_table.h"
#include "fused/state_files.h"

namespace fused {

namespace {

constexpr std::chrono::seconds kConnectMax{15};
constexpr std::chrono::seconds kReadyMax{10};
// After a signal something else (systemd, a kubelet) waits for the end with a limit of its own.
constexpr std::chrono::seconds kDrainAfterSignal{20};
constexpr std::chrono::seconds kDrainAfterUnmount{300};
constexpr unsigned kReaderThreadsMax = 2;

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

nfs::Task<void> report_drained(cache::FileSystem& file_system, std::shared_ptr<std::promise<nfs::Status>> drained) {
  auto draining = file_system.drain();
  nfs::Status status = co_await draining;
  drained->set_value(status);
}

SessionOptions session_options(const MountOptions& options, const std::string& mountpoint) {
  SessionOptions session;
  session.mount.source = options.source;
  session.mount.mountpoint = mountpoint;
  session.mount.read_only = options.cache.read_only;
  session.mount.nosuid = options.nosuid;
  session.mount.nodev = options.nodev;
  session.mount.noexec = options.noexec;
  session.mount.noatime = options.noatime;
  session.mount.allow_other = options.allow_other;
  session.mount.default_permissions = options.default_permissions;
  session.readdirplus = options.cache.readdirplus;
  session.reader_threads = std::clamp(std::thread::hardware_concurrency(), 1U, kReaderThreadsMax);
  return session;
}

}  // namespace

void block_signals() {
  sigset_t signals = ending_signals();
  // A log is reopened by nobody, and a terminal that goes away means nothing to a daemon.
  sigaddset(&signals, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool wait_for_signal(std::chrono::milliseconds timeout) {
  sigset_t signals = ending_signals();
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  timespec limit{};
  limit.tv_sec = seconds.count();
  limit.tv_nsec = std::chrono::nanoseconds(timeout - seconds).count();
  return ::sigtimedwait(&signals, nullptr, &limit) > 0;
}

void end_process(int exit_code) {
  flush_log();
  std::_Exit(exit_code);
}

MountDaemon::MountDaemon(MountOptions options, std::string mountpoint)
    : options_(std::move(options)),
      mountpoint_(std::move(mountpoint)),
      end_event_(::eventfd(0, EFD_CLOEXEC)),
      callers_(clock_),
      interrupts_(clock_, thread_is_ending) {}

MountDaemon::~MountDaemon() = default;

std::expected<void, nfs::ConnectError> MountDaemon::connect() {
  auto connected = nfs::connect(options_.connect, clock_, kConnectMax);
  if (!connected) {
    return std::unexpected(connected.error());
  }
  connected_ = std::move(*connected);
  options_.connect.read_bytes_max = options_.cache.read_bytes_max = connected_.limits.read_bytes_max;
  options_.connect.write_bytes_max = options_.cache.write_bytes_max = connected_.limits.write_bytes_max;
  return {};
}

std::expected<void, std::string> MountDaemon::reserve() {
  if (!options_.cache_directory.empty()) {
    std::expected<UniqueDescriptor, std::string> lock = lock_cache_directory(options_.cache_directory);
    if (!lock) {
      return std::unexpected(lock.error());
    }
    cache_lock_ = std::move(*lock);
  } else if (auto made = make_private_directory(state_directory()); !made) {
    spdlog::warn("{}: silly-renamed files that a crash leaves on the server stay there", made.error());
  }
  options_.cache.silly_journal_path = silly_journal_path(options_.cache_directory, options_.source, mountpoint_);
  if (options_.metrics_address) {
    metrics_ = std::make_unique<MetricsServer>();
    return metrics_->bind(*options_.metrics_address);
  }
  return {};
}

void MountDaemon::build_parts() {
  SessionOptions options = session_options(options_, mountpoint_);
  session_ = std::make_unique<FuseSession>(std::move(options), counters_);
  session_->on_end([this] {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(end_event_.get(), &one, sizeof(one));
  });
  notifications_ = std::make_unique<KernelNotifications>(*session_);
  cache::Parts parts{*connected_.client, clock_, *notifications_};
  file_system_ = cache::make_caching_file_system(parts, connected_.root, options_.cache);
  OperationContext context{*file_system_, callers_, interrupts_, counters_, options_.cache.write_bytes_max};
  context_ = std::make_unique<OperationContext>(context);
  ReportSources sources{*connected_.client, *file_system_, counters_, options_, clock_, mountpoint_, clock_.now()};
  reports_ = std::make_unique<ReportSources>(std::move(sources));
  control_ = std::make_unique<ControlServer>(*reports_, [this](std::chrono::seconds limit) { return drain(limit); });
}

std::expected<void, std::string> MountDaemon::mount() {
  build_parts();
  if (auto mounted = session_->mount(); !mounted) {
    return mounted;
  }
  session_->start(*context_);
  // Asked for now, so that df(1) has an answer also when the server goes away later.
  cache::Caller mounter;
  mounter.credentials = options_.connect.mount_credentials;
  file_system_->statfs(mounter).detach();
  auto served = serve();
  if (!served) {
    shut_down(std::chrono::seconds(0));
    return served;
  }
  spdlog::info("{} mounted on {}", options_.source, mountpoint_);
  return {};
}

std::expected<void, std::string> MountDaemon::serve() {
  if (!session_->wait_until_ready(kReadyMax)) {
    return std::unexpected("the kernel does not begin to talk over /dev/fuse");
  }
  std::optional<MountEntry> entry = find_mount(mountpoint_);
  if (!entry || entry->type != kMountType) {
    return std::unexpected("the mount of " + mountpoint_ + " does not show in /proc/self/mountinfo");
  }
  session_->raise_readahead(entry->device_major, entry->device_minor);
  if (auto started = control_->start(control_socket_path(entry->device_minor)); !started) {
    return started;
  }
  if (metrics_) {
    metrics_->start(*reports_);
  }
  return {};
}

void MountDaemon::wait_for_end() {
  sigset_t signals = ending_signals();
  UniqueDescriptor signal_event(::signalfd(-1, &signals, SFD_CLOEXEC));
  pollfd events[] = {{signal_event.get(), POLLIN, 0}, {end_event_.get(), POLLIN, 0}};
  while (::poll(events, 2, -1) < 0 && errno == EINTR) {
  }
}

bool MountDaemon::run() {
  wait_for_end();
  std::uint64_t ended = 0;
  pollfd event{end_event_.get(), POLLIN, 0};
  bool unmounted = ::poll(&event, 1, 0) > 0 && ::read(end_event_.get(), &ended, sizeof(ended)) > 0;
  if (unmounted) {
    spdlog::info("{} is unmounted", mountpoint_);
    return finish(kDrainAfterUnmount);
  }
  spdlog::info("asked to end: unmounting {}", mountpoint_);
  // Takes the signal that came; another one ends the process at once, for who does not want to wait.
  wait_for_signal(std::chrono::milliseconds(0));
  sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return shut_down(kDrainAfterSignal);
}

bool MountDaemon::shut_down(std::chrono::seconds drain_limit) {
  unmount(mountpoint_, /*lazy=*/true);
  return finish(drain_limit);
}

bool MountDaemon::finish(std::chrono::seconds drain_limit) {
  std::string problem = drain(drain_limit);
  if (!problem.empty()) {
    spdlog::error("{}: {}", mountpoint_, problem);
  }
  control_.reset();
  session_->stop();
  return problem.empty();
}

std::string MountDaemon::drain(std::chrono::seconds limit) {
  auto promise = std::make_shared<std::promise<nfs::Status>>();
  std::future<nfs::Status> drained = promise->get_future();
  report_drained(*file_system_, promise).detach();
  if (drained.wait_for(limit) != std::future_status::ready) {
    return "the NFS server does not take what is not written yet";
  }
  nfs::Status status = drained.get();
  return status == nfs::Status::kOk ? "" : "writing out failed: " + std::string(nfs::status_name(status));
}

}  // namespace fused
