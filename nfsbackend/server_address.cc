#include "nfsbackend/server_address.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace nfs {

namespace {

constexpr std::chrono::seconds kResolveInterval{10};

}  // namespace

std::expected<std::vector<std::string>, ResolveError> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    std::string message = error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error);
    return std::unexpected(ResolveError{std::move(message), error == EAI_AGAIN});
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(info->ai_addr, info->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
      continue;
    }
    std::string address = text.data();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  if (addresses.empty()) {
    return std::unexpected(ResolveError{"no usable address", false});
  }
  return addresses;
}

ServerAddress::ServerAddress(std::string host, std::uint16_t port, std::vector<std::string> addresses,
                             const Clock& clock)
    : host_(std::move(host)), port_(port), clock_(clock), addresses_(std::move(addresses)), resolved_at_(clock.now()) {}

std::string ServerAddress::current() const {
  std::lock_guard lock(mutex_);
  return addresses_[current_];
}

void ServerAddress::failed(const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    if (addresses_[current_] != address) {
      return;  // another connection has moved on already
    }
    current_ = (current_ + 1) % addresses_.size();
    if (current_ != 0 || clock_.now() - resolved_at_ < kResolveInterval) {
      return;
    }
    resolved_at_ = clock_.now();
  }
  // Not under the lock: the resolver may take many seconds and the others need the address meanwhile.
  auto addresses = resolve(host_);
  if (addresses) {
    std::lock_guard lock(mutex_);
    addresses_ = std::move(*addresses);
    current_ = 0;
  }
}

}  // namespace nfs
