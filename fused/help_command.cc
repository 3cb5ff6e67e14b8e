// `fused version`, `fused help`, and the line every error is.
#include <iostream>

#include "fused/commands.h"

namespace fused {

namespace {

struct HelpText {
  std::string_view command;
  std::string_view text;
};

constexpr std::string_view kOverview = R"(usage: fused COMMAND [ARGUMENT...]

Mounting
  mount     mount an NFS export
  umount    write out what is dirty and unmount

Looking at mounts
  status    state of the mount, its server and its options
  stats     counters of NFS calls, FUSE requests and the cache

Other
  version   print the version
  help      explain a command

fused help COMMAND tells more; fused(1) and mount.fused(8) tell all.
)";

constexpr HelpText kHelpTexts[] = {
    {"mount", R"(usage: fused mount [-f] [-d] [-o OPTION[,OPTION...]] SOURCE MOUNTPOINT

Mounts an NFSv3 export. SOURCE is HOST:/EXPORT or nfs://HOST[:PORT]/EXPORT.
Returns when the mountpoint answers; a daemon goes on in the background.

  -f, --foreground   stay in the foreground, log to standard error
  -d, --debug        the same with a debug log
  -o, --options      mount options, as in nfs(5)

Connection:   vers=3 proto=tcp sec=sys port= mountport= nconnect= rsize= wsize=
              hard soft softerr timeo= retrans= retry= bg fg
Freshness:    cto nocto ac noac acregmin= acregmax= acdirmin= acdirmax=
              actimeo= lookupcache=all|pos|none rdirplus nordirplus sync async
Permissions:  ro rw nosuid nodev noexec noatime allow_other
              default_permissions perm=server|local nolock
Cache:        cache=DIRECTORY cachesize=SIZE memsize=SIZE
Operation:    metrics=ADDR:PORT log=FILE loglevel=LEVEL

mount.fused(8) explains every option. Exit status: 0 mounted, 1 wrong usage,
32 the mount failed.
)"},
    {"umount", R"(usage: fused umount [--lazy] MOUNTPOINT

Unmounts, waits until everything is written out and the daemon has ended.
Works on mounts whose daemon is dead, too.

  -l, --lazy   take the mount out of the tree now; what is open stays usable

Exit status: 0 unmounted, 1 wrong usage, 32 failure (for instance in use).
)"},
    {"status", R"(usage: fused status [MOUNTPOINT] [--json]

Tells the state of a mount, or of all.

  --json   print JSON: an object, or an array of them without MOUNTPOINT

Exit status: 0 healthy, 1 degraded (the server or the daemon does not answer),
2 not mounted.
)"},
    {"stats", R"(usage: fused stats [MOUNTPOINT] [--json] [--interval SECONDS]

Prints the counters of a mount, or of all: NFS calls by procedure, FUSE requests
by operation, hits and misses of the cache. They count from the mount on.

  --json               print JSON: an object, or an array without MOUNTPOINT
  --interval SECONDS   go on printing; tables then show what was added since the
                       one before, JSON comes one line a time

Exit status: 0 printed, 1 wrong usage, 2 not mounted, 32 the daemon does not answer.
)"},
    {"version", R"(usage: fused version

Prints the version.
)"},
    {"help", R"(usage: fused help [COMMAND]

Explains a command.
)"},
};

}  // namespace

int fail(std::string_view command, std::string_view text, int exit_code) {
  std::string line = "fused: " + std::string(command) + ": " + std::string(text);
  // One line, whatever is in the names it mentions.
  for (char& c : line) {
    if (c == '\n' || c == '\r') {
      c = ' ';
    }
  }
  std::cerr << line << std::endl;
  return exit_code;
}

int run_version(const Words& words) {
  if (!words.empty()) {
    return fail("version", "unexpected operand " + words[0], kExitUsage);
  }
  std::cout << "fused " << FUSED_VERSION << std::endl;
  return kExitOk;
}

int run_help(const Words& words) {
  if (words.empty()) {
    std::cout << kOverview << std::flush;
    return kExitOk;
  }
  for (const HelpText& help : kHelpTexts) {
    if (help.command == words[0]) {
      std::cout << help.text << std::flush;
      return kExitOk;
    }
  }
  return fail("help", "unknown command " + words[0] + " (see fused help)", kExitUsage);
}

}  // namespace fused
