#include "fused/kernel_notifications.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "fused/fuse_session.h"

namespace fused {

namespace {

// FUSE_NOTIFY_INC_EPOCH of Linux 6.16, newer than this libfuse: every name is looked up again before it is used.
constexpr std::int32_t kIncrementEpoch = 8;

}  // namespace

KernelNotifications::KernelNotifications(FuseSession& session) : session_(session), thread_([this] { run(); }) {}

KernelNotifications::~KernelNotifications() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void KernelNotifications::invalidate_data(cache::NodeId node) {
  Notification notification;
  notification.node = node;
  enqueue(std::move(notification));
}

void KernelNotifications::invalidate_name(cache::NodeId parent, std::string name) {
  Notification notification;
  notification.node = parent;
  notification.name = std::move(name);
  enqueue(std::move(notification));
}

void KernelNotifications::invalidate_attributes_now(cache::NodeId node) {
  // A negative offset leaves the pages alone, and with them the page locks that a handler must not wait for.
  if (session_.handle() != nullptr) {
    fuse_lowlevel_notify_inval_inode(session_.handle(), node, -1, 0);
  }
}

bool KernelNotifications::distrust_all_names_now() {
  if (!epochs_work_.load(std::memory_order_relaxed)) {
    return false;
  }
  fuse_out_header message{};
  message.len = sizeof(message);
  message.error = kIncrementEpoch;
  if (::write(session_.descriptor(), &message, sizeof(message)) == static_cast<ssize_t>(sizeof(message))) {
    return true;
  }
  if (errno == EINVAL) {
    epochs_work_.store(false, std::memory_order_relaxed);
  }
  return false;
}

void KernelNotifications::enqueue(Notification notification) {
  {
    std::lock_guard lock(mutex_);
    if (!notification.name.empty() && queue_.size() >= kQueuedMax) {
      return;
    }
    if (!waiting_.insert(notification).second) {
      return;
    }
    queue_.push_back(std::move(notification));
  }
  changed_.notify_one();
}

void KernelNotifications::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) {
      return;
    }
    Notification notification = std::move(queue_.front());
    queue_.pop_front();
    // Taken out before it is sent: what is learned from now on needs another one.
    waiting_.erase(notification);
    lock.unlock();
    send(notification);
    lock.lock();
  }
}

void KernelNotifications::send(const Notification& notification) const {
  fuse_session* session = session_.handle();
  if (session == nullptr) {
    return;
  }
  // ENOENT says that the kernel had forgotten it already.
  if (notification.name.empty()) {
    fuse_lowlevel_notify_inval_inode(session, notification.node, 0, 0);
  } else {
    fuse_lowlevel_notify_inval_entry(session, notification.node, notification.name.c_str(), notification.name.size());
  }
}

}  // namespace fused
