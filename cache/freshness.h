// Freshness: how long what was learned may be used. Nothing else in the program compares times with lifetimes.
//
// The promise (see README, "Freshness"): attributes live acregmin..acregmax (files) or acdirmin..acdirmax
// (directories), growing while they are found unchanged; names and listings live as long as their directory's
// attributes; lookupcache narrows which names are kept at all; with close-to-open every open of a file checks with the
// server.
//
// A check counts from the moment its call was sent, since the server may have answered right after that.
// Thread-safety: pure functions of their arguments.
#pragma once

#include <chrono>

#include "cache/options.h"
#include "nfsbackend/clock.h"
#include "nfsbackend/types.h"

namespace cache {

// When something was last checked with the server (the sending of that call), and how long that holds.
struct Validation {
  nfs::MonotonicTime checked_at;
  std::chrono::nanoseconds lifetime{0};
};

// Whether a request that began at `begun` may use it at `now`. A check sent after the request began always serves it,
// also with a lifetime of zero.
bool is_fresh(const Validation& validation, nfs::MonotonicTime begun, nfs::MonotonicTime now);

// How much longer the kernel may answer by itself; never negative.
std::chrono::nanoseconds remaining(const Validation& validation, nfs::MonotonicTime now);

// The lifetime after the first check and after each change that was found.
std::chrono::nanoseconds shortest_lifetime(const Options& options, nfs::FileType type);

// The lifetime after a check at `checked_at` found no change since `previous`: doubled once it had been used up.
std::chrono::nanoseconds next_lifetime(const Options& options, nfs::FileType type, const Validation& previous,
                                       nfs::MonotonicTime checked_at);

// Whether a name with (or without) a file behind it may be answered from memory at all.
bool may_remember_name(const Options& options, bool exists);

// What decides how long the kernel may resolve a name by itself.
struct NameFacts {
  bool exists = true;
  bool everybody_may_search = false;  // the directory's mode lets every class search
  bool several_links = false;         // a regular file with other names
  bool just_looked_up = false;        // a regular file whose name was asked of the server for this very request
};

// How long the kernel may resolve the name without a LOOKUP, given what is left of the directory's validation.
// Zero where each use must be seen here: where the search permission differs by caller, and, with close-to-open, where
// open() must know which name was walked (several links) or that the walk and the open are one system call.
std::chrono::nanoseconds kernel_name_lifetime(const Options& options, const NameFacts& facts,
                                              std::chrono::nanoseconds left);

// Whether an open at `now` may be of the same system call as the walk that asked the server at `asked_at`, when nothing
// but the name's zero lifetime tells. Bounds what an open through an O_PATH descriptor, which walks nothing, may miss.
bool is_same_walk(nfs::MonotonicTime asked_at, nfs::MonotonicTime now);

}  // namespace cache
