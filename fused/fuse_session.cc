#include "fused/fuse_session.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "fused/operations.h"

namespace fused {

namespace {

constexpr unsigned kBackgroundMax = 10'000;
constexpr unsigned kReadaheadKibibytes = 1024;
// Interrupts a reader's read(2); its handler does nothing.
constexpr int kWakeSignal = SIGUSR1;

void ignore_wake_signal(int) {}

// Without SA_RESTART, so that read(2) comes back.
void install_wake_handler() {
  struct sigaction action {};
  action.sa_handler = ignore_wake_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(kWakeSignal, &action, nullptr);
}

}  // namespace

FuseSession::FuseSession(SessionOptions options, FuseCounters& counters)
    : options_(std::move(options)), counters_(counters), operations_(make_operations(options_.readdirplus)) {
  operations_.init = handle_init;
}

FuseSession::~FuseSession() {
  stop();
}

OperationContext& FuseSession::context_of(fuse_req_t request) {
  return *static_cast<FuseSession*>(fuse_req_userdata(request))->context_;
}

std::expected<void, std::string> FuseSession::mount() {
  // libfuse parses the mount options itself when it mounts; it refuses those of mount(2) otherwise.
  mounted_by_libfuse_ = ::geteuid() != 0;
  std::string name = "fused";
  std::string dash_o = "-o";
  std::string mount_options = fusermount_options(options_.mount);
  std::array<char*, 4> argv{name.data(), dash_o.data(), mount_options.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(mounted_by_libfuse_ ? 3 : 1, argv.data());
  session_.reset(fuse_session_new(&args, &operations_, sizeof(operations_), this));
  fuse_opt_free_args(&args);  // libfuse parses into a copy
  if (!session_) {
    return std::unexpected("libfuse refuses the options " + mount_options);
  }
  if (auto opened = open_device(); !opened) {
    return opened;
  }
  fuse_custom_io io{};
  io.read = handle_read;
  io.writev = handle_writev;
  if (fuse_session_custom_io(session_.get(), &io, descriptor_) != 0) {
    return std::unexpected("libfuse refuses the /dev/fuse descriptor");
  }
  return {};
}

std::expected<void, std::string> FuseSession::open_device() {
  if (mounted_by_libfuse_) {
    if (fuse_session_mount(session_.get(), options_.mount.mountpoint.c_str()) != 0) {
      return std::unexpected("fusermount3 cannot mount on " + options_.mount.mountpoint);
    }
    descriptor_ = fuse_session_fd(session_.get());
    return {};
  }
  std::expected<UniqueDescriptor, std::string> device = mount_as_root(options_.mount);
  if (!device) {
    return std::unexpected(device.error());
  }
  descriptor_ = device->release();
  return {};
}

void FuseSession::start(OperationContext& context) {
  context_ = &context;
  install_wake_handler();
  readers_running_ = options_.reader_threads;
  for (unsigned i = 0; i < options_.reader_threads; ++i) {
    readers_.emplace_back([this] { read_requests(); });
  }
}

bool FuseSession::wait_until_ready(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return ready_changed_.wait_for(lock, timeout, [this] { return ready_; });
}

void FuseSession::raise_readahead(std::uint32_t device_major, std::uint32_t device_minor) const {
  std::ofstream file("/sys/class/bdi/" + std::to_string(device_major) + ":" + std::to_string(device_minor) +
                     "/read_ahead_kb");
  file << kReadaheadKibibytes << std::flush;
}

void FuseSession::stop() {
  if (!session_ || readers_.empty()) {
    return;
  }
  fuse_session_exit(session_.get());
  // A signal that comes between a reader's look at the exit mark and its read(2) is lost: repeat it until all are out.
  while (readers_running_.load() > 0) {
    for (std::thread& reader : readers_) {
      ::pthread_kill(reader.native_handle(), kWakeSignal);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  for (std::thread& reader : readers_) {
    reader.join();
  }
  readers_.clear();
}

void FuseSession::read_requests() {
  fuse_buf buffer{};
  while (fuse_session_exited(session_.get()) == 0) {
    int received = fuse_session_receive_buf(session_.get(), &buffer);
    if (received == -EINTR || received == -EAGAIN) {
      continue;
    }
    if (received <= 0) {
      break;
    }
    process(buffer);
  }
  std::free(buffer.mem);
  if (!end_told_.exchange(true) && on_end_) {
    on_end_();
  }
  readers_running_.fetch_sub(1);
}

void FuseSession::process(const fuse_buf& buffer) {
  fuse_in_header header{};
  std::memcpy(&header, buffer.mem, sizeof(header));
  counters_.count_call(header.opcode);
  if (!is_served(header.opcode)) {
    counters_.count_error(header.opcode);
  }
  if (header.opcode != FUSE_INIT) {
    fuse_session_process_buf(session_.get(), &buffer);
    return;
  }
  init_unique_.store(header.unique);
  fuse_session_process_buf(session_.get(), &buffer);
  init_unique_.store(0);
  {
    std::lock_guard lock(mutex_);
    ready_ = true;
  }
  ready_changed_.notify_all();
}

void FuseSession::handle_init(void* userdata, fuse_conn_info* connection) {
  const auto* session = static_cast<const FuseSession*>(userdata);
  constexpr unsigned kWanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_AUTO_INVAL_DATA |
                               FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS;
  // Without READDIRPLUS_AUTO the kernel keeps to READDIRPLUS through the whole listing.
  unsigned wanted = kWanted | (session->options_.readdirplus ? FUSE_CAP_READDIRPLUS : 0U);
  connection->want = wanted & connection->capable;
  connection->max_write = session->options_.write_bytes_max;
  connection->max_readahead = kReadaheadKibibytes * 1024;
  connection->max_background = kBackgroundMax;
  connection->congestion_threshold = kBackgroundMax;
  connection->time_gran = 1;
}

ssize_t FuseSession::handle_read(int descriptor, void* buffer, std::size_t bytes_max, void*) {
  return ::read(descriptor, buffer, bytes_max);
}

ssize_t FuseSession::handle_writev(int descriptor, iovec* parts, int count, void* userdata) {
  const auto* session = static_cast<const FuseSession*>(userdata);
  std::uint64_t init_unique = session->init_unique_.load(std::memory_order_relaxed);
  // libfuse forgets to tell the kernel that lookups in one directory may run side by side.
  if (init_unique != 0 && count >= 2 && parts[1].iov_len >= offsetof(fuse_init_out, flags) + sizeof(std::uint32_t)) {
    const auto* header = static_cast<const fuse_out_header*>(parts[0].iov_base);
    if (header->unique == init_unique && header->error == 0) {
      static_cast<fuse_init_out*>(parts[1].iov_base)->flags |= FUSE_PARALLEL_DIROPS;
    }
  }
  return ::writev(descriptor, parts, count);
}

}  // namespace fused
