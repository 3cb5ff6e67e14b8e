#include <chrono>
#include <nlohmann/json.hpp>

#include "fused/mount_options.h"

namespace fused {

namespace {

// Whole seconds as a whole number: people read it too.
nlohmann::json seconds_of(std::chrono::nanoseconds duration) {
  auto whole = std::chrono::duration_cast<std::chrono::seconds>(duration);
  if (whole == duration) {
    return whole.count();
  }
  return std::chrono::duration<double>(duration).count();
}

std::string lookupcache_word(cache::LookupCache lookupcache) {
  switch (lookupcache) {
    case cache::LookupCache::kAll:
      return "all";
    case cache::LookupCache::kPositive:
      return "pos";
    case cache::LookupCache::kNone:
      return "none";
  }
  return "all";
}

void describe_connection(const nfs::ConnectOptions& connect, nlohmann::json& described) {
  described["vers"] = 3;
  described["proto"] = "tcp";
  described["sec"] = "sys";
  described["port"] = connect.nfs_port;
  described["mountport"] = connect.mount_port;
  described["nconnect"] = connect.connections;
  described["rsize"] = connect.read_bytes_max;
  described["wsize"] = connect.write_bytes_max;
  described["hard"] = connect.persistence == nfs::Persistence::kHard;
  described["soft"] = connect.persistence == nfs::Persistence::kSoft;
  described["softerr"] = connect.persistence == nfs::Persistence::kSofterr;
  described["timeo"] = connect.timeout.count() / 100;
  described["retrans"] = connect.retransmissions;
}

void describe_caching(const cache::Options& cache, nlohmann::json& described) {
  described["cto"] = cache.close_to_open;
  described["acregmin"] = seconds_of(cache.acregmin);
  described["acregmax"] = seconds_of(cache.acregmax);
  described["acdirmin"] = seconds_of(cache.acdirmin);
  described["acdirmax"] = seconds_of(cache.acdirmax);
  described["lookupcache"] = lookupcache_word(cache.lookupcache);
  described["perm"] = cache.permission == cache::Permission::kServer ? "server" : "local";
  described["ro"] = cache.read_only;
  described["sync"] = cache.synchronous;
  described["rdirplus"] = cache.readdirplus;
  described["memsize"] = cache.memory_bytes_max;
}

}  // namespace

nlohmann::json describe_options(const MountOptions& options) {
  nlohmann::json described = nlohmann::json::object();
  describe_connection(options.connect, described);
  describe_caching(options.cache, described);
  described["ac"] = !options.noac;
  described["nosuid"] = options.nosuid;
  described["nodev"] = options.nodev;
  described["noexec"] = options.noexec;
  described["noatime"] = options.noatime;
  described["allow_other"] = options.allow_other;
  described["default_permissions"] = options.default_permissions;
  described["nolock"] = true;
  described["bg"] = options.background;
  described["retry"] = options.retry().count();
  described["resvport"] = options.reserved_port;
  described["cache"] = options.cache_directory;
  described["cachesize"] = options.cache_bytes_max;
  std::string metrics;
  if (options.metrics_address) {
    metrics = options.metrics_address->host + ":" + std::to_string(options.metrics_address->port);
  }
  described["metrics"] = metrics;
  described["log"] = options.log_file;
  described["loglevel"] = options.log_level;
  return described;
}

}  // namespace fused
