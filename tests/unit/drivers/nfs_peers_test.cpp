// Servers that are not like Ganesha on 127.0.0.1: sparse listings, bad cookies, ports by portmapper, IPv6.
#include <unistd.h>

#include <set>

#include "tests/unit/drivers/nfs_fixture.h"
#include "tests/unit/drivers/rpc_peers.h"

namespace homeport::drivers::testing {
namespace {

namespace fs = std::filesystem;

struct Listed {
  std::vector<std::string> names{};  // with what is known of each, in order
  int pages = 0;
};

class NfsPeersTest : public NfsFixture {
 protected:
  // A driver whose NFS calls pass through the proxy.
  void serve_behind_proxy() {
    serve();
    if (HasFatalFailure()) return;
    proxy_ = std::make_unique<NfsProxy>(server_->port());
    ASSERT_NE(proxy_->port(), 0);
    auto config = section();
    config["service"]["nfs_port"] = proxy_->port();
    through_ = make(config);
    ASSERT_NE(through_, nullptr);
  }
  // More names than one answer holds.
  void fill_directory() const {
    fs::create_directory(disk("many"));
    for (int i = 0; i < 900; ++i) {
      const auto path = disk("many") / ("entry with a long name, number " + std::to_string(i));
      if (i % 3 == 0) {
        fs::create_directory(path);
      } else {
        put(path, std::string(static_cast<std::size_t>(i), 'x'));
      }
    }
  }
  [[nodiscard]] Result<Listed> list_all(StorageDriver& driver) const {
    HOMEPORT_TRY(const auto path, AbsolutePath::parse("/export/homes/many"));
    HOMEPORT_TRY(const auto tree, find<TreeAccess>(driver)->open_path(op(), path));
    Listed all;
    std::optional<Cursor> from;
    do {
      const std::vector<ListRequest> requests{{.directory = tree->root().node, .from = from}};
      HOMEPORT_TRY(const auto page, std::move(tree->list(op(), requests).front()));
      for (const auto& entry : page.entries) {
        const auto& a = entry.attributes;
        all.names.push_back(entry.name + " " + std::to_string(a.id) + " " + std::to_string(a.mode) + " " +
                            std::to_string(a.size) + (entry.node.handle.empty() ? " without handle" : ""));
      }
      from = page.next;
    } while (++all.pages < 1000 && from);
    return all;
  }
  // Both go through listings.
  void retire_and_purge() {
    const auto made = through_->create(op(), spec(1));
    ASSERT_OK(made);
    put(home(1) / "a/b/c");
    fs::create_directory_symlink(disk("many"), home(1) / "a/link");
    ASSERT_OK(through_->retire(op(), made->ref));
    std::optional<Cursor> cursor;
    do {
      const auto step = through_->purge(op(), made->ref, cursor);
      ASSERT_OK(step);
      cursor = step->next;
    } while (cursor);
    EXPECT_FALSE(fs::exists(trashed(1)));
  }

