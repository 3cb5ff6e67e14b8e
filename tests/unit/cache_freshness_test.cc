// The freshness function against a table of what the promise says.
#include "cache/freshness.h"

#include <gtest/gtest.h>

namespace cache {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

const nfs::MonotonicTime kStart{1000s};

TEST(Freshness, holds_until_the_lifetime_has_passed_and_not_a_nanosecond_longer) {
  const Validation validation{kStart, 3s};
  EXPECT_TRUE(is_fresh(validation, kStart + 1s, kStart + 3s - 1ns));
  EXPECT_FALSE(is_fresh(validation, kStart + 1s, kStart + 3s));
}

TEST(Freshness, a_check_sent_after_the_request_began_serves_it_even_without_a_lifetime) {
  const Validation validation{kStart, 0s};
  EXPECT_TRUE(is_fresh(validation, kStart, kStart + 100s));
  EXPECT_FALSE(is_fresh(validation, kStart + 1ns, kStart + 1ns));
}

TEST(Freshness, the_kernel_gets_what_is_left_of_the_lifetime_and_never_less_than_nothing) {
  const Validation validation{kStart, 3s};
  EXPECT_EQ(remaining(validation, kStart + 1s), 2s);
  EXPECT_EQ(remaining(validation, kStart + 5s), 0s);
}

struct LifetimeRow {
  const char* what;
  nfs::FileType type;
  nanoseconds before;
  nanoseconds age_at_check;
  nanoseconds after;
};

class Lifetimes : public testing::TestWithParam<LifetimeRow> {};

TEST_P(Lifetimes, grow_while_checks_find_no_change) {
  const LifetimeRow& row = GetParam();
  const Options options;  // 3, 60, 30, 60
  EXPECT_EQ(next_lifetime(options, row.type, Validation{kStart, row.before}, kStart + row.age_at_check), row.after)
      << row.what;
}

constexpr auto kFile = nfs::FileType::kRegular;
constexpr auto kDirectory = nfs::FileType::kDirectory;

INSTANTIATE_TEST_SUITE_P(Table, Lifetimes,
                         testing::Values(LifetimeRow{"checked early: as it was", kFile, 3s, 1s, 3s},
                                         LifetimeRow{"used up: doubled", kFile, 3s, 3s, 6s},
                                         LifetimeRow{"at most acregmax", kFile, 48s, 50s, 60s},
                                         LifetimeRow{"directories start at acdirmin", kDirectory, 30s, 30s, 60s},
                                         LifetimeRow{"at most acdirmax", kDirectory, 60s, 90s, 60s}));

TEST(Lifetimes, are_zero_with_noac) {
  Options options;
  options.acregmin = options.acregmax = options.acdirmin = options.acdirmax = 0s;
  EXPECT_EQ(shortest_lifetime(options, kFile), 0s);
  EXPECT_EQ(next_lifetime(options, kFile, Validation{kStart, 0s}, kStart + 1s), 0s);
}

struct NameRow {
  const char* what;
  bool cto;
  LookupCache lookupcache;
  Permission permission;
  NameFacts facts;
  nanoseconds granted;
};

class KernelNames : public testing::TestWithParam<NameRow> {};

TEST_P(KernelNames, live_no_longer_than_the_promise_allows) {
  const NameRow& row = GetParam();
  Options options;
  options.close_to_open = row.cto;
  options.lookupcache = row.lookupcache;
  options.permission = row.permission;
  EXPECT_EQ(kernel_name_lifetime(options, row.facts, 7s), row.granted) << row.what;
}

constexpr NameFacts facts(bool exists, bool searchable, bool several_links, bool just_looked_up) {
  return {exists, searchable, several_links, just_looked_up};
}

INSTANTIATE_TEST_SUITE_P(
    Table, KernelNames,
    testing::Values(
        NameRow{"plain", true, LookupCache::kAll, Permission::kServer, facts(true, true, false, false), 7s},
        NameRow{"absent", true, LookupCache::kAll, Permission::kServer, facts(false, true, false, false), 7s},
        NameRow{"absent, pos", true, LookupCache::kPositive, Permission::kServer, facts(false, true, false, false), 0s},
        NameRow{"present, pos", true, LookupCache::kPositive, Permission::kServer, facts(true, true, false, false), 7s},
        NameRow{"none", true, LookupCache::kNone, Permission::kServer, facts(true, true, false, false), 0s},
        NameRow{"search restricted", true, LookupCache::kAll, Permission::kServer, facts(true, false, false, false),
                0s},
        NameRow{"search by mode bits", true, LookupCache::kAll, Permission::kLocal, facts(true, false, false, false),
                7s},
        NameRow{"links, cto", true, LookupCache::kAll, Permission::kServer, facts(true, true, true, false), 0s},
        NameRow{"links, nocto", false, LookupCache::kAll, Permission::kServer, facts(true, true, true, false), 7s},
        NameRow{"asked, cto", true, LookupCache::kAll, Permission::kServer, facts(true, true, false, true), 0s},
        NameRow{"asked, nocto", false, LookupCache::kAll, Permission::kServer, facts(true, true, false, true), 7s}));

TEST(SameWalk, ends_after_half_a_second) {
  EXPECT_TRUE(is_same_walk(kStart, kStart + 499ms));
  EXPECT_FALSE(is_same_walk(kStart, kStart + 500ms));
}

}  // namespace
}  // namespace cache
