// FakeNotifier: a cache::KernelNotifier that records what the kernel would have been told.
//
// Thread-safety: every member may be called from any thread.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cache/kernel_notifier.h"

namespace support {

class FakeNotifier final : public cache::KernelNotifier {
 public:
  struct Notes {
    std::vector<cache::NodeId> data;
    std::vector<std::pair<cache::NodeId, std::string>> names;
    std::vector<cache::NodeId> attributes;
    int distrusts = 0;

    bool has_data(cache::NodeId node) const { return std::find(data.begin(), data.end(), node) != data.end(); }
    bool has_name(cache::NodeId parent, const std::string& name) const {
      return std::find(names.begin(), names.end(), std::pair(parent, name)) != names.end();
    }
    bool has_attributes(cache::NodeId node) const {
      return std::find(attributes.begin(), attributes.end(), node) != attributes.end();
    }
  };

  // Whether the pretended kernel can distrust all names at once (6.16 and later).
  explicit FakeNotifier(bool can_distrust = true) : can_distrust_(can_distrust) {}

  void invalidate_data(cache::NodeId node) override {
    std::lock_guard lock(mutex_);
    notes_.data.push_back(node);
  }
  void invalidate_name(cache::NodeId parent, std::string name) override {
    std::lock_guard lock(mutex_);
    notes_.names.emplace_back(parent, std::move(name));
  }
  void invalidate_attributes_now(cache::NodeId node) override {
    std::lock_guard lock(mutex_);
    notes_.attributes.push_back(node);
  }
  bool distrust_all_names_now() override {
    std::lock_guard lock(mutex_);
    ++notes_.distrusts;
    return can_distrust_;
  }

  Notes notes() const {
    std::lock_guard lock(mutex_);
    return notes_;
  }
  // The notes so far; the record begins anew.
  Notes take() {
    std::lock_guard lock(mutex_);
    return std::exchange(notes_, {});
  }

 private:
  const bool can_distrust_;
  mutable std::mutex mutex_;
  Notes notes_;  // GUARDED_BY(mutex_)
};

}  // namespace support
