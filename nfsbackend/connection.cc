#include "nfsbackend/connection.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "nfsbackend/libnfs_context.h"
#include "nfsbackend/libnfs_headers.h"

namespace nfs {

namespace {

// Enough to fill a link of 10 Gbit/s and 5 ms with 128 KiB reads; more only lengthens the server's queues.
constexpr std::size_t kWindow = 64;
// libnfs copies what it sends: this bounds what a connection holds of WRITE data beside its owners' copy.
constexpr std::size_t kPayloadBytesMax = 8U << 20;
constexpr std::chrono::milliseconds kBackoffMin{50};
constexpr std::chrono::milliseconds kBackoffMax{1'000};
constexpr std::chrono::seconds kConnectTimeout{3};
constexpr std::chrono::seconds kRetransmitMax{600};
// A request in flight while this many connections broke on garbage is taken for the cause.
constexpr int kGarbledMax = 3;

int check_fd(int fd) {
  if (fd < 0) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  return fd;
}

Status rejection_status(std::string_view text) {
  if (text.starts_with("RPC Packet not accepted")) {
    return Status::kAcces;  // the server refuses the credentials, or their kind
  }
  if (text.find("not available") != std::string_view::npos || text.find("mismatch") != std::string_view::npos) {
    return Status::kNotsupp;
  }
  return text.starts_with("Server responded") ? Status::kIo : Status::kMalformed;
}

}  // namespace

Connection::Connection(ConnectionOwner& owner, ServerAddress& address, const Clock& clock, ReplyLog& log,
                       std::string machine_name, std::chrono::milliseconds timeout)
    : owner_(owner),
      address_(address),
      clock_(clock),
      log_(log),
      machine_name_(std::move(machine_name)),
      timeout_(timeout),
      tick_(std::clamp(timeout / 4, std::chrono::milliseconds(20), std::chrono::milliseconds(1'000))),
      wake_fd_(check_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))),
      next_attempt_(clock.now()),
      next_tick_(clock.now()) {}

Connection::~Connection() {
  close(wake_fd_);
}

void Connection::start() {
  thread_ = std::thread([this] { run(); });
}

void Connection::stop() {
  if (!thread_.joinable()) {
    return;
  }
  stopping_ = true;
  wake();
  thread_.join();
  fail("shut down", false);
}

void Connection::wake() const {
  std::uint64_t one = 1;
  // Can only fail when the counter is full, and then the thread is about to wake anyway.
  [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof(one));
}

void Connection::pump() {
  do {
    std::vector<Request*> refused;
    {
      std::unique_lock lock(context_mutex_, std::try_to_lock);
      if (!lock) {
        return;  // whoever holds it looks at the queue after letting it go
      }
      fill_window();
      refused.swap(answered_);
    }
    for (Request* request : refused) {
      owner_.complete(*request);
    }
  } while (accepting() && owner_.has_requests());
}

void Connection::fill_window() {
  if (!connected_ || broken_) {
    return;
  }
  bool sent = false;
  while (in_flight_.size() < kWindow && payload_bytes_ < kPayloadBytesMax) {
    Request* request = owner_.next_request();
    if (request == nullptr) {
      break;
    }
    transmit(*request);
    sent = true;
  }
  if (sent) {
    active_ = true;
    // A failure is the thread's to clean up: libnfs has dropped its calls by then, our table still has them.
    broken_ = rpc_service(context_, POLLOUT) != 0;
    rejected_.clear();
    bool unsent = !broken_ && (rpc_which_events(context_) & POLLOUT) != 0;
    if (broken_ || unsent || dozing_) {
      dozing_ = false;
      wake();
    }
  }
  update_accepting();
}

void Connection::transmit(Request& request) {
  request.sent_at = clock_.now();
  rpc_set_next_xid(context_, request.xid);
  if (!set_credentials(request.who()) || !request.encode(context_, &Connection::on_libnfs_reply)) {
    // The only parts without a fixed size are names, which are short, and a symbolic link's target.
    request.fail(Status::kNametoolong);
    answered_.push_back(&request);
    return;
  }
  ++request.transmissions;
  request.connection = this;
  request.table_index = in_flight_.size();
  in_flight_.push_back(&request);
  payload_bytes_ += request.payload_bytes();
  owner_.on_transmission(request);
}

bool Connection::set_credentials(const Credentials& who) {
  if (credentials_ == who) {
    return true;
  }
  std::array<std::uint32_t, Credentials::kGroupsMax> groups = who.groups;
  AUTH* auth = libnfs_authunix_create(machine_name_.c_str(), who.uid, who.gid, who.group_count, groups.data());
  if (auth == nullptr) {
    return false;
  }
  rpc_set_auth(context_, auth);  // owns it, and frees the one before
  credentials_ = who;
  return true;
}

void Connection::remove_from_table(Request& request) {
  in_flight_[request.table_index] = in_flight_.back();
  in_flight_[request.table_index]->table_index = request.table_index;
  in_flight_.pop_back();
  payload_bytes_ -= request.payload_bytes();
}

void Connection::update_accepting() {
  in_flight_count_.store(in_flight_.size(), std::memory_order_relaxed);
  accepting_ = connected_ && !broken_ && in_flight_.size() < kWindow && payload_bytes_ < kPayloadBytesMax;
}

// Runs inside rpc_service(), under context_mutex_.
void Connection::on_libnfs_reply(rpc_context*, int rpc_status, void* data, void* request_pointer) {
  auto& request = *static_cast<Request*>(request_pointer);
  Connection& self = *request.connection;
  if (rpc_status == RPC_STATUS_SUCCESS) {
    self.replied_ = true;
    request.decode(data, self.log_);
    self.remove_from_table(request);
    self.answered_.push_back(&request);
    return;
  }
  if (rpc_status == RPC_STATUS_ERROR) {
    // Either the server refused this call, or the connection fails and libnfs ends all of them like this. Which of the
    // two only rpc_service()'s result tells, so the request stays in the table until then.
    self.rejected_.push_back({&request, data == nullptr ? std::string() : static_cast<const char*>(data)});
  }
}

void Connection::on_libnfs_connected(rpc_context*, int rpc_status, void*, void* connection) {
  static_cast<Connection*>(connection)->connected_ = rpc_status == RPC_STATUS_SUCCESS;
}

void Connection::run() {
  while (!stopping_) {
    // Only this thread sets context_, so it may look without the lock.
    if (context_ == nullptr && clock_.now() >= next_attempt_) {
      open();
    }
    wait_and_service();
    if (!stopping_ && clock_.now() >= next_tick_) {
      tick();
    }
  }
}

void Connection::open() {
  connecting_to_ = address_.current();
  connect_deadline_ = clock_.now() + kConnectTimeout;
  rpc_context* context = new_libnfs_context(connecting_to_, address_.port(), &Connection::on_libnfs_connected, this);
  if (context == nullptr) {
    fail("cannot make a connection", false);
    return;
  }
  std::lock_guard lock(context_mutex_);
  context_ = context;
}

void Connection::wait_and_service() {
  std::array<pollfd, 2> fds{};
  fds[0] = {wake_fd_, POLLIN, 0};
  fds[1] = {-1, 0, 0};
  MonotonicTime until = next_tick_;
  {
    std::lock_guard lock(context_mutex_);
    if (context_ != nullptr) {
      fds[1] = {rpc_get_fd(context_), static_cast<short>(rpc_which_events(context_)), 0};
      dozing_ = connected_ && in_flight_.empty() && quiet_tick_;
    } else {
      until = std::min(until, next_attempt_);
    }
    if (dozing_) {
      until = MonotonicTime::max();
    }
  }
  int timeout_ms = -1;
  if (accepting() && owner_.has_requests()) {
    // Somebody queued a request and found the context busy here.
    timeout_ms = 0;
  } else if (until != MonotonicTime::max()) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock_.now());
    timeout_ms = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }
  poll(fds.data(), fds.size(), timeout_ms);
  if (fds[0].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof(count));
  }
  if (context_ != nullptr && !stopping_) {
    service(fds[1].revents);
  }
}

