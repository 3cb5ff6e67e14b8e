#include "fused/mount_options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "fused/option_values.h"

namespace fused {

namespace {

namespace po = boost::program_options;

// What an option does; an error is the whole line behind "option NAME".
using Applied = std::expected<void, std::string>;
using Apply = std::function<Applied(MountOptions&, const std::string& value)>;

struct OptionRow {
  std::string_view name;
  bool takes_value = false;
  Apply apply;
};

constexpr std::chrono::seconds kAcregmin{3}, kAcregmax{60}, kAcdirmin{30}, kAcdirmax{60};

std::unexpected<std::string> bad_value(const std::string& value, const std::string& right) {
  return std::unexpected("=" + value + ": give " + right);
}

OptionRow flag(std::string_view name, void (*set)(MountOptions&)) {
  return {name, false, [set](MountOptions& options, const std::string&) -> Applied {
            set(options);
            return {};
          }};
}

OptionRow refused(std::string_view name, std::string_view why) {
  return {name, false,
          [why](MountOptions&, const std::string&) -> Applied { return std::unexpected(": " + std::string(why)); }};
}

OptionRow number(std::string_view name, std::uint64_t min, std::uint64_t max,
                 void (*set)(MountOptions&, std::uint64_t)) {
  return {name, true, [=](MountOptions& options, const std::string& value) -> Applied {
            Parsed<std::uint64_t> parsed = parse_number(value, min, max);
            if (!parsed) {
              return bad_value(value, parsed.error());
            }
            set(options, *parsed);
            return {};
          }};
}

OptionRow seconds(std::string_view name, void (*set)(MountOptions&, std::chrono::nanoseconds)) {
  return {name, true, [=](MountOptions& options, const std::string& value) -> Applied {
            Parsed<std::chrono::nanoseconds> parsed = parse_seconds(value);
            if (!parsed) {
              return bad_value(value, parsed.error());
            }
            set(options, *parsed);
            return {};
          }};
}

OptionRow size(std::string_view name, void (*set)(MountOptions&, std::uint64_t)) {
  return {name, true, [=](MountOptions& options, const std::string& value) -> Applied {
            Parsed<std::uint64_t> parsed = parse_size(value);
            if (!parsed) {
              return bad_value(value, parsed.error());
            }
            set(options, *parsed);
            return {};
          }};
}

// One of a few words. A choice whose `set` is null is known, but refused: `right` tells what to give instead.
struct Choice {
  std::string_view word;
  void (*set)(MountOptions&);
};
OptionRow choice(std::string_view name, std::vector<Choice> choices, std::string right) {
  return {name, true, [=](MountOptions& options, const std::string& value) -> Applied {
            auto found = std::ranges::find(choices, value, &Choice::word);
            if (found == choices.end() || found->set == nullptr) {
              return bad_value(value, right);
            }
            found->set(options);
            return {};
          }};
}

OptionRow text(std::string_view name, void (*set)(MountOptions&, const std::string&), std::string right) {
  return {name, true, [=](MountOptions& options, const std::string& value) -> Applied {
            if (value.empty()) {
              return bad_value(value, right);
            }
            set(options, value);
            return {};
          }};
}

void set_all_lifetimes(MountOptions& options, std::chrono::nanoseconds lifetime) {
  options.cache.acregmin = options.cache.acregmax = options.cache.acdirmin = options.cache.acdirmax = lifetime;
}

void set_noac(MountOptions& options) {
  options.noac = true;
  set_all_lifetimes(options, std::chrono::nanoseconds(0));
}

// Takes a noac back; lifetimes that were given stay.
void set_ac(MountOptions& options) {
  if (options.noac) {
    options.noac = false;
    options.cache.acregmin = kAcregmin;
    options.cache.acregmax = kAcregmax;
    options.cache.acdirmin = kAcdirmin;
    options.cache.acdirmax = kAcdirmax;
  }
}

void ignore(MountOptions&) {}

// 0 means the largest, as in nfs(5).
std::uint32_t clamp_transfer(std::uint64_t bytes) {
  constexpr std::uint64_t kTransferBytesMin = 4096;  // a page
  if (bytes == 0) {
    return nfs::kTransferBytesMax;
  }
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes, kTransferBytesMin, nfs::kTransferBytesMax));
}

