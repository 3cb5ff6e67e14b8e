#include "fused/caller_credentials.h"

#include <algorithm>

namespace fused {

std::size_t CallerCredentials::KeyHash::operator()(const Key& key) const noexcept {
  std::uint64_t mixed = (std::uint64_t{key.thread_id} << 32) ^ (std::uint64_t{key.uid} << 16) ^ key.gid;
  return std::hash<std::uint64_t>{}(mixed * 0x9e3779b97f4a7c15ULL);
}

nfs::Credentials CallerCredentials::of(std::uint32_t thread_id, std::uint32_t uid, std::uint32_t gid,
                                       const ReadGroups& read_groups) {
  nfs::Credentials credentials;
  credentials.uid = uid;
  credentials.gid = gid;
  if (thread_id == 0) {
    return credentials;
  }
  Key key{thread_id, uid, gid};
  nfs::MonotonicTime now = clock_.now();
  {
    std::lock_guard lock(mutex_);
    auto known = remembered_.find(key);
    if (known != remembered_.end() && now < known->second.until) {
      return known->second.credentials;
    }
  }
  int count = read_groups(credentials.groups);
  credentials.group_count =
      static_cast<std::uint32_t>(std::clamp(count, 0, static_cast<int>(nfs::Credentials::kGroupsMax)));
  // Equal credentials must compare equal.
  std::fill(credentials.groups.begin() + credentials.group_count, credentials.groups.end(), 0U);
  remember(key, {credentials, now + kLifetime});
  return credentials;
}

void CallerCredentials::remember(const Key& key, const Remembered& remembered) {
  std::lock_guard lock(mutex_);
  if (remembered_.size() >= kThreadsMax) {
    nfs::MonotonicTime now = clock_.now();
    std::erase_if(remembered_, [now](const auto& known) { return known.second.until <= now; });
    if (remembered_.size() >= kThreadsMax) {
      remembered_.clear();
    }
  }
  remembered_.insert_or_assign(key, remembered);
}

}  // namespace fused
