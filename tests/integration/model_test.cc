// A hundred thousand random operations on the mount and on a local directory give the same results.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "tests/integration/mounted_test.h"
#include "tests/support/forked_work.h"
#include "tests/support/model_player.h"

namespace fused_integration {
namespace {

using namespace std::chrono_literals;

// FUSED_TEST_OPERATIONS makes it longer.
int operations(int usual) {
  const char* given = std::getenv("FUSED_TEST_OPERATIONS");
  return given ? std::atoi(given) : usual;
}

class Model : public MountedTest {
 protected:
  void SetUp() override {
    MountedTest::SetUp();
    game_.seed = support::test_seed();
    std::cout << "seed " << game_.seed << " (FUSED_TEST_SEED repeats it)\n";
    std::filesystem::create_directory(reference_.path() / "reference");
    game_.reference = reference_.path() / "reference";
  }

  void play(support::FusedMount& mount) {
    std::filesystem::create_directory(mount / "model");
    game_.tested = mount / "model";
    EXPECT_EQ(support::play(game_), "");
    EXPECT_EQ(support::compare_trees(server().directory() / "model", game_.reference), "") << "on the server";
  }

  support::ModelGame game_;

 private:
  support::TemporaryDirectory reference_;
};

TEST_F(Model, random_operations_give_what_a_local_directory_gives) {
  game_.operations = operations(100'000);
  support::FusedMount mount(target());
  play(mount);
}

TEST_F(Model, random_operations_without_caching_give_the_same) {
  game_.operations = operations(20'000);
  support::FusedMount mount(target(), "noac,lookupcache=none");
  play(mount);
}

TEST_F(Model, random_operations_with_long_lifetimes_give_the_same) {
  game_.operations = operations(20'000);
  support::FusedMount mount(target(), "nocto,actimeo=600,nconnect=4,rsize=32768,wsize=32768");
  play(mount);
}

TEST_F(Model, random_operations_give_the_same_while_the_server_is_killed_and_restarted) {
  game_.operations = operations(40'000);
  support::FusedMount mount(target());
  std::filesystem::create_directory(mount / "model");
  game_.tested = mount / "model";
  support::ForkedWork game([this] { return support::play(game_); });
  int kills = 0;
  while (!game.ended(2s)) {
    server().kill_at_once();
    server().start();
    ++kills;
  }
  EXPECT_EQ(game.result(), "");
  EXPECT_EQ(support::compare_trees(server().directory() / "model", game_.reference), "") << "on the server";
  EXPECT_GT(kills, 0);
}

}  // namespace
}  // namespace fused_integration
