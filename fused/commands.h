// The commands of the program. Each takes the words behind its name and returns the process's exit code.
//
// Errors are one line on standard error, "fused: COMMAND: what is wrong". None waits for an NFS server, but for mount
// and a umount that has something to write out; a daemon that does not answer costs a few seconds at most.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fused {

// mount(8)'s codes, which all commands use for errors.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitFailure = 32;
// `status`
inline constexpr int kExitDegraded = 1;
inline constexpr int kExitNotMounted = 2;

using Words = std::vector<std::string>;

int run_mount(const Words& words);
// As mount(8) calls its helpers: SOURCE DIRECTORY [-sfnv] [-o OPTIONS] [-t TYPE].
int run_mount_helper(const Words& words);
int run_umount(const Words& words);
int run_status(const Words& words);
int run_stats(const Words& words);
int run_version(const Words& words);
int run_help(const Words& words);

// Prints "fused: COMMAND: text" and returns `exit_code`.
int fail(std::string_view command, std::string_view text, int exit_code);

}  // namespace fused
