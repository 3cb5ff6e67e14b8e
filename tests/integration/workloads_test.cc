// What people do with a shared tree: the script beside this file, one test a workload.
#include "tests/integration/mounted_test.h"

namespace fused_integration {
namespace {

using namespace std::chrono_literals;

class Workloads : public MountedTest, public testing::WithParamInterface<const char*> {};

TEST_P(Workloads, work_on_the_mount_as_on_a_local_file_system) {
  support::FusedMount mount(target());
  const support::CommandResult result =
      support::run_command({WORKLOAD_SCRIPT, GetParam(), mount.path().string(), server().directory().string()}, 15min);
  EXPECT_EQ(result.exit_status, 0) << result.error.substr(result.error.size() > 4000 ? result.error.size() - 4000 : 0);
}

INSTANTIATE_TEST_SUITE_P(All, Workloads,
                         testing::Values("git_repository", "cmake_project", "sqlite_database", "rsync_both_ways",
                                         "tar_twenty_thousand", "huge_directory_while_it_changes", "odd_names",
                                         "sixteen_processes"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace fused_integration
