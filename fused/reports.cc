#include "fused/reports.h"

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace fused {

namespace {

std::chrono::seconds uptime(const ReportSources& sources) {
  return std::chrono::duration_cast<std::chrono::seconds>(sources.clock.now() - sources.started_at);
}

}  // namespace

bool is_healthy(const ReportSources& sources) {
  return sources.client.server_state().up;
}

std::uint64_t memory_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> size_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

nlohmann::json make_status_report(const ReportSources& sources) {
  nfs::ServerState server = sources.client.server_state();
  return {
      {"mountpoint", sources.mountpoint},
      {"source", sources.options.source},
      {"state", server.up ? "ready" : "degraded"},
      {"server", {{"state", server.up ? "up" : "down"}, {"since", server.since.count()}}},
      {"pid", ::getpid()},
      {"version", FUSED_VERSION},
      {"uptime_seconds", uptime(sources).count()},
      {"options", describe_options(sources.options)},
      // The pages live in the kernel's cache: nothing lies in the directory but the record of silly-renamed files.
      {"cache",
       {{"directory", sources.options.cache_directory},
        {"bytes", 0},
        {"limit_bytes", sources.options.cache_bytes_max}}},
  };
}

nlohmann::json make_statistics_report(const ReportSources& sources) {
  nlohmann::json rpc = nlohmann::json::object();
  for (const auto& [procedure, counters] : sources.client.statistics()) {
    rpc[procedure] = {{"calls", counters.calls}, {"errors", counters.errors}, {"retries", counters.retries}};
  }
  nlohmann::json fuse = nlohmann::json::object();
  for (const auto& [operation, counters] : sources.counters.statistics()) {
    fuse[operation] = {{"calls", counters.calls}, {"errors", counters.errors}};
  }
  cache::FileSystemStatistics cached = sources.file_system.statistics();
  nlohmann::json metadata = {
      {"hits", cached.metadata_hits}, {"misses", cached.metadata_misses}, {"entries", cached.metadata_entries}};
  nlohmann::json pages = {
      {"hits", cached.page_hits}, {"misses", cached.page_misses}, {"bytes", 0}, {"evicted_bytes", 0}};
  return {
      {"mountpoint", sources.mountpoint},
      {"rpc", rpc},
      {"fuse", fuse},
      {"cache", {{"metadata", metadata}, {"pages", pages}}},
      {"prefetch", {{"bytes", 0}, {"used_bytes", 0}}},
      {"dirty_bytes", cached.dirty_bytes},
      {"open_files", cached.open_files},
      {"memory_bytes", memory_bytes()},
  };
}

}  // namespace fused
