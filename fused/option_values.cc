#include "fused/option_values.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace fused {

namespace {

template <class T>
bool parse_whole(std::string_view text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

struct HostAndRest {
  std::string host;
  std::string_view rest;
};

// Splits a host, in brackets when it is an IPv6 address, from what follows.
bool split_host(std::string_view text, std::string_view separators, HostAndRest& parts) {
  if (text.starts_with('[')) {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1) {
      return false;
    }
    parts.host = text.substr(1, close - 1);
    parts.rest = text.substr(close + 1);
    return true;
  }
  std::size_t end = std::min(text.find_first_of(separators), text.size());
  parts.host = text.substr(0, end);
  parts.rest = text.substr(end);
  return !parts.host.empty();
}

constexpr std::string_view kSourceForm = "HOST:/EXPORT or nfs://HOST[:PORT]/EXPORT";

Parsed<Source> parse_url(std::string_view text) {
  HostAndRest parts;
  if (!split_host(text, ":/", parts)) {
    return std::unexpected(std::string(kSourceForm));
  }
  Source source;
  source.host = parts.host;
  if (parts.rest.starts_with(':')) {
    std::size_t slash = std::min(parts.rest.find('/'), parts.rest.size());
    Parsed<std::uint64_t> port = parse_number(parts.rest.substr(1, slash - 1), 1, 65535);
    if (!port) {
      return std::unexpected(std::string(kSourceForm) + " with a port from 1 to 65535");
    }
    source.port = static_cast<std::uint16_t>(*port);
    parts.rest = parts.rest.substr(slash);
  }
  if (!parts.rest.starts_with('/')) {
    return std::unexpected(std::string(kSourceForm));
  }
  source.export_path = parts.rest;
  return source;
}

}  // namespace

Parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t number = 0;
  if (!parse_whole(text, number) || number < min || number > max) {
    return std::unexpected("a number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return number;
}

Parsed<std::chrono::nanoseconds> parse_seconds(std::string_view text) {
  constexpr double kSecondsMax = 1e9;
  double seconds = 0;
  if (!parse_whole(text, seconds) || !std::isfinite(seconds) || seconds < 0 || seconds > kSecondsMax) {
    return std::unexpected("seconds, decimals allowed");
  }
  return std::chrono::round<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kSuffixes = "KMGT";
  unsigned shift = 0;
  std::string_view digits = text;
  if (!digits.empty()) {
    std::size_t suffix = kSuffixes.find(static_cast<char>(digits.back() & ~0x20));
    if (suffix != std::string_view::npos) {
      shift = static_cast<unsigned>(10 * (suffix + 1));
      digits.remove_suffix(1);
    }
  }
  std::uint64_t number = 0;
  if (!parse_whole(digits, number) || number > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return std::unexpected("bytes, or a number with a suffix K, M, G or T");
  }
  return number << shift;
}

Parsed<ListenAddress> parse_listen_address(std::string_view text) {
  constexpr std::string_view kForm = "ADDR:PORT, for instance 127.0.0.1:9400";
  HostAndRest parts;
  if (!split_host(text, ":", parts) || !parts.rest.starts_with(':')) {
    return std::unexpected(std::string(kForm));
  }
  Parsed<std::uint64_t> port = parse_number(parts.rest.substr(1), 1, 65535);
  if (!port) {
    return std::unexpected(std::string(kForm) + ", with a port from 1 to 65535");
  }
  return ListenAddress{parts.host, static_cast<std::uint16_t>(*port)};
}

Parsed<Source> parse_source(std::string_view text) {
  constexpr std::string_view kScheme = "nfs://";
  if (text.starts_with(kScheme)) {
    return parse_url(text.substr(kScheme.size()));
  }
  HostAndRest parts;
  if (!split_host(text, ":", parts) || !parts.rest.starts_with(":/") || parts.host.find('/') != std::string::npos) {
    return std::unexpected(std::string(kSourceForm));
  }
  return Source{parts.host, std::string(parts.rest.substr(1)), 0};
}

}  // namespace fused
