#include "tests/contract/client_contract.h"

#include <algorithm>
#include <stdexcept>

namespace contract {

using support::sync_wait;

std::string server_name(const testing::TestParamInfo<Server>& info) {
  switch (info.param) {
    case Server::kFake:
      return "Fake";
    case Server::kFakeAsynchronous:
      return "FakeAsynchronous";
    case Server::kGanesha:
      break;
  }
  return "Ganesha";
}

nfs::Credentials user(std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups) {
  nfs::Credentials who;
  who.uid = uid;
  who.gid = gid;
  who.group_count = static_cast<std::uint32_t>(groups.size());
  std::copy(groups.begin(), groups.end(), who.groups.begin());
  return who;
}

nfs::SetAttributes with_mode(std::uint32_t mode) {
  nfs::SetAttributes attributes;
  attributes.mode = mode;
  return attributes;
}

nfs::SetAttributes with_size(std::uint64_t size) {
  nfs::SetAttributes attributes;
  attributes.size = size;
  return attributes;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(const nfs::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ClientContract::start(bool squash_root, bool read_only) {
  if (!on_ganesha()) {
    bool asynchronous = GetParam() == Server::kFakeAsynchronous;
    auto fake = std::make_unique<support::FakeServer>(asynchronous ? support::Replies::kAsynchronous
                                                                   : support::Replies::kSynchronous);
    fake->files()->rules.squash_root = squash_root;
    fake->files()->rules.read_only = read_only;
    root_ = fake->root();
    limits_ = fake->files()->fsinfo(root_);
    fake_ = fake.get();
    client_ = std::move(fake);
    return;
  }
  if (std::string reason = support::GaneshaServer::why_not(); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  support::GaneshaOptions options;
  options.squash = squash_root ? "Root_Squash" : "No_Root_Squash";
  options.read_only = read_only;
  ganesha_ = std::make_unique<support::GaneshaServer>(options);
  connect();
}

void ClientContract::connect() {
  nfs::ConnectOptions options;
  options.host = "127.0.0.1";
  options.export_path = ganesha_->directory().string();
  options.nfs_port = ganesha_->nfs_port();
  options.mount_port = ganesha_->mount_port();
  options.connections = 2;
  auto connected = nfs::connect(options, clock_, std::chrono::seconds(10));
  if (!connected) {
    throw std::runtime_error(connected.error().message);
  }
  client_ = std::move(connected->client);
  root_ = connected->root;
  limits_ = connected->limits;
}

void ClientContract::restart_server() {
  if (fake_ != nullptr) {
    fake_->reboot();
    return;
  }
  ganesha_->kill_at_once();
  ganesha_->start();
}

nfs::FileHandle ClientContract::make_file(const nfs::FileHandle& directory, const std::string& name, std::uint32_t mode,
                                          nfs::Credentials who) {
  nfs::CreateReply reply =
      sync_wait(client().create(who, directory, name, nfs::CreateMode::kGuarded, with_mode(mode), {}));
  EXPECT_EQ(reply.status, nfs::Status::kOk) << name;
  return reply.object;
}

nfs::FileHandle ClientContract::make_directory(const nfs::FileHandle& directory, const std::string& name,
                                               std::uint32_t mode, nfs::Credentials who) {
  nfs::CreateReply reply = sync_wait(client().mkdir(who, directory, name, with_mode(mode)));
  EXPECT_EQ(reply.status, nfs::Status::kOk) << name;
  return reply.object;
}

void ClientContract::write_text(const nfs::FileHandle& file, std::uint64_t offset, std::string_view text) {
  nfs::WriteReply reply = sync_wait(client().write(kRoot, file, offset, bytes_of(text), nfs::StableHow::kFileSync));
  EXPECT_EQ(reply.status, nfs::Status::kOk);
  EXPECT_EQ(reply.count, text.size());
}

std::string ClientContract::read_text(const nfs::FileHandle& file, std::uint64_t offset, std::uint32_t count) {
  nfs::ReadReply reply = sync_wait(client().read(kRoot, file, offset, count));
  EXPECT_EQ(reply.status, nfs::Status::kOk);
  return text_of(reply.data);
}

nfs::Attributes ClientContract::attributes_of(const nfs::FileHandle& file) {
  nfs::GetattrReply reply = sync_wait(client().getattr(kRoot, file));
  EXPECT_EQ(reply.status, nfs::Status::kOk);
  return reply.attributes;
}

nfs::Status ClientContract::status_of_lookup(const nfs::FileHandle& directory, const std::string& name,
                                             nfs::Credentials who) {
  return sync_wait(client().lookup(who, directory, name)).status;
}

}  // namespace contract
