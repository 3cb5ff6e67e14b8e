// ControlServer: answers the commands over HTTP on a unix socket. MetricsServer: Prometheus and probes over TCP.
//
// Control: GET /status, GET /stats (JSON), POST /drain?seconds=N (writes out dirty data; 200 when all of it is stable,
// 503 with a line otherwise). Metrics: GET /metrics, /healthz (200 while the process serves), /readyz (503 while the
// server is away). Nothing but /drain waits for the NFS server.
//
// Threads: one that accepts and two that answer, each. Ownership: borrows the sources. The socket is only for its user
// (0600) and removed at the end. Thread-safety: made and destroyed by one thread.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "fused/mount_options.h"
#include "fused/reports.h"

namespace httplib {
class Server;
}

namespace fused {

// Writes out what is dirty, waiting `limit` at most. Empty when done, else one line why not.
using Drain = std::function<std::string(std::chrono::seconds limit)>;

// An HTTP server and its accepting thread.
class HttpService {
 public:
  HttpService();
  ~HttpService();
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  httplib::Server& server() { return *server_; }
  bool bind_unix(const std::string& path);
  bool bind_tcp(const ListenAddress& address);
  // REQUIRES: bound.
  void start();

 private:
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
};

class ControlServer {
 public:
  ControlServer(const ReportSources& sources, Drain drain);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  std::expected<void, std::string> start(const std::string& socket_path);

 private:
  std::string socket_path_;
  HttpService service_;
};

class MetricsServer {
 public:
  // Takes the address; requests wait until start(). Fails with one line.
  std::expected<void, std::string> bind(const ListenAddress& address);
  void start(const ReportSources& sources);

 private:
  HttpService service_;
};

}  // namespace fused
