#include "tests/conformance/driver_suite.h"

#include <algorithm>
#include <cstdlib>

namespace homeport::conformance {

using namespace drivers;

namespace {

constexpr std::chrono::seconds kPerCase{60};

bool is_required(const std::string& label) {
  const char* list = std::getenv("HOMEPORT_REQUIRE_DRIVERS");  // NOLINT(concurrency-mt-unsafe): tests set nothing
  return list != nullptr && ("," + std::string(list) + ",").find("," + label + ",") != std::string::npos;
}

}  // namespace

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

void expect_same(const Object& a, const Object& b) {
  EXPECT_EQ(a.ref.id, b.ref.id);
  EXPECT_EQ(a.ref.name, b.ref.name);
  EXPECT_EQ(a.ref.key, b.ref.key);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.quota, b.quota);
  EXPECT_EQ(a.marker, b.marker);
}

Result<Object> RecordingDriver::create(const OpContext& op, const CreateSpec& spec) {
  auto result = ForwardingDriver::create(op, spec);
  if (result && !op.dry_run) track(result->ref);
  return result;
}
void RecordingDriver::track(const ObjectRef& ref) {
  made_.with([&](auto& made) {
    const bool known = std::any_of(made.begin(), made.end(), [&](const auto& m) { return m.id == ref.id; });
    if (!known) made.push_back(ref);
  });
}
std::vector<ObjectRef> RecordingDriver::made() const {
  return made_.with([](const auto& made) { return made; });
}

void DriverConformance::SetUp() {
  auto bench = GetParam().make();
  if (!bench) {
    if (is_required(GetParam().label)) FAIL() << GetParam().label << " is required here: " << bench.error().to_string();
    GTEST_SKIP() << bench.error().to_string();
  }
  bench_ = std::move(bench).value();
  driver_ = std::make_unique<RecordingDriver>(std::move(bench_.driver));
  // Capabilities are known after the first contact.
  ASSERT_OK(driver_->probe(op()));
}

void DriverConformance::TearDown() {
  if (!driver_) return;
  for (const auto& ref : driver_->made()) destroy(ref);
  for (const auto& name : planted_) bench_.unplant(name);
}

void DriverConformance::destroy(const ObjectRef& ref) {
  const auto found = driver_->find(op(), by_id(ref));
  if (!found || !*found) return;
  const auto retired = driver_->retire(op(), ref);
  EXPECT_OK(retired) << "left behind: " << ref.name;
  if (retired) purge_all(ref);
}

void DriverConformance::plant(const std::string& name, const std::string& content, Owner owner) {
  bench_.plant(name, content, owner);
  planted_.push_back(name);
}

OpContext DriverConformance::op(CallLog* calls) const {
  return OpContext{.request_id = "conformance", .deadline = clock_->mono() + kPerCase, .calls = calls};
}
OpContext DriverConformance::dry(CallLog* calls) const {
  auto out = op(calls);
  out.dry_run = true;
  return out;
}

SpaceKey DriverConformance::fresh_key(SpaceKind kind) {
  return SpaceKey::from_random(kind, ids_->random64());
}

CreateSpec DriverConformance::spec_of(const SpaceKey& key) const {
  return CreateSpec{
      .layout = GetParam().layout,
      .pool = GetParam().pool,
      .key = key,
      .name = "hp-" + key.str(),
      .owner = GetParam().owner,
      .mode = 0700,
      .marker = {
          .key = key, .id = {}, .aliases = {"default/alice"}, .owner = "u-0123456789abcdef", .klass = "standard"}};
}

Object DriverConformance::make(const CreateSpec& spec) {
  auto made = driver_->create(op(), spec);
  EXPECT_OK(made);
  if (!made) return Object{.ref = {.pool = spec.pool, .key = spec.key, .name = spec.name, .id = "none"}, .path = {}};
  return std::move(made).value();
}

Lookup DriverConformance::by_name(const std::string& name) const {
  return Lookup{.layout = GetParam().layout, .pool = GetParam().pool, .name = name};
}
Lookup DriverConformance::by_id(const ObjectRef& ref) const {
  return Lookup{.layout = GetParam().layout, .pool = GetParam().pool, .id = ref.id, .name = ref.name, .key = ref.key};
}

