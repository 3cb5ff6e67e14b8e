// GaneshaServer: a real NFS server for a test: nfs-ganesha on free loopback ports, exporting a temporary directory.
// Many run side by side; none needs rpcbind. It ends with the object, or with the test program however that ends.
//
// Ownership: the exported directories are the server's and go with it, but for one that it was given.
// Errors: throws std::runtime_error, with the server's log, when the server does not come up.
// Thread-safety: a value of one thread; the thread that made it must outlive the server.
#pragma once

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/subprocess.h"
#include "tests/support/temporary_directory.h"

namespace support {

struct GaneshaOptions {
  std::string squash = "No_Root_Squash";  // or "Root_Squash", "All_Squash"
  bool read_only = false;
  bool fresh_attributes = true;     // changes made directly in the directory are seen at once
  std::filesystem::path directory;  // what to export; empty: a temporary directory of the server's
};

class GaneshaServer {
 public:
  // Why no server can run here; empty when one can.
  static std::string why_not();

  explicit GaneshaServer(GaneshaOptions options = {});
  ~GaneshaServer();
  GaneshaServer(const GaneshaServer&) = delete;
  GaneshaServer& operator=(const GaneshaServer&) = delete;

  std::uint16_t nfs_port() const { return nfs_port_; }
  std::uint16_t mount_port() const { return mount_port_; }
  // What is exported, which is also the export's name.
  const std::filesystem::path& directory() const { return directory_; }
  // A second export with the same options, and one that nobody may mount.
  const std::filesystem::path& second_directory() const { return second_directory_; }
  const std::filesystem::path& denied_directory() const { return denied_directory_; }
  std::string log() const;

  void stop();          // SIGTERM, and waits
  void kill_at_once();  // SIGKILL, and waits
  // Again, on the same ports. May wait up to a second: the write verifier is the second the server started in, and one
  // that came back with the verifier it had would be a server that never went.
  void start();
  void pause();  // SIGSTOP: it accepts connections and answers nothing
  void resume();

 private:
  void write_configuration() const;
  bool ready() const;
  void launch();

  TemporaryDirectory place_;
  GaneshaOptions options_;
  std::filesystem::path directory_;
  std::filesystem::path second_directory_;
  std::filesystem::path denied_directory_;
  std::uint16_t nfs_port_ = 0;
  std::uint16_t mount_port_ = 0;
  std::time_t started_ = 0;
  std::unique_ptr<Subprocess> process_;
};

// A TCP port of 127.0.0.1 that nothing listens on at the moment.
std::uint16_t free_port();

}  // namespace support
