#include "fused/report_text.h"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace fused {

namespace {

using nlohmann::json;

constexpr int kNameColumns = 18;
constexpr int kNumberColumns = 12;

std::uint64_t counter_at(const json& report, const json::json_pointer& where) {
  return report.is_object() && report.contains(where) ? report[where].get<std::uint64_t>() : 0;
}

std::uint64_t difference(const json& report, const json& before, const json::json_pointer& pointer) {
  return counter_at(report, pointer) - counter_at(before, pointer);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  std::ostringstream text;
  text << std::fixed << std::setprecision(unit == 0 ? 0 : 1) << value << " " << kUnits[unit];
  return text.str();
}

void add_row(std::ostringstream& text, const std::string& name, const std::vector<std::string>& cells) {
  text << "  " << std::left << std::setw(kNameColumns) << name << std::right;
  for (const std::string& cell : cells) {
    text << std::setw(kNumberColumns) << cell;
  }
  text << "\n";
}

// A table of the calls in `section`, with one column per kind of counter.
void add_calls(std::ostringstream& text, const json& report, const json& before, const std::string& section,
               const std::vector<std::string>& columns) {
  add_row(text, section, columns);
  for (const auto& [name, counters] : report[section].items()) {
    std::vector<std::string> cells;
    bool happened = false;
    for (const std::string& column : columns) {
      std::uint64_t count = difference(report, before, json::json_pointer() / section / name / column);
      happened = happened || count > 0;
      cells.push_back(std::to_string(count));
    }
    if (happened) {
      add_row(text, name, cells);
    }
  }
}

std::string option_text(const json& options) {
  std::string text;
  for (const auto& [name, value] : options.items()) {
    std::string word;
    if (value.is_boolean()) {
      word = value.get<bool>() ? name : "";
    } else if (value != "") {
      word = name + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
    }
    if (!word.empty()) {
      text += (text.empty() ? "" : ",") + word;
    }
  }
  return text;
}

}  // namespace

std::string status_text(const json& status) {
  std::ostringstream text;
  auto add = [&text](const std::string& name, const std::string& value) {
    text << "  " << std::left << std::setw(kNameColumns) << name << value << "\n";
  };
  text << status["mountpoint"].get<std::string>() << "\n";
  add("source", status["source"]);
  add("state", status["state"]);
  add("server", status["server"]["state"].get<std::string>() + " for " + status["server"]["since"].dump() + " s");
  add("pid", status["pid"].is_null() ? "none" : status["pid"].dump());
  add("uptime", status["uptime_seconds"].dump() + " s");
  add("options", option_text(status["options"]));
  std::string directory = status["cache"]["directory"];
  std::string used = bytes_text(status["cache"]["bytes"]) + " of " + bytes_text(status["cache"]["limit_bytes"]);
  add("cache", directory.empty() ? "memory only" : directory + ", " + used);
  return text.str();
}

std::string statistics_text(const json& statistics, const json& before) {
  std::ostringstream text;
  text << statistics["mountpoint"].get<std::string>() << "\n";
  add_calls(text, statistics, before, "rpc", {"calls", "errors", "retries"});
  add_calls(text, statistics, before, "fuse", {"calls", "errors"});
  auto count = [&](const std::string& where) {
    return std::to_string(difference(statistics, before, json::json_pointer(where)));
  };
  add_row(text, "cache", {"hits", "misses", "entries"});
  add_row(text, "metadata",
          {count("/cache/metadata/hits"), count("/cache/metadata/misses"),
           statistics["cache"]["metadata"]["entries"].dump()});
  add_row(text, "pages", {count("/cache/pages/hits"), count("/cache/pages/misses"), "-"});
  add_row(text, "open files", {statistics["open_files"].dump()});
  add_row(text, "dirty", {bytes_text(statistics["dirty_bytes"])});
  add_row(text, "memory", {bytes_text(statistics["memory_bytes"])});
  return text.str();
}

}  // namespace fused