  std::unique_ptr<NfsProxy> proxy_;
  std::unique_ptr<StorageDriver> through_;
};

std::set<std::string> unique(const Listed& listed) {
  return {listed.names.begin(), listed.names.end()};
}

TEST_F(NfsPeersTest, AListingWithoutAttributesIsCompleted) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  fill_directory();
  const auto direct = list_all(*driver_);
  ASSERT_OK(direct);
  ASSERT_EQ(unique(*direct).size(), 900U);
  ASSERT_GT(direct->pages, 1);
  proxy_->bare_listings = true;
  const int before = proxy_->lookups;
  const auto bare = list_all(*through_);
  ASSERT_OK(bare);
  EXPECT_EQ(unique(*bare), unique(*direct));
  EXPECT_EQ(bare->names.size(), 900U);
  EXPECT_GE(proxy_->lookups - before, 900);  // that is what was needed
  ASSERT_NO_FATAL_FAILURE(retire_and_purge());
  EXPECT_EQ(names_below(disk("many")).size(), 900U);
}

// RFC 1813 lets a server do without READDIRPLUS, and some do.
TEST_F(NfsPeersTest, AServerWithoutReaddirplusIsListedAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  fill_directory();
  const auto direct = list_all(*driver_);
  ASSERT_OK(direct);
  proxy_->names_only = true;
  const auto listed = list_all(*through_);
  ASSERT_OK(listed);
  EXPECT_GT(listed->pages, 1);
  EXPECT_EQ(unique(*listed), unique(*direct));
  EXPECT_EQ(listed->names.size(), 900U);
  EXPECT_EQ(proxy_->listings, 1);  // asked once
  ASSERT_NO_FATAL_FAILURE(retire_and_purge());
  EXPECT_EQ(names_below(disk("many")).size(), 900U);
  const auto report = through_->probe(op());
  ASSERT_OK(report);
  ASSERT_TRUE(report->management_ok);
  const auto told = [](const ProbeCheck& check) { return check.detail.find("no READDIRPLUS") != std::string::npos; };
  EXPECT_TRUE(std::any_of(report->checks.begin(), report->checks.end(), told));
}

// A server without the call, and a file with as many names as it may have: what copies trees then copies the content.
TEST_F(NfsPeersTest, WhereFilesHaveOneNameALinkIsUnsupported) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  const auto made = through_->create(op(), spec(1));
  ASSERT_OK(made);
  const auto tree = find<TreeAccess>(*through_)->open_tree(op(), made->ref, {});
  ASSERT_OK(tree);
  const auto root = (*tree)->root().node;
  const auto file = (*tree)->make_file(op(), root, "one", {});
  ASSERT_OK(file);
  for (const std::uint32_t status : {10004U, 31U}) {  // NFS3ERR_NOTSUPP, NFS3ERR_MLINK (RFC 1813)
    proxy_->links = status;
    EXPECT_ERRC((*tree)->link(op(), file->node, root, "two" + std::to_string(status)), Errc::unsupported) << status;
  }
  proxy_->links = 13;  // NFS3ERR_ACCES is another matter
  EXPECT_ERRC((*tree)->link(op(), file->node, root, "three"), Errc::permission_denied);
  proxy_->links = 0;
  EXPECT_OK((*tree)->link(op(), file->node, root, "four"));
}

// What could not be asked for is not gone: a listing that left it out would be taken for the whole.
TEST_F(NfsPeersTest, AListingThatCannotBeCompletedFails) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  ASSERT_OK(through_->create(op(), spec(1)));
  proxy_->bare_listings = true;
  std::vector<Object> page;
  ASSERT_OK(through_->scan(op(), {.pool = "main"}, std::nullopt, page));
  ASSERT_EQ(page.size(), 1U);
  page.clear();
  fill_directory();
  const auto path = AbsolutePath::parse("/export/homes/many");
  const auto tree = find<TreeAccess>(*through_)->open_path(op(), *path);
  ASSERT_OK(tree);
  const std::vector<ListRequest> requests{{.directory = (*tree)->root().node}};
  proxy_->failing_lookups = 1;
  EXPECT_ERRC((*tree)->list(op(), requests).front(), Errc::unavailable);
  EXPECT_OK((*tree)->list(op(), requests).front());
}

// Who asks for it gets what cannot be looked at by its name, and the rest.
TEST_F(NfsPeersTest, WhatCannotBeLookedAtIsNamedToWhoAsksForIt) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  fill_directory();
  const auto path = AbsolutePath::parse("/export/homes/many");
  const auto tree = find<TreeAccess>(*through_)->open_path(op(), *path);
  ASSERT_OK(tree);
  proxy_->bare_listings = true;
  std::vector<ListRequest> requests{{.directory = (*tree)->root().node, .with_unseen = true}};
  std::set<std::string> names;
  std::vector<std::string> unseen;
  proxy_->failing_lookups = 1;
  do {
    const auto page = std::move((*tree)->list(op(), requests).front());
    ASSERT_OK(page);
    for (const auto& entry : page->entries) names.insert(entry.name);
    for (const auto& one : page->unseen) unseen.push_back(one.name + ": " + one.why.message);
    requests[0].from = page->next;
  } while (requests[0].from);
  EXPECT_EQ(names.size(), 899U);
  ASSERT_EQ(unseen.size(), 1U);
  EXPECT_NE(unseen[0].find("input/output error"), std::string::npos) << unseen[0];
}

TEST_F(NfsPeersTest, ABadCookieBeginsTheListingAgain) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  fill_directory();
  const auto direct = list_all(*driver_);
  ASSERT_OK(direct);
  proxy_->bad_cookies = 2;
  const auto again = list_all(*through_);
  ASSERT_OK(again);
  EXPECT_EQ(proxy_->bad_cookies, 0);
  EXPECT_EQ(unique(*again), unique(*direct));            // nothing is missing
  EXPECT_GT(again->names.size(), direct->names.size());  // some came twice, as the contract says
  proxy_->bad_cookies = 1000;                            // a server that never takes one
  const int before = proxy_->listings;
  EXPECT_ERRC(list_all(*through_), Errc::conflict);
  EXPECT_LT(proxy_->listings - before, 20);
}

