// Options of the caching file system: nfs(5)'s names, in units of std::chrono and bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cache {

enum class LookupCache { kAll, kPositive, kNone };
enum class Permission { kServer, kLocal };

struct Options {
  bool close_to_open = true;  // cto: every open checks with the server
  std::chrono::nanoseconds acregmin{std::chrono::seconds(3)};
  std::chrono::nanoseconds acregmax{std::chrono::seconds(60)};
  std::chrono::nanoseconds acdirmin{std::chrono::seconds(30)};
  std::chrono::nanoseconds acdirmax{std::chrono::seconds(60)};
  LookupCache lookupcache = LookupCache::kAll;
  Permission permission = Permission::kServer;
  bool read_only = false;
  bool synchronous = false;                 // sync: every write waits for the server
  std::uint32_t read_bytes_max = 1 << 20;   // what one READ may ask for
  std::uint32_t write_bytes_max = 1 << 20;  // what one WRITE may carry
  std::uint64_t memory_bytes_max = 256ULL << 20;
  bool readdirplus = true;
  // Names this mount's silly-renamed files are recorded under; empty: no record survives a crash.
  std::string silly_journal_path;
};

}  // namespace cache
