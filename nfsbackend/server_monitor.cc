#include "nfsbackend/server_monitor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace nfs {

namespace {

constexpr std::chrono::milliseconds kPatienceMax{10'000};
constexpr std::chrono::seconds kUnconnectedMax{3};

}  // namespace

ServerMonitor::ServerMonitor(std::string server, std::chrono::milliseconds timeout, const Clock& clock)
    : server_(std::move(server)),
      patience_(std::min(timeout, kPatienceMax)),
      clock_(clock),
      last_reply_(clock.now()),
      since_(clock.now()),
      unconnected_since_(clock.now()) {}

ServerState ServerMonitor::state() const {
  std::lock_guard lock(mutex_);
  return {up(), std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - since_)};
}

void ServerMonitor::on_reply(MonotonicTime now) {
  last_reply_.store(now, std::memory_order_relaxed);
  if (!up()) {
    set_up(true, now);
  }
}

void ServerMonitor::on_connected() {
  std::lock_guard lock(mutex_);
  ++connected_;
}

void ServerMonitor::on_disconnected(MonotonicTime now) {
  std::lock_guard lock(mutex_);
  if (--connected_ == 0) {
    unconnected_since_ = now;
  }
}

void ServerMonitor::check(MonotonicTime now, MonotonicTime oldest_sent) {
  bool unconnected = false;
  {
    std::lock_guard lock(mutex_);
    unconnected = connected_ == 0 && now - unconnected_since_ >= kUnconnectedMax;
  }
  MonotonicTime last_sign = std::max(last_reply_.load(std::memory_order_relaxed), oldest_sent);
  bool silent = last_sign < now && now - last_sign >= patience_;
  if (unconnected || silent) {
    set_up(false, now);
  }
}

void ServerMonitor::set_up(bool up, MonotonicTime now) {
  {
    std::lock_guard lock(mutex_);
    if (up_.load(std::memory_order_relaxed) == up) {
      return;
    }
    up_.store(up, std::memory_order_relaxed);
    since_ = now;
  }
  if (up) {
    spdlog::warn("server {} OK", server_);
  } else {
    spdlog::warn("server {} not responding, still trying", server_);
  }
}

}  // namespace nfs
