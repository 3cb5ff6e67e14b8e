#include "tests/support/ganesha_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <system_error>

namespace support {

namespace {

constexpr const char* kServer = "/usr/bin/ganesha.nfsd";
constexpr int kAttempts = 3;

void write_export(std::ostream& out, int id, const std::filesystem::path& directory, const GaneshaOptions& options,
                  const std::string& access) {
  out << "EXPORT {\n"
      << "  Export_Id = " << id << ";\n"
      << "  Path = \"" << directory.string() << "\";\n"
      << "  Pseudo = \"/export" << id << "\";\n"
      << "  Protocols = 3;\n"
      << "  Transports = TCP;\n"
      << "  SecType = sys;\n"
      << "  Access_Type = " << access << ";\n"
      << "  Squash = " << options.squash << ";\n";
  if (options.fresh_attributes) {
    out << "  Attr_Expiration_Time = 0;\n";
  }
  out << "  FSAL { Name = VFS; }\n}\n";
}

}  // namespace

std::uint16_t free_port() {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  bool found = listener >= 0 && bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
               getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  int error = errno;
  close(listener);
  if (!found) {
    throw std::system_error(error, std::generic_category(), "no free port");
  }
  return ntohs(address.sin_port);
}

std::string GaneshaServer::why_not() {
  if (access(kServer, X_OK) != 0) {
    return std::string(kServer) + " is not installed";
  }
  return geteuid() == 0 ? "" : "nfs-ganesha needs root";
}

GaneshaServer::GaneshaServer(GaneshaOptions options) : options_(std::move(options)) {
  directory_ = options_.directory.empty() ? place_.path() / "export" : options_.directory;
  second_directory_ = place_.path() / "second";
  denied_directory_ = place_.path() / "denied";
  for (const auto& each : {directory_, second_directory_, denied_directory_, place_.path() / "recovery"}) {
    std::filesystem::create_directories(each);
  }
  // Another program may take a port between its choice and its use.
  for (int attempt = 1;; ++attempt) {
    nfs_port_ = free_port();
    mount_port_ = free_port();
    write_configuration();
    try {
      start();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == kAttempts) {
        throw;
      }
    }
  }
}

GaneshaServer::~GaneshaServer() {
  if (process_ && process_->running()) {
    process_->send_signal(SIGCONT);
    stop();
  }
}

void GaneshaServer::write_configuration() const {
  std::ofstream out(place_.path() / "ganesha.conf");
  out << "NFS_CORE_PARAM {\n"
      << "  NFS_Port = " << nfs_port_ << ";\n"
      << "  MNT_Port = " << mount_port_ << ";\n"
      << "  Bind_Addr = 127.0.0.1;\n"
      << "  Protocols = 3;\n"
      << "  Enable_NLM = false;\n"
      << "  Enable_RQUOTA = false;\n"
      << "  Enable_UDP = false;\n"
      << "}\n"
      << "NFSV4 {\n"
      << "  Graceless = true;\n"
      << "  RecoveryBackend = fs;\n"
      << "  RecoveryRoot = \"" << (place_.path() / "recovery").string() << "\";\n"
      << "  Only_Numeric_Owners = true;\n"
      << "}\n"
      << "NFS_KRB5 { Active_krb5 = false; }\n";
  std::string access = options_.read_only ? "RO" : "RW";
  write_export(out, 1, directory_, options_, access);
  write_export(out, 2, second_directory_, options_, access);
  write_export(out, 3, denied_directory_, options_, "None");
}

std::string GaneshaServer::log() const {
  std::filesystem::path log = place_.path() / "ganesha.log";
  return std::filesystem::exists(log) ? read_text(log) : "(the server wrote no log)";
}

bool GaneshaServer::ready() const {
  return log().find("NFS SERVER INITIALIZED") != std::string::npos;
}

void GaneshaServer::launch() {
  std::string place = place_.path().string();
  std::filesystem::remove(place + "/ganesha.log");
  Subprocess::Command command;
  command.arguments = {
      kServer, "-F", "-f", place + "/ganesha.conf", "-L", place + "/ganesha.log", "-p", place + "/ganesha.pid"};
  command.environment = {{"LD_PRELOAD", NO_RPCBIND_LIBRARY}};
  process_ = std::make_unique<Subprocess>(command);
}

void GaneshaServer::start() {
  eventually([this] { return std::time(nullptr) > started_; }, std::chrono::seconds(2));
  launch();
  bool up = eventually([this] { return ready() || !process_->running(); }, std::chrono::seconds(20));
  // The server took its time of start between the launch and now.
  started_ = std::time(nullptr);
  if (!up || !process_->running()) {
    process_.reset();
    throw std::runtime_error("nfs-ganesha did not come up:\n" + log());
  }
}

void GaneshaServer::stop() {
  process_->send_signal(SIGTERM);
  if (!process_->wait(std::chrono::seconds(10))) {
    std::cerr << "nfs-ganesha does not stop, killing it\n";
  }
  process_.reset();
}

void GaneshaServer::kill_at_once() {
  process_->send_signal(SIGKILL);
  process_->wait(std::chrono::seconds(10));
  process_.reset();
}

namespace {

bool all_threads_stopped(pid_t pid) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::string stat = read_text(task.path() / "stat");
    if (stat.substr(stat.rfind(')') + 1, 2) != " T") {
      return false;
    }
  }
  return true;
}

}  // namespace

void GaneshaServer::pause() {
  process_->send_signal(SIGSTOP);
  // The signal is on its way to each thread; until it is there, the server still answers.
  eventually([this] { return all_threads_stopped(process_->pid()); });
}

void GaneshaServer::resume() {
  process_->send_signal(SIGCONT);
}

}  // namespace support
