#include "fused/control_server.h"

#include <httplib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "fused/option_values.h"
#include "fused/state_files.h"

namespace fused {

namespace {

constexpr int kWorkerThreads = 2;
constexpr std::chrono::seconds kDrainDefault{30};

std::string to_text(const nlohmann::json& report) {
  // Paths need not be UTF-8.
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::chrono::seconds drain_limit(const httplib::Request& request) {
  constexpr std::uint64_t kSecondsMax = 3600;
  Parsed<std::uint64_t> seconds = parse_number(request.get_param_value("seconds"), 0, kSecondsMax);
  return seconds ? std::chrono::seconds(*seconds) : kDrainDefault;
}

}  // namespace

HttpService::HttpService() : server_(std::make_unique<httplib::Server>()) {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kWorkerThreads); };
  // A client that keeps its connection would keep a worker.
  server_->set_keep_alive_max_count(1);
  server_->set_read_timeout(std::chrono::seconds(5));
  server_->set_write_timeout(std::chrono::seconds(5));
}

HttpService::~HttpService() {
  if (thread_.joinable()) {
    server_->stop();
    thread_.join();
  }
}

bool HttpService::bind_unix(const std::string& path) {
  server_->set_address_family(AF_UNIX);
  constexpr int kNoPort = 80;  // httplib wants one
  return server_->bind_to_port(path, kNoPort);
}

bool HttpService::bind_tcp(const ListenAddress& address) {
  // httplib's own choice, SO_REUSEPORT, would let two daemons share a port without a word.
  server_->set_socket_options([](socket_t socket) {
    int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  return server_->bind_to_port(address.host, address.port);
}

void HttpService::start() {
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  // stop() before the server listens would be lost.
  while (!server_->is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

ControlServer::ControlServer(const ReportSources& sources, Drain drain) {
  httplib::Server& server = service_.server();
  server.Get("/status", [&sources](const httplib::Request&, httplib::Response& response) {
    response.set_content(to_text(make_status_report(sources)), "application/json");
  });
  server.Get("/stats", [&sources](const httplib::Request&, httplib::Response& response) {
    response.set_content(to_text(make_statistics_report(sources)), "application/json");
  });
  server.Post("/drain", [drain](const httplib::Request& request, httplib::Response& response) {
    std::string problem = drain(drain_limit(request));
    response.status = problem.empty() ? 200 : 503;
    response.set_content(problem, "text/plain");
  });
}

ControlServer::~ControlServer() {
  if (!socket_path_.empty()) {
    ::unlink(socket_path_.c_str());
  }
}

std::expected<void, std::string> ControlServer::start(const std::string& socket_path) {
  if (auto made = make_private_directory(runtime_directory()); !made) {
    return made;
  }
  // Device numbers are used again: what lies there is of a daemon that was killed.
  ::unlink(socket_path.c_str());
  if (!service_.bind_unix(socket_path)) {
    return std::unexpected("cannot listen on the control socket " + socket_path);
  }
  socket_path_ = socket_path;
  ::chmod(socket_path.c_str(), 0600);
  service_.start();
  return {};
}

std::expected<void, std::string> MetricsServer::bind(const ListenAddress& address) {
  if (!service_.bind_tcp(address)) {
    return std::unexpected("option metrics=" + address.host + ":" + std::to_string(address.port) +
                           ": cannot listen there, give a free port of a local address");
  }
  return {};
}

void MetricsServer::start(const ReportSources& sources) {
  httplib::Server& server = service_.server();
  server.Get("/metrics", [&sources](const httplib::Request&, httplib::Response& response) {
    response.set_content(make_metrics(sources), "text/plain; version=0.0.4");
  });
  server.Get("/healthz",
             [](const httplib::Request&, httplib::Response& response) { response.set_content("ok\n", "text/plain"); });
  server.Get("/readyz", [&sources](const httplib::Request&, httplib::Response& response) {
    bool healthy = is_healthy(sources);
    response.status = healthy ? 200 : 503;
    response.set_content(healthy ? "ok\n" : "the NFS server does not answer\n", "text/plain");
  });
  service_.start();
}

}  // namespace fused