void Connection::complete_answered() {
  for (Request* request : completing_) {
    owner_.complete(*request);
  }
  completing_.clear();
}

void Connection::answer_rejected() {
  for (const Rejection& rejection : rejected_) {
    log_.malformed(rejection.request->procedure(), "no result", rejection.text);
    rejection.request->fail(rejection_status(rejection.text));
    remove_from_table(*rejection.request);
    answered_.push_back(rejection.request);
  }
  rejected_.clear();
}

void Connection::service(short events) {
  bool failed = false;
  bool became_connected = false;
  bool garbled = false;
  std::string reason = "cannot send";
  {
    std::lock_guard lock(context_mutex_);
    dozing_ = false;
    bool connected_before = connected_;
    failed = broken_;
    if (!failed && events != 0) {
      // What the server sent before it hung up is read first.
      short service_events = (events & POLLIN) != 0 ? static_cast<short>(events & (POLLIN | POLLOUT)) : events;
      failed = rpc_service(context_, service_events) != 0;
      const char* error = rpc_get_error(context_);
      reason = failed && error != nullptr ? error : "closed by the server";
      garbled = reason.starts_with("Incoming PDU") || reason.starts_with("Invalid/garbage");
    }
    if (!failed) {
      answer_rejected();
      became_connected = connected_ && !connected_before;
    }
    if (became_connected) {
      set_socket_options(rpc_get_fd(context_));
    }
    if (replied_) {
      replied_ = false;
      backoff_ = std::chrono::milliseconds(0);
      owner_.on_reply(clock_.now());
    }
    if (!failed) {
      fill_window();
    }
    completing_.swap(answered_);
  }
  if (became_connected) {
    was_connected_ = true;
    owner_.on_connected();
  }
  complete_answered();
  if (failed) {
    fail(reason, garbled);
  } else {
    pump();
  }
}

