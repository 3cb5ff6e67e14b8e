// ModelPlayer: plays random file operations on two directories at once, the one under test and a plain local one, and
// compares every result, errno, attribute and byte.
//
// Several threads play at the same time in the same directories; each owns the names with its own prefix, so that what
// it sees of them is its own doing. The sequence follows from the seed (the threads' interleaving does not). Needs root
// (owners, device nodes). Blocks until played.
#pragma once

#include <cstdint>
#include <string>

namespace support {

struct ModelGame {
  std::string tested;     // directory under test
  std::string reference;  // plain local directory
  std::uint64_t seed = 0;
  int threads = 4;
  int operations = 100'000;  // over all threads
};

// Returns an empty string, or the first difference with the operation and seed that showed it.
std::string play(const ModelGame& game);

// Compares two trees: names, types, modes, owners, sizes, links and bytes. Empty when they are the same.
std::string compare_trees(const std::string& tested, const std::string& reference);

// A seed for one run, printed by the caller; FUSED_TEST_SEED in the environment repeats an earlier one.
std::uint64_t test_seed();

}  // namespace support
