#include "tests/unit/core/core_fixture.h"

#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/base/doc_reader.h"

namespace homeport::testing {
namespace {

// Lets several StorageDrivers (one per Provisioner of a test) reach the same world: a restart finds what stood.
class SharedMemory final : public drivers::StorageDriver, public drivers::DriverLayer {
 public:
  SharedMemory(std::shared_ptr<drivers::MemoryDriver> world,
               std::shared_ptr<std::function<void(drivers::DriverInfo&)>> adjust)
      : world_(std::move(world)), adjust_(std::move(adjust)) {}
  [[nodiscard]] std::shared_ptr<const drivers::DriverInfo> info() const override {
    if (!*adjust_) return world_->info();
    auto info = std::make_shared<drivers::DriverInfo>(*world_->info());
    (*adjust_)(*info);
    return info;
  }
  Result<drivers::ProbeReport> probe(const OpContext& op) override { return world_->probe(op); }
  Result<std::vector<drivers::Pool>> pools(const OpContext& op) override { return world_->pools(op); }
  Result<std::optional<drivers::Cursor>> scan(const OpContext& op, const drivers::Query& query,
                                              std::optional<drivers::Cursor> from,
                                              std::vector<drivers::Object>& page) override {
    return world_->scan(op, query, std::move(from), page);
  }
  Result<std::optional<drivers::Object>> find(const OpContext& op, const drivers::Lookup& lookup) override {
    return world_->find(op, lookup);
  }
  Result<drivers::Object> create(const OpContext& op, const drivers::CreateSpec& spec) override {
    return world_->create(op, spec);
  }
  Result<drivers::Object> update(const OpContext& op, const drivers::ObjectRef& ref,
                                 const drivers::Change& change) override {
    return world_->update(op, ref, change);
  }
  Result<void> set_access(const OpContext& op, const drivers::ObjectRef& ref,
                          const drivers::AccessPolicy& policy) override {
    return world_->set_access(op, ref, policy);
  }
  Result<drivers::MountSource> mount_source(const OpContext& op, const drivers::ObjectRef& ref,
                                            const drivers::MountView& view) override {
    return world_->mount_source(op, ref, view);
  }
  Result<drivers::Object> retire(const OpContext& op, const drivers::ObjectRef& ref) override {
    return world_->retire(op, ref);
  }
  Result<drivers::Object> undelete(const OpContext& op, const drivers::ObjectRef& ref) override {
    return world_->undelete(op, ref);
  }
  Result<drivers::PurgeStep> purge(const OpContext& op, const drivers::ObjectRef& ref,
                                   std::optional<drivers::Cursor> from) override {
    return world_->purge(op, ref, std::move(from));
  }
  [[nodiscard]] drivers::StorageDriver& below() override { return *world_; }

