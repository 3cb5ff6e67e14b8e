// ClientContract: the fixture under which the same tests run on every implementation of nfs::Client: on the fake
// server, answering at once or from threads in shuffled order, and on the libnfs client with a real nfs-ganesha. What
// passes on the real server and not on the fake is a fault of the fake.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "nfsbackend/client.h"
#include "nfsbackend/connect.h"
#include "nfsbackend/system_clock.h"
#include "tests/support/fake_server.h"
#include "tests/support/ganesha_server.h"
#include "tests/support/print.h"
#include "tests/support/sync_wait.h"

namespace contract {

enum class Server { kFake, kFakeAsynchronous, kGanesha };

inline void PrintTo(Server server, std::ostream* out) {
  *out << static_cast<int>(server);
}
std::string server_name(const testing::TestParamInfo<Server>& info);

inline constexpr nfs::Credentials kRoot{};
nfs::Credentials user(std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups = {});

nfs::SetAttributes with_mode(std::uint32_t mode);
nfs::SetAttributes with_size(std::uint64_t size);
std::span<const std::byte> bytes_of(std::string_view text);
std::string text_of(const nfs::Bytes& bytes);

class ClientContract : public testing::TestWithParam<Server> {
 protected:
  // Connects to a fresh, empty export owned by root; skips where no real server can run.
  void SetUp() override { start(/*squash_root=*/false, /*read_only=*/false); }

  void start(bool squash_root, bool read_only);
  bool on_ganesha() const { return GetParam() == Server::kGanesha; }
  nfs::Client& client() { return *client_; }
  const nfs::FileHandle& root() const { return root_; }
  const nfs::FsinfoReply& limits() const { return limits_; }
  // Ends the server without warning and starts it again: what was not committed may be lost.
  void restart_server();

  // Shorthands that fail the test when the server refuses.
  nfs::FileHandle make_file(const nfs::FileHandle& directory, const std::string& name, std::uint32_t mode = 0644,
                            nfs::Credentials who = kRoot);
  nfs::FileHandle make_directory(const nfs::FileHandle& directory, const std::string& name, std::uint32_t mode = 0755,
                                 nfs::Credentials who = kRoot);
  void write_text(const nfs::FileHandle& file, std::uint64_t offset, std::string_view text);
  std::string read_text(const nfs::FileHandle& file, std::uint64_t offset = 0, std::uint32_t count = 1 << 16);
  nfs::Attributes attributes_of(const nfs::FileHandle& file);
  nfs::Status status_of_lookup(const nfs::FileHandle& directory, const std::string& name, nfs::Credentials who = kRoot);

 private:
  void connect();

  std::unique_ptr<support::GaneshaServer> ganesha_;
  nfs::SystemClock clock_;
  support::FakeServer* fake_ = nullptr;  // client_ itself, where it is the fake
  std::unique_ptr<nfs::Client> client_;
  nfs::FileHandle root_;
  nfs::FsinfoReply limits_;
};

}  // namespace contract

#define INSTANTIATE_CONTRACT(suite)                                                                              \
  INSTANTIATE_TEST_SUITE_P(                                                                                      \
      On, suite,                                                                                                 \
      testing::Values(contract::Server::kFake, contract::Server::kFakeAsynchronous, contract::Server::kGanesha), \
      contract::server_name)
