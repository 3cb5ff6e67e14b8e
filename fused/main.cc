// The program: finds the command and runs it.
#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "fused/commands.h"

namespace {

struct Command {
  std::string_view name;
  int (*run)(const fused::Words&);
};

constexpr std::array<Command, 6> kCommands = {{
    {"mount", fused::run_mount},
    {"umount", fused::run_umount},
    {"status", fused::run_status},
    {"stats", fused::run_stats},
    {"version", fused::run_version},
    {"help", fused::run_help},
}};

int dispatch(const fused::Words& words) {
  if (words.empty()) {
    return fused::fail("help", "a command is missing (see fused help)", fused::kExitUsage);
  }
  std::string name = words[0];
  if (name == "--help" || name == "-h") {
    name = "help";
  } else if (name == "--version" || name == "-V") {
    name = "version";
  }
  const auto* command = std::ranges::find(kCommands, name, &Command::name);
  if (command == kCommands.end()) {
    return fused::fail(words[0], "unknown command (see fused help)", fused::kExitUsage);
  }
  fused::Words rest(words.begin() + 1, words.end());
  if (std::ranges::find(rest, "--help") != rest.end()) {
    return fused::run_help({name});
  }
  return command->run(rest);
}

}  // namespace

int main(int argc, char** argv) {
  fused::Words words(argv + std::min(argc, 1), argv + argc);
  std::string called_as = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "";
  if (called_as == "mount.fused" || called_as == "mount.fuse.fused") {
    return fused::run_mount_helper(words);
  }
  return dispatch(words);
}
