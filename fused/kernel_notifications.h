// KernelNotifications: takes back what the kernel was told (names, attributes, pages), as cache::KernelNotifier.
//
// A notification may wait in the kernel for a lock that an operation under way holds, so queued ones are sent by one
// thread of its own, never by a handler. The same one queued twice is sent once. At most kQueuedMax names wait; more
// are dropped, which the names' lifetimes, that never exceed the freshness promise, make up for. Nodes queue at most
// once each.
//
// Ownership: borrows the session, which outlives it. Thread-safety: as KernelNotifier. stop() waits for the
// notification being sent.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include "cache/kernel_notifier.h"

namespace fused {

class FuseSession;

class KernelNotifications final : public cache::KernelNotifier {
 public:
  static constexpr std::size_t kQueuedMax = 100'000;

  explicit KernelNotifications(FuseSession& session);
  ~KernelNotifications() override;

  void invalidate_data(cache::NodeId node) override;
  void invalidate_name(cache::NodeId parent, std::string name) override;
  void invalidate_attributes_now(cache::NodeId node) override;
  bool distrust_all_names_now() override;

 private:
  struct Notification {
    cache::NodeId node = 0;
    std::string name;  // of the node's child; empty: the node's data
    bool operator==(const Notification&) const = default;
  };
  struct NotificationHash {
    std::size_t operator()(const Notification& notification) const noexcept {
      return std::hash<std::string>{}(notification.name) ^ (notification.node * 0x9e3779b97f4a7c15ULL);
    }
  };

  void enqueue(Notification notification);
  void run();
  void send(const Notification& notification) const;

  FuseSession& session_;
  std::atomic<bool> epochs_work_{true};  // until the kernel refuses one

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Notification> queue_;                              // GUARDED_BY(mutex_)
  std::unordered_set<Notification, NotificationHash> waiting_;  // GUARDED_BY(mutex_): what queue_ holds
  bool stopping_ = false;                                       // GUARDED_BY(mutex_)
  std::thread thread_;                                          // last: starts when the rest is there
};

}  // namespace fused
