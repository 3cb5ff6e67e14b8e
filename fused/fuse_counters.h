// FuseCounters: how many FUSE requests of each kind came, and how many were answered with an error.
//
// Operations are the kernel's opcodes (linux/fuse.h), named as the kernel names them without the prefix ("LOOKUP").
// Thread-safety: every member may be called from any thread; counting takes no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace fused {

struct OperationCounters {
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
};
using FuseStatistics = std::map<std::string, OperationCounters, std::less<>>;

class FuseCounters {
 public:
  static constexpr std::uint32_t kOpcodesMax = 64;  // opcodes from here on (CUSE) are not ours

  void count_call(std::uint32_t opcode);
  void count_error(std::uint32_t opcode);
  FuseStatistics statistics() const;

 private:
  struct Cell {
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> errors{0};
  };
  std::array<Cell, kOpcodesMax> cells_;
};

// Does the program serve this operation? The others get ENOSYS, after which the kernel mostly stops asking.
bool is_served(std::uint32_t opcode);

}  // namespace fused