std::vector<OptionRow> connection_rows() {
  using M = MountOptions&;
  constexpr std::uint64_t kBytesMax = 1ULL << 32;
  const std::string version = "3, the only version that works";
  const std::string protocol = "tcp, the only transport that works";
  return {
      choice("vers", {{"3", ignore}}, version),
      choice("nfsvers", {{"3", ignore}}, version),
      choice("proto", {{"tcp", ignore}}, protocol),
      flag("tcp", ignore),
      refused("udp", "udp does not work, give proto=tcp"),
      choice("sec", {{"sys", ignore}}, "sys, the only flavor that works"),
      number("port", 0, 65535, [](M o, std::uint64_t n) { o.connect.nfs_port = static_cast<std::uint16_t>(n); }),
      number("mountport", 0, 65535, [](M o, std::uint64_t n) { o.connect.mount_port = static_cast<std::uint16_t>(n); }),
      number("nconnect", 1, 16, [](M o, std::uint64_t n) { o.connect.connections = static_cast<int>(n); }),
      number("rsize", 0, kBytesMax, [](M o, std::uint64_t n) { o.connect.read_bytes_max = clamp_transfer(n); }),
      number("wsize", 0, kBytesMax, [](M o, std::uint64_t n) { o.connect.write_bytes_max = clamp_transfer(n); }),
      flag("hard", [](M o) { o.connect.persistence = nfs::Persistence::kHard; }),
      flag("soft", [](M o) { o.connect.persistence = nfs::Persistence::kSoft; }),
      flag("softerr", [](M o) { o.connect.persistence = nfs::Persistence::kSofterr; }),
      number("timeo", 1, 1'000'000,
             [](M o, std::uint64_t n) { o.connect.timeout = std::chrono::milliseconds(100 * n); }),
      number("retrans", 0, 1000, [](M o, std::uint64_t n) { o.connect.retransmissions = static_cast<int>(n); }),
      number("retry", 0, 1'000'000, [](M o, std::uint64_t n) { o.retry_minutes = std::chrono::minutes(n); }),
      flag("bg", [](M o) { o.background = true; }),
      flag("fg", [](M o) { o.background = false; }),
      flag("resvport", [](M o) { o.reserved_port = true; }),
      flag("noresvport", [](M o) { o.reserved_port = false; }),
      flag("intr", ignore),
      flag("nointr", ignore),
  };
}

std::vector<OptionRow> caching_rows() {
  using M = MountOptions&;
  using D = std::chrono::nanoseconds;
  return {
      flag("cto", [](M o) { o.cache.close_to_open = true; }),
      flag("nocto", [](M o) { o.cache.close_to_open = false; }),
      flag("ac", set_ac),
      flag("noac", set_noac),
      seconds("acregmin", [](M o, D d) { o.cache.acregmin = d; }),
      seconds("acregmax", [](M o, D d) { o.cache.acregmax = d; }),
      seconds("acdirmin", [](M o, D d) { o.cache.acdirmin = d; }),
      seconds("acdirmax", [](M o, D d) { o.cache.acdirmax = d; }),
      seconds("actimeo", set_all_lifetimes),
      choice("lookupcache",
             {{"all", [](M o) { o.cache.lookupcache = cache::LookupCache::kAll; }},
              {"pos", [](M o) { o.cache.lookupcache = cache::LookupCache::kPositive; }},
              {"positive", [](M o) { o.cache.lookupcache = cache::LookupCache::kPositive; }},
              {"none", [](M o) { o.cache.lookupcache = cache::LookupCache::kNone; }}},
             "all, pos or none"),
      choice("perm",
             {{"server", [](M o) { o.cache.permission = cache::Permission::kServer; }},
              {"local", [](M o) { o.cache.permission = cache::Permission::kLocal; }}},
             "server or local"),
      flag("rdirplus", [](M o) { o.cache.readdirplus = true; }),
      flag("nordirplus", [](M o) { o.cache.readdirplus = false; }),
      flag("sync", [](M o) { o.sync = true; }),
      flag("async", [](M o) { o.sync = false; }),
      text(
          "cache", [](M o, const std::string& v) { o.cache_directory = v; }, "a directory"),
      size("cachesize", [](M o, std::uint64_t n) { o.cache_bytes_max = n; }),
      size("memsize", [](M o, std::uint64_t n) { o.cache.memory_bytes_max = n; }),
      flag("nolock", ignore),
      refused("lock", "locks at the server do not work yet, give nolock (locks then hold on this node)"),
      choice("local_lock", {{"all", ignore}, {"flock", ignore}, {"posix", ignore}, {"none", nullptr}},
             "all: locks at the server do not work yet"),
  };
}