std::optional<std::string> Connection::overdue(MonotonicTime now, MonotonicTime& oldest_sent) const {
  std::optional<std::string> reason;
  for (const Request* request : in_flight_) {
    oldest_sent = std::min(oldest_sent, request->sent_at);
    std::chrono::milliseconds patience =
        std::min<std::chrono::milliseconds>(timeout_ * request->transmissions, kRetransmitMax);
    if (now >= request->sent_at + patience || now >= request->give_up_at) {
      reason = "no answer to " + std::string(procedure_name(request->procedure())) + " in time";
    }
  }
  return reason;
}

void Connection::tick() {
  MonotonicTime now = clock_.now();
  next_tick_ = now + tick_;
  MonotonicTime oldest_sent = MonotonicTime::max();
  std::optional<std::string> reason;
  bool connecting = false;
  {
    std::lock_guard lock(context_mutex_);
    reason = overdue(now, oldest_sent);
    quiet_tick_ = in_flight_.empty() && !active_;
    active_ = false;
    connecting = context_ != nullptr && !connected_;
  }
  if (reason) {
    fail(*reason, false);
  } else if (connecting && now >= connect_deadline_) {
    fail("no answer to the connection attempt", false);
  }
  owner_.on_tick(now, oldest_sent);
}

void Connection::fail(std::string_view reason, bool garbled) {
  std::vector<Request*> requests;
  bool connected = false;
  {
    std::lock_guard lock(context_mutex_);
    connected = connected_;
    if (context_ != nullptr) {
      // Ends libnfs's calls through on_libnfs_reply, which leaves the table alone.
      rpc_destroy_context(context_);
    }
    context_ = nullptr;
    connected_ = false;
    broken_ = false;
    credentials_.reset();
    rejected_.clear();
    requests.swap(in_flight_);
    payload_bytes_ = 0;
    update_accepting();
  }
  spdlog::log(connected && !stopping_ ? spdlog::level::info : spdlog::level::debug,
              "connection to {} ({}) ended: {}; {} requests to repeat", address_.host(), connecting_to_, reason,
              requests.size());
  next_attempt_ = clock_.now() + backoff_;
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  std::vector<Request*> to_repeat;
  for (Request* request : requests) {
    request->garbled += garbled ? 1 : 0;
    if (request->garbled < kGarbledMax) {
      to_repeat.push_back(request);
    } else {
      log_.malformed(request->procedure(), reason);
      request->fail(Status::kMalformed);
      owner_.complete(*request);
    }
  }
  owner_.take_back(std::move(to_repeat));
  // Last, because it may wait for the resolver.
  if (std::exchange(was_connected_, false)) {
    owner_.on_disconnected();
  } else if (!stopping_) {
    address_.failed(connecting_to_);
  }
}

}  // namespace nfs
