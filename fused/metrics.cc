// The Prometheus text format, as its exposition formats page describes version 0.0.4.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fused/reports.h"

namespace fused {

namespace {

std::string escape_label(std::string_view value) {
  std::string escaped;
  for (char c : value) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

class MetricsText {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    text_.append(name).append(" ").append(type).append("\n");
  }
  void sample(const Labels& labels, std::uint64_t value) {
    text_ += name_;
    std::string_view separator = "{";
    for (const auto& [label, text] : labels) {
      text_.append(separator).append(label).append("=\"").append(escape_label(text)).append("\"");
      separator = ",";
    }
    text_ += labels.empty() ? " " : "} ";
    text_.append(std::to_string(value)).append("\n");
  }
  void single(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    begin(name, type, help);
    sample({}, value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

void add_calls(MetricsText& text, const ReportSources& sources) {
  nfs::RpcStatistics rpc = sources.client.statistics();
  auto add_rpc = [&](std::string_view name, std::string_view help, std::uint64_t nfs::RpcCounters::*counter) {
    text.begin(name, "counter", help);
    for (const auto& [procedure, counters] : rpc) {
      text.sample({{"procedure", procedure}}, counters.*counter);
    }
  };
  add_rpc("fused_rpc_calls_total", "NFSv3 calls begun, by procedure.", &nfs::RpcCounters::calls);
  add_rpc("fused_rpc_errors_total", "NFSv3 calls that ended with an error, by procedure.", &nfs::RpcCounters::errors);
  add_rpc("fused_rpc_retries_total", "NFSv3 transmissions beyond the first, by procedure.", &nfs::RpcCounters::retries);

  FuseStatistics fuse = sources.counters.statistics();
  auto add_fuse = [&](std::string_view name, std::string_view help, std::uint64_t OperationCounters::*counter) {
    text.begin(name, "counter", help);
    for (const auto& [operation, counters] : fuse) {
      text.sample({{"operation", operation}}, counters.*counter);
    }
  };
  add_fuse("fused_fuse_calls_total", "FUSE requests from the kernel, by operation.", &OperationCounters::calls);
  add_fuse("fused_fuse_errors_total", "FUSE requests answered with an error, by operation.",
           &OperationCounters::errors);
}

void add_cache(MetricsText& text, const cache::FileSystemStatistics& cached) {
  text.single("fused_metadata_hits_total", "counter", "Calls answered without a message to the server.",
              cached.metadata_hits);
  text.single("fused_metadata_misses_total", "counter", "Calls that needed a message to the server.",
              cached.metadata_misses);
  text.single("fused_metadata_entries", "gauge", "Files and directories whose metadata is held.",
              cached.metadata_entries);
  text.single("fused_page_hits_total", "counter", "Opens that let the kernel keep its pages.", cached.page_hits);
  text.single("fused_page_misses_total", "counter", "Reads that went to the server.", cached.page_misses);
  text.single("fused_page_bytes", "gauge", "Bytes of file data held by the daemon.", 0);
  text.single("fused_page_evicted_bytes_total", "counter", "Bytes of file data evicted by the daemon.", 0);
  text.single("fused_prefetch_bytes_total", "counter", "Bytes read ahead of being asked for by the daemon.", 0);
  text.single("fused_prefetch_used_bytes_total", "counter", "Of those, bytes that were asked for later.", 0);
  text.single("fused_dirty_bytes", "gauge", "Bytes accepted from programs, not yet stable on the server.",
              cached.dirty_bytes);
  text.single("fused_open_files", "gauge", "Files that are open.", cached.open_files);
}

}  // namespace

std::string make_metrics(const ReportSources& sources) {
  MetricsText text;
  text.begin("fused_info", "gauge", "The mount, in labels; always 1.");
  text.sample({{"version", FUSED_VERSION}, {"source", sources.options.source}, {"mountpoint", sources.mountpoint}}, 1);
  add_calls(text, sources);
  add_cache(text, sources.file_system.statistics());
  nfs::ServerState server = sources.client.server_state();
  text.single("fused_server_up", "gauge", "1 while the server answers.", server.up ? 1 : 0);
  text.single("fused_server_state_seconds", "gauge", "How long the server's state has been so.",
              static_cast<std::uint64_t>(server.since.count()));
  auto uptime = std::chrono::duration_cast<std::chrono::seconds>(sources.clock.now() - sources.started_at);
  text.single("fused_uptime_seconds", "gauge", "How long the daemon has been serving.",
              static_cast<std::uint64_t>(uptime.count()));
  text.single("fused_memory_bytes", "gauge", "Resident memory of the daemon.", memory_bytes());
  return text.take();
}

}  // namespace fused