// A rename over a file takes the old one away: who looked it up a moment before holds a stale handle.
TEST_F(NfsPeersTest, AMarkerReplacedWhileItIsReadIsReadAgain) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  for (const std::uint64_t number : {1, 2, 3}) ASSERT_OK(through_->create(op(), spec(number)));
  proxy_->stale_reads = 5;
  const auto again = through_->create(op(), spec(1));
  ASSERT_OK(again);
  EXPECT_EQ(again->marker->aliases, std::vector<std::string>{"alice"});
  EXPECT_EQ(proxy_->stale_reads, 0);
  proxy_->stale_reads = 2;  // two of a page
  std::vector<Object> page;
  ASSERT_OK(through_->scan(op(), {.pool = "main"}, std::nullopt, page));
  ASSERT_EQ(page.size(), 3U);
  for (const auto& object : page) EXPECT_TRUE(object.marker.has_value());
  EXPECT_EQ(proxy_->stale_reads, 0);
  proxy_->stale_reads = 1000;  // a server that loses every file
  EXPECT_ERRC(through_->create(op(), spec(1)), Errc::not_found);
  EXPECT_GT(proxy_->stale_reads, 900);
}

TEST_F(NfsPeersTest, AnAnswerWithoutEntriesIsNotTheEnd) {
  ASSERT_NO_FATAL_FAILURE(serve_behind_proxy());
  fill_directory();
  proxy_->empty_listings = true;
  EXPECT_ERRC(list_all(*through_), Errc::unavailable);
}

TEST_F(NfsPeersTest, PortsComeFromThePortmapperWhenNoneIsConfigured) {
  // Port 111 is fixed: an address of our own keeps parallel runs apart.
  const auto id = static_cast<unsigned>(::getpid());
  const std::string address = "127." + std::to_string(64 + id / 65536 % 64) + "." + std::to_string(id / 256 % 256) +
                              "." + std::to_string(id % 254 + 1);
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport}}, {.attribute_cache = false, .address = address}));
  auto config = section();
  config["service"] = {{"server", address}, {"timeout", "5s"}};
  {
    // Nobody answers there: NFS has its own port, the mount service has none.
    const auto refused = make(config)->create(op(), spec(1));
    ASSERT_ERRC(refused, Errc::unavailable);
    EXPECT_NE(refused.error().hint.find("service.mount_port"), std::string::npos) << refused.error().to_string();
  }
  const Portmapper portmapper(address, {{100003, server_->port()}, {100005, server_->mount_port()}});
  ASSERT_EQ(portmapper.port(), 111);
  const auto driver = make(config);
  EXPECT_OK(driver->create(op(), spec(1)));
  EXPECT_TRUE(fs::exists(home(1)));
  const auto report = driver->probe(op());
  ASSERT_OK(report);
  ASSERT_TRUE(report->management_ok);
}

TEST_F(NfsPeersTest, APortmapperThatDoesNotKnowTheMountServiceIsNamed) {
  const auto id = static_cast<unsigned>(::getpid());
  const std::string address = "127." + std::to_string(128 + id / 65536 % 64) + "." + std::to_string(id / 256 % 256) +
                              "." + std::to_string(id % 254 + 1);
  const Portmapper portmapper(address, {});
  ASSERT_EQ(portmapper.port(), 111);
  const auto driver = make(
      {{"service", {{"server", address}, {"timeout", "5s"}}}, {"pools", {{{"name", "main"}, {"export", kExport}}}}});
  const auto refused = driver->create(op(), spec(1));
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_NE(refused.error().message.find("does not tell the mount port"), std::string::npos);
}

TEST_F(NfsPeersTest, AServerIsReachedOverIpv6) {
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport}}, {.attribute_cache = false, .address = "::1"}));
  auto config = section();
  config["service"]["server"] = "::1";
  const auto driver = make(config);
  const auto made = driver->create(op(), spec(1));
  ASSERT_OK(made);
  EXPECT_EQ(attributes(home(1)).st_uid, 1001U);
  const auto report = driver->probe(op());
  ASSERT_OK(report);
  EXPECT_TRUE(report->management_ok && report->data_ok);
  for (const auto& one : report->checks) EXPECT_EQ(one.status, CheckStatus::ok) << one.name << ": " << one.detail;
  const auto source = driver->mount_source(op(), made->ref, {});
  ASSERT_OK(source);
  EXPECT_EQ(std::get<NfsSource>(*source).server, "::1");  // without brackets: renderers put them where they belong
}

}  // namespace
}  // namespace homeport::drivers::testing
