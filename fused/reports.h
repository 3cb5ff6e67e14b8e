// Reports: what the daemon tells about itself, as JSON with stable keys and as Prometheus text.
//
// Everything comes from memory and /proc/self; the server is not asked. Thread-safety: may be called from any thread.
// Never blocks.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cache/file_system.h"
#include "fused/fuse_counters.h"
#include "fused/mount_options.h"
#include "nfsbackend/client.h"

namespace fused {

// What reports are made of. All references are borrowed.
struct ReportSources {
  const nfs::Client& client;
  const cache::FileSystem& file_system;
  const FuseCounters& counters;
  const MountOptions& options;  // the effective ones
  const nfs::Clock& clock;
  std::string mountpoint;
  nfs::MonotonicTime started_at;
};

nlohmann::json make_status_report(const ReportSources& sources);
nlohmann::json make_statistics_report(const ReportSources& sources);
// Prometheus text format 0.0.4.
std::string make_metrics(const ReportSources& sources);

bool is_healthy(const ReportSources& sources);
// Resident memory of this process.
std::uint64_t memory_bytes();

}  // namespace fused
