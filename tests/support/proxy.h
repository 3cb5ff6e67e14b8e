// Proxy: stands between an NFS client and its server on loopback TCP. It adds a round trip's delay without limiting the
// rate, counts the calls that pass by NFS procedure, and misbehaves as networks do.
//
// Its port stays the same for its whole life. Everything runs in one thread of its own.
// Thread-safety: every member may be called from any thread; each has taken effect when it returns.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace support {

class Proxy {
 public:
  // Listens on 127.0.0.1 (0: a free port); connects to `server_port` there for each connection it accepts.
  explicit Proxy(std::uint16_t server_port, std::chrono::microseconds round_trip = {}, std::uint16_t listen_port = 0);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::uint16_t port() const;
  void set_round_trip(std::chrono::microseconds round_trip);

  // Swallows everything: bytes wait, connections are accepted and silent, until it is turned off again.
  void stall(bool stalled);
  void cut_connections();
  // Refuses new connections, and cuts those that exist.
  void refuse(bool refused);
  // The next reply to this NFS procedure ("MKDIR") is thrown away and its connection cut: the server has done the work.
  void drop_next_reply(const std::string& procedure);
  // How many replies drop_next_reply() has thrown away so far.
  std::uint64_t dropped() const;

  // NFS calls seen since the last reset, repetitions included; those that were never seen count 0.
  std::uint64_t calls(const std::string& procedure) const;
  std::map<std::string, std::uint64_t> calls() const;
  std::uint64_t all_calls() const;
  void reset_calls();
  // Connections accepted since the beginning.
  std::uint64_t accepted() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace support