 private:
  std::shared_ptr<drivers::MemoryDriver> world_;
  std::shared_ptr<std::function<void(drivers::DriverInfo&)>> adjust_;
};

constexpr std::chrono::minutes kTestLease{10};

}  // namespace

void FaultyFactory::validate(const std::string&, DocReader& section) const {
  (void)drivers::read_memory_config(section);
}

Result<std::unique_ptr<drivers::StorageDriver>> FaultyFactory::make(const std::string&, const std::string& backend,
                                                                    const nlohmann::json& section) const {
  if (before_make) HOMEPORT_CHECK(before_make(backend, section));
  HOMEPORT_TRY(auto config, drivers::memory_config_from_section(section));
  auto& world = worlds_[backend];
  if (!world) world = std::make_shared<drivers::MemoryDriver>(std::move(config), clock_);
  std::unique_ptr<drivers::StorageDriver> shared = std::make_unique<SharedMemory>(world, adjust);
  std::unique_ptr<drivers::StorageDriver> driver =
      std::make_unique<drivers::FaultyDriver>(std::move(shared), clock_, plan);
  return around ? around(std::move(driver)) : std::move(driver);
}

std::optional<std::uint32_t> FaultyFactory::max_snapshots_per_object(const std::string&, drivers::Layout layout) const {
  return layout == drivers::Layout::filesystem ? max_snapshots : std::nullopt;
}

drivers::MemoryDriver* FaultyFactory::memory(const std::string& backend) const {
  const auto at = worlds_.find(backend);
  return at == worlds_.end() ? nullptr : at->second.get();
}

CoreTest::CoreTest() {
  EXPECT_OK(store_->acquire_lease("test", kTestLease));
  start();
}

CoreTest::~CoreTest() {
  if (provisioner_) provisioner_->stop();
}

void CoreTest::start() {
  provisioner_ = std::make_unique<core::Provisioner>(core::Environment{.store = *store_,
                                                                       .clock = *clock_,
                                                                       .ids = *ids_,
                                                                       .metrics = *metrics_,
                                                                       .factory = factory_,
                                                                       .realm = realm_,
                                                                       .copy_claim = copy_claim_,
                                                                       .identity = identity_,
                                                                       .cluster = cluster_});
  EXPECT_OK(provisioner_->load());
  EXPECT_OK(provisioner_->run());
}

void CoreTest::restart() {
  provisioner_->stop();
  provisioner_.reset();
  metrics_ = make_metrics();  // its scrape hooks belong to the Provisioner that is gone
  start();
}

std::string CoreTest::standard() {
  return R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}],
                          "exports":[{"path":"/data","files":[{"path":"sets/a.csv","content":"1,2"}]}]}],
             "classes":[{"name":"std","backend":"lab","default_quota":"10GiB","max_quota":"50GiB"},
                        {"name":"big","backend":"lab","default_quota":"40GiB"}],
             "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})";
}

Result<core::Desired> CoreTest::read(const std::string& json) const {
  HOMEPORT_TRY(const auto document, parse_json_document(json, "desired"));
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto desired = core::read_desired(in, factory_);
  if (!problems.none()) return problems.to_error();
  return desired;
}

Result<std::vector<core::PlannedChange>> CoreTest::try_apply(const std::string& json, store::Provenance provenance) {
  HOMEPORT_TRY(const auto desired, read(json));
  return hp().administration().apply(caller(), desired, provenance);
}

void CoreTest::apply(const std::string& json) {
  ASSERT_OK(try_apply(json));
}

core::Caller CoreTest::caller(policies::Scope scope, const std::string& hub) const {
  return {.principal = {.id = "t-test", .scope = scope, .hub = hub},
          .request_id = "r-test",
          .deadline = clock_->mono() + std::chrono::seconds(20)};
}

Result<store::OperationRecord> CoreTest::wait(const std::string& operation, std::chrono::seconds limit) {
  return blocking<store::OperationRecord>(
      [&](auto done) { hp().operations().await(operation, clock_->mono() + limit, std::move(done)); });
}

Result<store::SpaceRecord> CoreTest::settled(Result<core::SpaceOutcome> outcome) {
  if (!outcome) return std::move(outcome).error();
  if (outcome->operation) {
    HOMEPORT_TRY(const auto op, wait(*outcome->operation));
    if (op.failure) {
      return Error{.code = errc_from_name(op.failure->code).value_or(Errc::internal),
                   .message = op.failure->message,
                   .hint = op.failure->hint};
    }
  }
  return hp().homes().resolve("default", outcome->space.key);
}

Result<store::SpaceRecord> CoreTest::ensure(const std::string& user, std::optional<std::uint32_t> uid,
                                            const std::function<void(core::HomeRequest&)>& tune) {
  HOMEPORT_TRY(auto name, UserName::parse(user));
  HOMEPORT_TRY(auto server, ServerName::parse(""));
  core::HomeRequest request{.user = std::move(name), .server = std::move(server), .uid = uid, .gid = uid};
  if (tune) tune(request);
  return settled(hp().homes().ensure(caller(), request));
}

Result<core::SpecAnswer> CoreTest::issue(const core::Caller& who, const core::SpecRequest& request) {
  return blocking<core::SpecAnswer>([&](auto done) { hp().logins().issue(who, request, std::move(done)); });
}

core::SpecRequest CoreTest::login(const std::string& user, std::vector<std::string> groups) {
  core::SpecRequest request{.hub = "main", .user = user};
  request.groups = std::move(groups);
  return request;
}

}  // namespace homeport::testing
