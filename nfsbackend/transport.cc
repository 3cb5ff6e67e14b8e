#include "nfsbackend/transport.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "nfsbackend/procedures.h"

namespace nfs {

namespace {

constexpr std::chrono::milliseconds kJukeboxDelayMin{100};
constexpr std::chrono::milliseconds kJukeboxDelayMax{5'000};

std::string machine_name() {
  std::array<char, 65> name{};
  // AUTH_SYS's name is only information for the server; a host without one is no reason to fail.
  if (gethostname(name.data(), name.size() - 1) != 0) {
    return "localhost";
  }
  return name.data();
}

}  // namespace

Transport::Transport(const TransportOptions& options, std::unique_ptr<ServerAddress> address, Clock& clock)
    : options_(options),
      address_(std::move(address)),
      clock_(clock),
      log_(address_->host(), clock),
      monitor_(address_->host(), options.timeout, clock),
      // Random, so that a restarted client's calls do not look like repetitions of its predecessor's to the server.
      next_xid_(std::random_device()()),
      delays_(std::make_shared<Delays>()) {
  delays_->transport = this;
  for (int i = 0; i < std::max(options_.connections, 1); ++i) {
    connections_.push_back(
        std::make_unique<Connection>(*this, *address_, clock_, log_, machine_name(), options_.timeout));
  }
  // The logger is made at its first use; not by two connections at once.
  spdlog::default_logger_raw();
  for (const auto& connection : connections_) {
    connection->start();
  }
}

Transport::~Transport() {
  shut_down();
}

void Transport::submit(Request& request) {
  counters(request).calls.fetch_add(1, std::memory_order_relaxed);
  request.xid = next_xid_.fetch_add(1, std::memory_order_relaxed);
  if (options_.persistence != Persistence::kHard) {
    request.give_up_at = clock_.now() + options_.timeout * (1 + options_.retransmissions);
  }
  if (!enqueue(request)) {
    request.fail(Status::kShutDown);
    finish(request);
    return;
  }
  offer_to_connections();
}

bool Transport::enqueue(Request& request) {
  std::lock_guard lock(queue_mutex_);
  if (shut_down_) {
    return false;
  }
  queue_.push_back(&request);
  queued_ = queue_.size();
  return true;
}

void Transport::offer_to_connections() {
  // The least busy one first; the others only when its context was busy and left something in the queue.
  Connection* best = nullptr;
  for (const auto& connection : connections_) {
    if (connection->accepting() && (best == nullptr || connection->in_flight() < best->in_flight())) {
      best = connection.get();
    }
  }
  if (best != nullptr) {
    best->pump();
  }
  for (const auto& connection : connections_) {
    if (!has_requests()) {
      return;
    }
    if (connection.get() != best && connection->accepting()) {
      connection->pump();
    }
  }
}

Request* Transport::next_request() {
  if (!has_requests()) {
    return nullptr;
  }
  std::lock_guard lock(queue_mutex_);
  if (queue_.empty() || shut_down_) {
    return nullptr;
  }
  Request* request = queue_.front();
  queue_.pop_front();
  queued_ = queue_.size();
  return request;
}

void Transport::take_back(std::vector<Request*> requests) {
  if (requests.empty()) {
    return;
  }
  // The oldest goes first again.
  std::sort(requests.begin(), requests.end(),
            [](const Request* a, const Request* b) { return a->sent_at < b->sent_at; });
  {
    std::lock_guard lock(queue_mutex_);
    queue_.insert(queue_.begin(), requests.begin(), requests.end());
    queued_ = queue_.size();
  }
  for (Request* expired : take_expired(clock_.now())) {
    expired->fail(give_up_status());
    finish(*expired);
  }
  offer_to_connections();
}

void Transport::complete(Request& request) {
  if (request.status() != Status::kJukebox) {
    finish(request);
    return;
  }
  MonotonicTime now = clock_.now();
  request.jukebox_delay = std::clamp(request.jukebox_delay * 2, kJukeboxDelayMin, kJukeboxDelayMax);
  if (now + request.jukebox_delay >= request.give_up_at) {
    request.fail(give_up_status());
    finish(request);
  } else if (!delay(request)) {
    request.fail(Status::kShutDown);
    finish(request);
  }
}

bool Transport::delay(Request& request) {
  // A new call to the server, which has not begun the old one.
  request.xid = next_xid_.fetch_add(1, std::memory_order_relaxed);
  request.transmissions = 0;
  counters(request).retries.fetch_add(1, std::memory_order_relaxed);
  MonotonicTime when = clock_.now() + request.jukebox_delay;
  {
    std::lock_guard lock(delays_->mutex);
    if (delays_->transport == nullptr) {
      return false;
    }
    delays_->requests.insert(&request);
  }
  // The request may be ended by shut_down() from here on; the callback only compares its address.
  clock_.run_at(when, [delays = std::weak_ptr(delays_), delayed = &request] {
    if (std::shared_ptr<Delays> held = delays.lock()) {
      std::lock_guard lock(held->mutex);
      if (held->transport != nullptr && held->requests.erase(delayed) != 0) {
        held->transport->resume_after_delay(*delayed);
      }
    }
  });
  return true;
}

// Under Delays::mutex, so that the transport stays: nothing may be completed here, only queued.
void Transport::resume_after_delay(Request& request) {
  if (!enqueue(request)) {
    delays_->requests.insert(&request);  // shut_down() ends it with the others
    return;
  }
  for (const auto& connection : connections_) {
    connection->wake();
  }
}

void Transport::finish(Request& request) {
  if (request.status() != Status::kOk) {
    counters(request).errors.fetch_add(1, std::memory_order_relaxed);
  }
  request.waiter.resume();
}

Status Transport::give_up_status() const {
  return options_.persistence == Persistence::kSoft ? Status::kSoftIo : Status::kTimedOut;
}

void Transport::on_transmission(const Request& request) {
  if (request.transmissions > 1) {
    counters(request).retries.fetch_add(1, std::memory_order_relaxed);
  }
}

void Transport::on_connected() {
  monitor_.on_connected();
  // Whether a server that was away serves again, a connection alone does not tell.
  if (!monitor_.up() && !probing_.exchange(true)) {
    probe().detach();
  }
}

Task<void> Transport::probe() {
  TypedRequest<NullCall> request(Credentials{}, NullCall{});
  co_await perform(request);
  probing_ = false;
}

void Transport::on_tick(MonotonicTime now, MonotonicTime oldest_sent) {
  monitor_.check(now, oldest_sent);
  for (Request* expired : take_expired(now)) {
    expired->fail(give_up_status());
    finish(*expired);
  }
}

std::vector<Request*> Transport::take_expired(MonotonicTime now) {
  std::vector<Request*> expired;
  if (options_.persistence == Persistence::kHard) {
    return expired;
  }
  std::lock_guard lock(queue_mutex_);
  std::erase_if(queue_, [&](Request* request) {
    bool over = request->give_up_at <= now;
    if (over) {
      expired.push_back(request);
    }
    return over;
  });
  queued_ = queue_.size();
  return expired;
}

void Transport::shut_down() {
  {
    std::lock_guard lock(queue_mutex_);
    shut_down_ = true;
  }
  for (const auto& connection : connections_) {
    connection->stop();
  }
  std::vector<Request*> parked;
  {
    std::lock_guard lock(delays_->mutex);
    delays_->transport = nullptr;
    parked.assign(delays_->requests.begin(), delays_->requests.end());
    delays_->requests.clear();
  }
  {
    std::lock_guard lock(queue_mutex_);
    parked.insert(parked.end(), queue_.begin(), queue_.end());
    queue_.clear();
    queued_ = 0;
  }
  for (Request* request : parked) {
    request->fail(Status::kShutDown);
    finish(*request);
  }
}

RpcStatistics Transport::statistics() const {
  RpcStatistics statistics;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    RpcCounters& out = statistics[std::string(kProcedureNames[i])];
    out.calls = counters_[i].calls.load(std::memory_order_relaxed);
    out.errors = counters_[i].errors.load(std::memory_order_relaxed);
    out.retries = counters_[i].retries.load(std::memory_order_relaxed);
  }
  return statistics;
}

}  // namespace nfs
