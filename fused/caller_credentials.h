// CallerCredentials: who sent a FUSE request, as AUTH_SYS credentials.
//
// uid and gid come with the request. The supplementary groups are read from /proc (about 17 us) and remembered per
// thread, uid and gid for at most a second. AUTH_SYS carries sixteen: the first sixteen of the list are sent. A request
// from outside this pid namespace (pid 0) has no groups that could be known.
//
// Ownership: borrows the clock. Thread-safety: every member may be called from any thread. Never blocks on the network.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <unordered_map>

#include "nfsbackend/clock.h"
#include "nfsbackend/types.h"

namespace fused {

class CallerCredentials {
 public:
  static constexpr std::chrono::seconds kLifetime{1};
  static constexpr std::size_t kThreadsMax = 4096;

  // Writes the thread's groups and returns how many there are, which may be more than fit; negative when unknown.
  using ReadGroups = std::function<int(std::span<std::uint32_t> groups)>;

  explicit CallerCredentials(const nfs::Clock& clock) : clock_(clock) {}

  // `read_groups` is called only when nothing fresh is remembered, without a lock.
  nfs::Credentials of(std::uint32_t thread_id, std::uint32_t uid, std::uint32_t gid, const ReadGroups& read_groups);

 private:
  struct Key {
    std::uint32_t thread_id = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Remembered {
    nfs::Credentials credentials;
    nfs::MonotonicTime until;
  };

  void remember(const Key& key, const Remembered& remembered);

  const nfs::Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<Key, Remembered, KeyHash> remembered_;  // GUARDED_BY(mutex_)
};

}  // namespace fused
