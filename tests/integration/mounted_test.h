// MountedTest: a test with a real server; skips loudly where none can run or nothing can be mounted.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/fused_mount.h"
#include "tests/support/ganesha_server.h"

namespace fused_integration {

class MountedTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::string& reason : {support::GaneshaServer::why_not(), support::FusedMount::why_not()}) {
      if (!reason.empty()) {
        GTEST_SKIP() << reason;
      }
    }
    server_ = std::make_unique<support::GaneshaServer>();
  }

  support::GaneshaServer& server() { return *server_; }
  support::MountTarget target(std::uint16_t nfs_port = 0) const { return support::MountTarget::of(*server_, nfs_port); }

 private:
  std::unique_ptr<support::GaneshaServer> server_;
};

}  // namespace fused_integration
