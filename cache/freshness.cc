#include "cache/freshness.h"

#include <algorithm>

namespace cache {

using std::chrono::nanoseconds;

namespace {
constexpr std::chrono::milliseconds kSameWalkMax{500};
}

bool is_fresh(const Validation& validation, nfs::MonotonicTime begun, nfs::MonotonicTime now) {
  return validation.checked_at >= begun || now < validation.checked_at + validation.lifetime;
}

nanoseconds remaining(const Validation& validation, nfs::MonotonicTime now) {
  return std::max(nanoseconds(0), nanoseconds(validation.checked_at + validation.lifetime - now));
}

nanoseconds shortest_lifetime(const Options& options, nfs::FileType type) {
  return type == nfs::FileType::kDirectory ? options.acdirmin : options.acregmin;
}

nanoseconds next_lifetime(const Options& options, nfs::FileType type, const Validation& previous,
                          nfs::MonotonicTime checked_at) {
  if (checked_at < previous.checked_at + previous.lifetime) {
    return previous.lifetime;
  }
  const nanoseconds longest = type == nfs::FileType::kDirectory ? options.acdirmax : options.acregmax;
  return std::clamp(previous.lifetime * 2, shortest_lifetime(options, type), longest);
}

bool may_remember_name(const Options& options, bool exists) {
  switch (options.lookupcache) {
    case LookupCache::kNone:
      return false;
    case LookupCache::kPositive:
      return exists;
    case LookupCache::kAll:
      return true;
  }
  return false;
}

nanoseconds kernel_name_lifetime(const Options& options, const NameFacts& facts, nanoseconds left) {
  if (!may_remember_name(options, facts.exists)) {
    return nanoseconds(0);
  }
  if (options.permission == Permission::kServer && !facts.everybody_may_search) {
    return nanoseconds(0);
  }
  if (options.close_to_open && (facts.several_links || facts.just_looked_up)) {
    return nanoseconds(0);
  }
  return left;
}

bool is_same_walk(nfs::MonotonicTime asked_at, nfs::MonotonicTime now) {
  return now - asked_at < kSameWalkMax;
}

}  // namespace cache
