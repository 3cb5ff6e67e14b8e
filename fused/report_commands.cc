// `fused status` and `fused stats`.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fused/command_line.h"
#include "fused/commands.h"
#include "fused/control_client.h"
#include "fused/mount_table.h"
#include "fused/option_values.h"
#include "fused/report_text.h"
#include "fused/state_files.h"

namespace fused {

namespace {

using nlohmann::json;

// The mounts a command is about: that of its operand, or all. An operand that is no mount of ours gives none.
std::vector<MountEntry> mounts_of(const CommandLine& line) {
  if (line.operands.empty()) {
    return find_fused_mounts();
  }
  std::optional<MountEntry> entry = find_mount(resolve_mountpoint(line.operands[0]));
  if (!entry || entry->type != kMountType) {
    return {};
  }
  return {*entry};
}

int fail_not_mounted(std::string_view command, const CommandLine& line) {
  return fail(command, line.operands.empty() ? "nothing is mounted" : line.operands[0] + " is not mounted by fused",
              kExitNotMounted);
}

// What the daemon says, or null.
json ask(const MountEntry& mount, const std::string& what) {
  ControlAnswer answer = control_get(control_socket_path(mount.device_minor), what);
  return answer ? json::parse(*answer, nullptr, /*allow_exceptions=*/false) : json();
}

// The status of a mount whose daemon does not answer, in the same form.
json status_of(const MountEntry& mount) {
  json status = ask(mount, "/status");
  if (status.is_object()) {
    return status;
  }
  return {{"mountpoint", mount.mountpoint},
          {"source", mount.source},
          {"state", "dead"},
          {"server", {{"state", "unknown"}, {"since", 0}}},
          {"pid", nullptr},
          {"uptime_seconds", 0},
          {"options", json::object()},
          {"cache", {{"directory", ""}, {"bytes", 0}, {"limit_bytes", 0}}}};
}

void print_json(const json& report, int indent) {
  std::cout << report.dump(indent, ' ', false, json::error_handler_t::replace) << std::endl;
}

// One statistics report; false when a mount did not answer.
bool print_statistics(const std::vector<MountEntry>& mounts, const CommandLine& line, std::vector<json>& before) {
  std::vector<json> reports;
  for (const MountEntry& mount : mounts) {
    json report = ask(mount, "/stats");
    if (!report.is_object()) {
      fail("stats", mount.mountpoint + ": its daemon does not answer", kExitFailure);
      return false;
    }
    reports.push_back(std::move(report));
  }
  if (line.has("json")) {
    int indent = line.options.contains("interval") ? -1 : 2;
    print_json(line.operands.empty() ? json(reports) : reports.front(), indent);
    return true;
  }
  for (std::size_t i = 0; i < reports.size(); ++i) {
    std::cout << (i > 0 ? "\n" : "") << statistics_text(reports[i], before.empty() ? json() : before[i]) << std::flush;
  }
  before = std::move(reports);
  return true;
}

}  // namespace

int run_status(const Words& words) {
  auto line = parse_command_line(words, {{"json"}, {}, 0, 1});
  if (!line) {
    return fail("status", line.error() + " (see fused help status)", kExitUsage);
  }
  std::vector<MountEntry> mounts = mounts_of(*line);
  if (mounts.empty()) {
    return fail_not_mounted("status", *line);
  }
  json reports = json::array();
  for (const MountEntry& mount : mounts) {
    reports.push_back(status_of(mount));
  }
  if (line->has("json")) {
    print_json(line->operands.empty() ? reports : reports.front(), 2);
  } else {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      std::cout << (i > 0 ? "\n" : "") << status_text(reports[i]);
    }
  }
  bool healthy = std::ranges::all_of(reports, [](const json& report) { return report["state"] == "ready"; });
  return healthy ? kExitOk : kExitDegraded;
}

int run_stats(const Words& words) {
  auto line = parse_command_line(words, {{"json"}, {"interval"}, 0, 1});
  if (!line) {
    return fail("stats", line.error() + " (see fused help stats)", kExitUsage);
  }
  std::chrono::nanoseconds interval{0};
  if (line->options.contains("interval")) {
    auto parsed = parse_seconds(line->options["interval"].back());
    if (!parsed || parsed->count() <= 0) {
      return fail("stats", "--interval takes seconds above 0", kExitUsage);
    }
    interval = *parsed;
  }
  std::vector<MountEntry> mounts = mounts_of(*line);
  if (mounts.empty()) {
    return fail_not_mounted("stats", *line);
  }
  std::vector<json> before;
  while (print_statistics(mounts, *line, before)) {
    if (interval.count() == 0) {
      return kExitOk;
    }
    std::this_thread::sleep_for(interval);
  }
  return kExitFailure;
}

}  // namespace fused