std::vector<OptionRow> mount_rows() {
  using M = MountOptions&;
  std::vector<OptionRow> rows = {
      flag("ro", [](M o) { o.cache.read_only = true; }),
      flag("rw", [](M o) { o.cache.read_only = false; }),
      flag("nosuid", [](M o) { o.nosuid = true; }),
      flag("suid", [](M o) { o.nosuid = false; }),
      flag("nodev", [](M o) { o.nodev = true; }),
      flag("dev", [](M o) { o.nodev = false; }),
      flag("noexec", [](M o) { o.noexec = true; }),
      flag("exec", [](M o) { o.noexec = false; }),
      flag("noatime", [](M o) { o.noatime = true; }),
      flag("atime", [](M o) { o.noatime = false; }),
      flag("allow_other", [](M o) { o.allow_other = true; }),
      flag("default_permissions", [](M o) { o.default_permissions = true; }),
      {"metrics", true,
       [](M o, const std::string& value) -> Applied {
         Parsed<ListenAddress> address = parse_listen_address(value);
         if (!address) {
           return bad_value(value, address.error());
         }
         o.metrics_address = *address;
         return {};
       }},
      text(
          "log", [](M o, const std::string& v) { o.log_file = v; }, "a file"),
      {"loglevel", true,
       [](M o, const std::string& value) -> Applied {
         constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warning", "error", "critical", "off"};
         if (std::ranges::find(kLevels, value) == std::end(kLevels)) {
           return bad_value(value, "trace, debug, info, warning, error, critical or off");
         }
         o.log_level = value;
         return {};
       }},
  };
  // mount(8)'s and fstab(5)'s own words, and those that mean nothing here: the server keeps the access times.
  for (std::string_view word :
       {"defaults", "_netdev",    "nofail",   "noauto",     "auto",        "user",          "nouser",   "users",
        "owner",    "group",      "relatime", "norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime",
        "diratime", "nodiratime", "iversion", "noiversion", "silent",      "loud"}) {
    rows.push_back(flag(word, ignore));
  }
  return rows;
}

std::vector<std::string> split_options(const std::vector<std::string>& option_strings) {
  std::vector<std::string> words;
  for (const std::string& option_string : option_strings) {
    std::size_t begin = 0;
    while (begin <= option_string.size()) {
      std::size_t comma = std::min(option_string.find(',', begin), option_string.size());
      std::string word = option_string.substr(begin, comma - begin);
      // Comments for other programs (systemd's x-systemd.automount, fstab's comment=...).
      if (!word.empty() && !word.starts_with("x-") && !word.starts_with("X-") && !word.starts_with("comment=")) {
        words.push_back(std::move(word));
      }
      begin = comma + 1;
    }
  }
  return words;
}

