// MountOptions: what `fused mount` was asked for: SOURCE and the -o strings, in nfs(5)'s names and meanings.
//
// Later options override earlier ones (hard,soft is soft; actimeo=1,acregmin=0 has acregmin 0). mount(8)'s own words
// are accepted and ignored. Errors are one line that names the option, the bad value and what would be right.
// Thread-safety: values and functions without state. Never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/options.h"
#include "nfsbackend/connect.h"

namespace fused {

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

struct MountOptions {
  std::string source;  // as given
  cache::Options cache;
  nfs::ConnectOptions connect;

  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;
  bool noatime = false;
  bool allow_other = false;  // default for root
  bool default_permissions = false;

  bool noac = false;
  bool sync = false;
  bool background = false;                            // bg
  std::optional<std::chrono::minutes> retry_minutes;  // retry; nfs(5)'s default depends on bg
  bool reserved_port = true;                          // resvport

  std::string cache_directory;                   // empty: memory only
  std::uint64_t cache_bytes_max = 10ULL << 30;   // cachesize
  std::optional<ListenAddress> metrics_address;  // metrics
  std::string log_file;                          // log; empty: syslog, or standard error in the foreground
  std::string log_level = "info";

  // retry with its default.
  std::chrono::minutes retry() const;
};

// `is_root`: decides the default of allow_other.
std::expected<MountOptions, std::string> parse_mount_options(std::string_view source,
                                                             const std::vector<std::string>& option_strings,
                                                             bool is_root);

// Every effective option by its nfs(5) name.
nlohmann::json describe_options(const MountOptions& options);

}  // namespace fused
