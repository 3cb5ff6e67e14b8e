// CommandLine: the flags, options and operands of a command, read with Boost.Program_options.
//
// Thread-safety: values only. Errors: one line.
#pragma once

#include <expected>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fused/commands.h"

namespace fused {

struct CommandLine {
  std::set<std::string> flags;                              // long names of the flags that were given
  std::map<std::string, std::vector<std::string>> options;  // long names and values, in order
  std::vector<std::string> operands;

  bool has(const std::string& flag) const { return flags.contains(flag); }
};

// What a command takes: names as "long", "long,s" or ",s" (Boost's form).
struct CommandForm {
  std::vector<std::string> flags;
  std::vector<std::string> options;
  std::size_t operands_min = 0;
  std::size_t operands_max = 0;
};

std::expected<CommandLine, std::string> parse_command_line(const Words& words, const CommandForm& form);

}  // namespace fused