// The words as Boost reads them: each is one long option, NAME or NAME=VALUE.
std::expected<po::parsed_options, std::string> read_words(const std::vector<std::string>& words,
                                                          const std::map<std::string_view, OptionRow>& rows) {
  po::options_description known;
  for (const auto& [name, row] : rows) {
    if (row.takes_value) {
      known.add_options()(std::string(name).c_str(), po::value<std::string>());
    } else {
      known.add_options()(std::string(name).c_str(), "");
    }
  }
  std::vector<std::string> arguments;
  for (const std::string& word : words) {
    std::string_view name = std::string_view(word).substr(0, word.find('='));
    auto row = rows.find(name);
    if (row == rows.end()) {
      return std::unexpected("unknown option " + std::string(name));
    }
    bool has_value = word.find('=') != std::string::npos;
    if (has_value != row->second.takes_value) {
      return std::unexpected("option " + std::string(name) + (has_value ? " takes no value" : " needs a value"));
    }
    if (has_value && name.size() + 1 == word.size()) {
      return std::unexpected("option " + std::string(name) + " needs a value");
    }
    arguments.push_back("--" + word);
  }
  try {
    using namespace po::command_line_style;
    return po::command_line_parser(arguments).options(known).style(allow_long | long_allow_adjacent).run();
  } catch (const po::error& error) {
    return std::unexpected(error.what());
  }
}

std::expected<void, std::string> check_lifetimes(const cache::Options& options) {
  auto seconds_of = [](std::chrono::nanoseconds duration) {
    std::string digits = nlohmann::json(std::chrono::duration<double>(duration).count()).dump();
    return digits.ends_with(".0") ? digits.substr(0, digits.size() - 2) : digits;
  };
  auto check = [&](std::string_view kind, std::chrono::nanoseconds min,
                   std::chrono::nanoseconds max) -> std::expected<void, std::string> {
    if (min <= max) {
      return {};
    }
    std::string name(kind);
    return std::unexpected("option " + name + "min=" + seconds_of(min) + ": above " + name + "max=" + seconds_of(max) +
                           ", give a larger " + name + "max too");
  };
  if (auto regular = check("acreg", options.acregmin, options.acregmax); !regular) {
    return regular;
  }
  return check("acdir", options.acdirmin, options.acdirmax);
}

std::expected<void, std::string> apply_words(MountOptions& options, const std::vector<std::string>& words) {
  std::map<std::string_view, OptionRow> rows;
  for (const auto& group : {connection_rows(), caching_rows(), mount_rows()}) {
    for (const OptionRow& row : group) {
      rows.emplace(row.name, row);
    }
  }
  std::expected<po::parsed_options, std::string> parsed = read_words(words, rows);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  for (const po::option& option : parsed->options) {
    std::string value = option.value.empty() ? std::string() : option.value.front();
    if (Applied applied = rows.at(option.string_key).apply(options, value); !applied) {
      return std::unexpected("option " + option.string_key + applied.error());
    }
  }
  return {};
}

}  // namespace

std::chrono::minutes MountOptions::retry() const {
  constexpr std::chrono::minutes kForeground{2}, kBackground{10'000};
  return retry_minutes.value_or(background ? kBackground : kForeground);
}

std::expected<MountOptions, std::string> parse_mount_options(std::string_view source,
                                                             const std::vector<std::string>& option_strings,
                                                             bool is_root) {
  MountOptions options;
  options.source = source;
  options.allow_other = is_root;
  Parsed<Source> parsed_source = parse_source(source);
  if (!parsed_source) {
    return std::unexpected("source " + std::string(source) + ": give " + parsed_source.error());
  }
  options.connect.host = parsed_source->host;
  options.connect.export_path = parsed_source->export_path;
  options.connect.nfs_port = parsed_source->port;
  if (auto applied = apply_words(options, split_options(option_strings)); !applied) {
    return std::unexpected(applied.error());
  }
  if (auto checked = check_lifetimes(options.cache); !checked) {
    return std::unexpected(checked.error());
  }
  options.cache.synchronous = options.sync || options.noac;
  options.cache.read_bytes_max = options.connect.read_bytes_max;
  options.cache.write_bytes_max = options.connect.write_bytes_max;
  // perm=local leaves the judgement to the kernel, which must then make it.
  options.default_permissions |= options.cache.permission == cache::Permission::kLocal;
  return options;
}

}  // namespace fused
