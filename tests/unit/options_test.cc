// The -o strings and SOURCE of `fused mount`, in nfs(5)'s form.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fused/mount_options.h"
#include "fused/option_values.h"

namespace fused {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

MountOptions parse(const std::string& options, const std::string& source = "nas:/export") {
  auto parsed = parse_mount_options(source, {options}, /*is_root=*/true);
  EXPECT_TRUE(parsed.has_value()) << options << ": " << parsed.error();
  return parsed.value_or(MountOptions{});
}

std::string error_of(const std::string& options, const std::string& source = "nas:/export") {
  auto parsed = parse_mount_options(source, {options}, /*is_root=*/true);
  EXPECT_FALSE(parsed.has_value()) << options;
  return parsed ? "" : parsed.error();
}

TEST(MountOptions, HaveTheDocumentedDefaults) {
  MountOptions options = parse("");
  EXPECT_TRUE(options.cache.close_to_open);
  EXPECT_EQ(options.cache.acregmin, seconds(3));
  EXPECT_EQ(options.cache.acregmax, seconds(60));
  EXPECT_EQ(options.cache.acdirmin, seconds(30));
  EXPECT_EQ(options.cache.acdirmax, seconds(60));
  EXPECT_EQ(options.cache.lookupcache, cache::LookupCache::kAll);
  EXPECT_EQ(options.cache.permission, cache::Permission::kServer);
  EXPECT_FALSE(options.cache.read_only);
  EXPECT_FALSE(options.cache.synchronous);
  EXPECT_TRUE(options.cache.readdirplus);
  EXPECT_EQ(options.cache.memory_bytes_max, 256ULL << 20);
  EXPECT_EQ(options.cache_bytes_max, 10ULL << 30);
  EXPECT_EQ(options.connect.persistence, nfs::Persistence::kHard);
  EXPECT_EQ(options.connect.timeout, seconds(60));
  EXPECT_EQ(options.connect.retransmissions, 2);
  EXPECT_EQ(options.connect.read_bytes_max, 1U << 20);
  EXPECT_EQ(options.connect.nfs_port, 0);
  EXPECT_TRUE(options.allow_other);
  EXPECT_FALSE(options.default_permissions);
  EXPECT_FALSE(options.background);
  EXPECT_EQ(options.retry(), minutes(2));
  EXPECT_EQ(options.log_level, "info");
  EXPECT_FALSE(options.metrics_address);
}

TEST(MountOptions, OtherUsersAreLetInByDefaultOnlyWhenRootMounts) {
  EXPECT_FALSE(parse_mount_options("nas:/x", {}, false)->allow_other);
  EXPECT_TRUE(parse_mount_options("nas:/x", {"allow_other"}, false)->allow_other);
}

TEST(MountOptions, TakeEveryOptionOfTheConnection) {
  MountOptions options = parse(
      "vers=3,port=2050,mountport=20048,nconnect=4,rsize=65536,wsize=32768,softerr,timeo=15,retrans=5,proto=tcp,"
      "sec=sys,tcp,nfsvers=3,resvport,retry=7,intr");
  EXPECT_EQ(options.connect.nfs_port, 2050);
  EXPECT_EQ(options.connect.mount_port, 20048);
  EXPECT_EQ(options.connect.connections, 4);
  EXPECT_EQ(options.connect.read_bytes_max, 65536U);
  EXPECT_EQ(options.cache.read_bytes_max, 65536U);
  EXPECT_EQ(options.connect.write_bytes_max, 32768U);
  EXPECT_EQ(options.connect.persistence, nfs::Persistence::kSofterr);
  EXPECT_EQ(options.connect.timeout, milliseconds(1500));
  EXPECT_EQ(options.connect.retransmissions, 5);
  EXPECT_EQ(options.retry(), minutes(7));
}

TEST(MountOptions, ClampTransferSizes) {
  EXPECT_EQ(parse("rsize=67108864").connect.read_bytes_max, 1U << 20);
  EXPECT_EQ(parse("wsize=512").connect.write_bytes_max, 4096U);
  EXPECT_EQ(parse("rsize=0").connect.read_bytes_max, 1U << 20);
}

TEST(MountOptions, TakeEveryOptionOfTheCache) {
  MountOptions options = parse(
      "nocto,acregmin=1.5,acregmax=2,acdirmin=0.25,acdirmax=10,lookupcache=pos,perm=local,nordirplus,sync,"
      "cache=/var/cache/x,cachesize=3G,memsize=64M,nolock,local_lock=all");
  EXPECT_FALSE(options.cache.close_to_open);
  EXPECT_EQ(options.cache.acregmin, milliseconds(1500));
  EXPECT_EQ(options.cache.acregmax, seconds(2));
  EXPECT_EQ(options.cache.acdirmin, milliseconds(250));
  EXPECT_EQ(options.cache.acdirmax, seconds(10));
  EXPECT_EQ(options.cache.lookupcache, cache::LookupCache::kPositive);
  EXPECT_EQ(options.cache.permission, cache::Permission::kLocal);
  EXPECT_TRUE(options.default_permissions);
  EXPECT_FALSE(options.cache.readdirplus);
  EXPECT_TRUE(options.cache.synchronous);
  EXPECT_EQ(options.cache_directory, "/var/cache/x");
  EXPECT_EQ(options.cache_bytes_max, 3ULL << 30);
  EXPECT_EQ(options.cache.memory_bytes_max, 64ULL << 20);
}

TEST(MountOptions, TakeMountsOwnFlags) {
  MountOptions options = parse("ro,nosuid,nodev,noexec,noatime,default_permissions,metrics=127.0.0.1:9400,log=/l,bg");
  EXPECT_TRUE(options.cache.read_only && options.nosuid && options.nodev && options.noexec && options.noatime);
  EXPECT_TRUE(options.default_permissions);
  EXPECT_EQ(options.metrics_address->host, "127.0.0.1");
  EXPECT_EQ(options.metrics_address->port, 9400);
  EXPECT_EQ(options.log_file, "/l");
  EXPECT_EQ(options.retry(), minutes(10'000));
}

TEST(MountOptions, LetLaterOptionsOverrideEarlierOnes) {
  EXPECT_FALSE(parse("ro,rw").cache.read_only);
  EXPECT_TRUE(parse("rw,ro").cache.read_only);
  EXPECT_EQ(parse("hard,soft").connect.persistence, nfs::Persistence::kSoft);
  EXPECT_EQ(parse("soft,hard").connect.persistence, nfs::Persistence::kHard);
  EXPECT_EQ(parse("actimeo=5,acregmin=1").cache.acregmin, seconds(1));
  EXPECT_EQ(parse("acregmin=1,actimeo=5").cache.acregmin, seconds(5));
  EXPECT_EQ(parse("retrans=1,retrans=2,retrans=3").connect.retransmissions, 3);
  auto two_strings = parse_mount_options("nas:/x", {"nocto", "cto"}, true);
  EXPECT_TRUE(two_strings->cache.close_to_open);
}

TEST(MountOptions, ActimeoSetsAllFourLifetimes) {
  MountOptions options = parse("actimeo=0.5");
  for (auto lifetime :
       {options.cache.acregmin, options.cache.acregmax, options.cache.acdirmin, options.cache.acdirmax}) {
    EXPECT_EQ(lifetime, milliseconds(500));
  }
}

TEST(MountOptions, NoacIsActimeoZeroAndSync) {
  MountOptions options = parse("noac");
  EXPECT_EQ(options.cache.acregmax, seconds(0));
  EXPECT_EQ(options.cache.acdirmax, seconds(0));
  EXPECT_TRUE(options.cache.synchronous);
  MountOptions back = parse("noac,ac");
  EXPECT_EQ(back.cache.acregmax, seconds(60));
  EXPECT_FALSE(back.cache.synchronous);
  EXPECT_TRUE(parse("sync,ac").cache.synchronous);
}

TEST(MountOptions, IgnoreMountsWordsAndEmptyOnes) {
  parse(
      "defaults,_netdev,nofail,noauto,auto,user,nouser,users,owner,group,x-systemd.automount,x-gvfs-show,"
      "comment=hello,suid,dev,exec,atime,diratime,strictatime,lazytime,relatime,,");
}

TEST(MountOptions, NameUnknownOptions) {
  EXPECT_EQ(error_of("ro,frobnicate"), "unknown option frobnicate");
  EXPECT_EQ(error_of("frobnicate=3"), "unknown option frobnicate");
  EXPECT_EQ(error_of("act"), "unknown option act");  // no guessing of abbreviations
  EXPECT_EQ(error_of("NOCTO"), "unknown option NOCTO");
}

TEST(MountOptions, NameBadValues) {
  EXPECT_EQ(error_of("timeo=abc"), "option timeo=abc: give a number from 1 to 1000000");
  EXPECT_EQ(error_of("nconnect=17"), "option nconnect=17: give a number from 1 to 16");
  EXPECT_EQ(error_of("port=65536"), "option port=65536: give a number from 0 to 65535");
  EXPECT_EQ(error_of("actimeo=-1"), "option actimeo=-1: give seconds, decimals allowed");
  EXPECT_EQ(error_of("actimeo=nan"), "option actimeo=nan: give seconds, decimals allowed");
  EXPECT_EQ(error_of("cachesize=10X"), "option cachesize=10X: give bytes, or a number with a suffix K, M, G or T");
  EXPECT_EQ(error_of("cachesize=99999999999T"),
            "option cachesize=99999999999T: give bytes, or a number with a suffix K, M, G or T");
  EXPECT_EQ(error_of("lookupcache=some"), "option lookupcache=some: give all, pos or none");
  EXPECT_EQ(error_of("timeo"), "option timeo needs a value");
  EXPECT_EQ(error_of("cache="), "option cache needs a value");
  EXPECT_EQ(error_of("nocto=1"), "option nocto takes no value");
  EXPECT_EQ(error_of("metrics=9400").substr(0, 20), "option metrics=9400:");
}

TEST(MountOptions, RefuseWhatDoesNotWorkYet) {
  EXPECT_EQ(error_of("vers=4.2"), "option vers=4.2: give 3, the only version that works");
  EXPECT_EQ(error_of("nfsvers=4"), "option nfsvers=4: give 3, the only version that works");
  EXPECT_EQ(error_of("sec=krb5"), "option sec=krb5: give sys, the only flavor that works");
  EXPECT_EQ(error_of("proto=udp"), "option proto=udp: give tcp, the only transport that works");
  EXPECT_EQ(error_of("lock"),
            "option lock: locks at the server do not work yet, give nolock (locks then hold on this node)");
}

TEST(MountOptions, RefuseAMinimumAboveItsMaximum) {
  EXPECT_EQ(error_of("acregmin=120"), "option acregmin=120: above acregmax=60, give a larger acregmax too");
  EXPECT_EQ(error_of("acdirmax=0.5"), "option acdirmin=30: above acdirmax=0.5, give a larger acdirmax too");
}

TEST(MountOptions, DescribeThemselvesByName) {
  nlohmann::json described = describe_options(parse("nocto,actimeo=0.5,soft,timeo=15,port=2050"));
  EXPECT_EQ(described["vers"], 3);
  EXPECT_EQ(described["cto"], false);
  EXPECT_EQ(described["acregmin"], 0.5);
  EXPECT_EQ(described["soft"], true);
  EXPECT_EQ(described["hard"], false);
  EXPECT_EQ(described["timeo"], 15);
  EXPECT_EQ(described["port"], 2050);
  EXPECT_EQ(described["cachesize"], 10ULL << 30);
}

TEST(MountSource, HasTwoForms) {
  MountOptions options = parse("", "nas.example:/export/home");
  EXPECT_EQ(options.connect.host, "nas.example");
  EXPECT_EQ(options.connect.export_path, "/export/home");
  options = parse("", "nfs://nas:2050/export");
  EXPECT_EQ(options.connect.host, "nas");
  EXPECT_EQ(options.connect.nfs_port, 2050);
  EXPECT_EQ(options.connect.export_path, "/export");
  EXPECT_EQ(parse("port=7", "nfs://nas:2050/export").connect.nfs_port, 7);
  EXPECT_EQ(parse("", "[fe80::1]:/x").connect.host, "fe80::1");
  options = parse("", "nfs://[::1]:2050/x");
  EXPECT_EQ(options.connect.host, "::1");
  EXPECT_EQ(options.connect.nfs_port, 2050);
}

TEST(MountSource, IsRefusedInOtherForms) {
  for (const char* source : {"", "nas", "/export", "nas:", ":/x", "nas:export", "nfs://nas", "nfs:///x", "[::1:/x",
                             "nfs://nas:0/x", "nfs://nas:x/y", "/a:/b"}) {
    EXPECT_NE(error_of("", source).find("HOST:/EXPORT"), std::string::npos) << source;
  }
}

}  // namespace
}  // namespace fused
