// The values that options take: numbers, seconds, sizes, sources and addresses.
//
// Thread-safety: functions without state. Never block. Errors say what would be right ("a number from 1 to 16"), for
// the caller to put behind the option's name.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "fused/mount_options.h"

namespace fused {

// Either the value or a description of the values that are right.
template <class T>
using Parsed = std::expected<T, std::string>;

Parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max);
// Seconds, decimals allowed.
Parsed<std::chrono::nanoseconds> parse_seconds(std::string_view text);
// Bytes, with a suffix K, M, G or T for powers of 1024.
Parsed<std::uint64_t> parse_size(std::string_view text);
// ADDR:PORT, [ADDR]:PORT for IPv6.
Parsed<ListenAddress> parse_listen_address(std::string_view text);

struct Source {
  std::string host;
  std::string export_path;
  std::uint16_t port = 0;  // 0: not given
};
// HOST:/EXPORT, [IPV6]:/EXPORT or nfs://HOST[:PORT]/EXPORT.
Parsed<Source> parse_source(std::string_view text);

}  // namespace fused