std::optional<Object> DriverConformance::look(const Lookup& lookup) {
  auto found = driver_->find(op(), lookup);
  EXPECT_OK(found);
  return found ? std::move(found).value() : std::nullopt;
}

std::vector<Object> DriverConformance::scan_all(ObjectState state) {
  std::vector<Object> all;
  std::optional<Cursor> at;
  do {
    auto next = driver_->scan(op(), {.layout = GetParam().layout, .pool = GetParam().pool, .state = state}, at, all);
    EXPECT_OK(next);
    if (!next) break;
    at = std::move(next).value();
  } while (at);
  return all;
}

bool DriverConformance::listed(const ObjectRef& ref, ObjectState state) {
  const auto all = scan_all(state);
  return std::any_of(all.begin(), all.end(),
                     [&](const Object& o) { return o.ref.id == ref.id && o.ref.name == ref.name; });
}

int DriverConformance::purge_all(const ObjectRef& ref) {
  std::optional<Cursor> at;
  int steps = 0;
  do {
    auto step = driver_->purge(op(), ref, at);
    EXPECT_OK(step);
    if (!step) break;
    at = step->next;
    ++steps;
  } while (at && steps < 100'000);
  return steps;
}

Capabilities DriverConformance::can() const {
  const auto info = driver_->info();
  const auto found = info->layouts.find(GetParam().layout);
  return found == info->layouts.end() ? Capabilities{} : found->second;
}

std::unique_ptr<Tree> DriverConformance::tree_of(const ObjectRef& ref, const std::optional<std::string>& snapshot) {
  auto tree = find<TreeAccess>(*driver_)->open_tree(op(), ref, MountView{.snapshot = snapshot});
  EXPECT_OK(tree);
  return tree ? std::move(tree).value() : nullptr;
}

Result<Entry> DriverConformance::put(Tree& tree, const Node& dir, const std::string& name, std::string_view text) {
  HOMEPORT_TRY(auto file, tree.make_file(op(), dir, name, {.owner = GetParam().owner, .mode = 0600}));
  if (!text.empty()) HOMEPORT_CHECK(tree.write(op(), file.node, 0, bytes_of(text)));
  return file;
}

Result<Entry> DriverConformance::put_in(const ObjectRef& ref, const std::string& name, std::string_view text) {
  HOMEPORT_TRY(const auto tree, find<TreeAccess>(*driver_)->open_tree(op(), ref, {}));
  return put(*tree, tree->root().node, name, text);
}

Result<std::string> DriverConformance::text_of(Tree& tree, const Node& file) {
  std::string out;
  std::vector<std::byte> buffer(16384);
  for (;;) {
    HOMEPORT_TRY(const std::size_t got, tree.read(op(), file, out.size(), buffer));
    if (got == 0) return out;
    out.append(reinterpret_cast<const char*>(buffer.data()), got);
  }
}

std::optional<std::string> DriverConformance::text_in(const ObjectRef& ref, const std::string& name) {
  const auto tree = tree_of(ref);
  if (!tree) return std::nullopt;
  const auto entry = tree->lookup(op(), tree->root().node, name);
  EXPECT_OK(entry);
  if (!entry || !*entry) return std::nullopt;
  const auto text = text_of(*tree, (*entry)->node);
  EXPECT_OK(text);
  return text ? std::optional(*text) : std::nullopt;
}

std::vector<std::string> DriverConformance::names_in(Tree& tree, const Node& dir) {
  std::vector<std::string> names;
  ListRequest request{.directory = dir};
  do {
    auto pages = tree.list(op(), std::span(&request, 1));
    EXPECT_EQ(pages.size(), 1U);
    if (pages.empty()) break;
    EXPECT_OK(pages[0]);
    if (!pages[0]) break;
    for (const auto& entry : pages[0]->entries) names.push_back(entry.name);
    request.from = pages[0]->next;
  } while (request.from);
  return names;
}

}  // namespace homeport::conformance
