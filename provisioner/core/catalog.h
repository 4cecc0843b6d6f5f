// The store's present content in memory: what logins and lists read. Fed by the store's ordered change feed and by
// nothing else; a write is visible here before it is answered.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policies/select.h"
#include "provisioner/core/desired.h"
#include "provisioner/store/records.h"

namespace homeport::core {

using SpacePtr = std::shared_ptr<const store::SpaceRecord>;
using UserPtr = std::shared_ptr<const store::UserRecord>;
using ClassPtr = std::shared_ptr<const ClassSpec>;
using TokenPtr = std::shared_ptr<const store::TokenRecord>;

// Threads: every method from any thread; none blocks on I/O but load() and the feed. What is handed out is immutable.
class Catalog {
 public:
  Catalog(store::Store& store, const drivers::DriverFactory& factory) : store_(store), factory_(factory) {}

  // Reads everything. A row that cannot be read is reported in damaged() and left out; the rest serves.
  Result<void> load();
  // The store's listener.
  void on_changes(std::span<const store::Change> changes);

  [[nodiscard]] UserPtr user(std::string_view user_key) const;
  [[nodiscard]] UserPtr user_by_name(std::string_view realm, std::string_view name) const;
  // By a name in the realm, or by key.
  [[nodiscard]] UserPtr person(std::string_view realm, std::string_view name_or_key) const {
    return UserKey::parse(name_or_key) ? user(name_or_key) : user_by_name(realm, name_or_key);
  }
  [[nodiscard]] std::vector<std::string> names_of(std::string_view user_key) const;  // former names last
  [[nodiscard]] std::vector<UserPtr> users() const;                                  // by key
  // Somebody else whose name looks the same (see name_skeleton); empty: nobody.
  [[nodiscard]] std::string similar_name(std::string_view realm, std::string_view name) const;
  // Whose homes' markers carry names from before a rename or merge; by key.
  [[nodiscard]] std::vector<UserPtr> people_to_mark() const;
  // Homes whose use is to be counted (measures.h); by key.
  [[nodiscard]] std::vector<SpacePtr> homes_to_measure() const;
  // Who was merged into somebody else; by key.
  [[nodiscard]] std::vector<UserPtr> merged_people() const;
  [[nodiscard]] std::optional<std::string> user_with_uid(std::string_view realm, std::uint32_t uid) const;

  [[nodiscard]] SpacePtr space(std::string_view key) const;
  [[nodiscard]] SpacePtr space_by_label(std::string_view label) const;
  // A person's home; `name`: the server it belongs to.
  [[nodiscard]] SpacePtr home(std::string_view realm, std::string_view user_key, std::string_view name = {}) const {
    return space_by_label(store::home_label(realm, user_key, name));
  }
  // Every home somebody has, in the order of their names: the one for all servers first, then those of named servers
  // and those that came by merges.
  [[nodiscard]] std::vector<SpacePtr> homes_of(std::string_view user_key) const;
  // In key order; spaces that are purged, failed or released only with `all`.
  [[nodiscard]] std::vector<SpacePtr> spaces(bool all = false) const;
  // The last purged home of that name that the backend itself still keeps; null: there is none.
  [[nodiscard]] SpacePtr kept_by_backend(std::string_view user_key, std::string_view name, WallTime now) const;
  // How many own file systems of each class live or lie in the trash of a backend. Purged ones that it still keeps too.
  [[nodiscard]] std::map<std::string, std::uint64_t> own_file_systems(std::string_view backend, WallTime now) const;
  // Did we make something in this pool that is not purged? Cheap where the answer is yes.
  [[nodiscard]] bool pool_in_use(std::string_view backend, std::string_view pool) const;
  [[nodiscard]] std::optional<std::string> open_operation(std::string_view space) const;
  // A live space at this path of the backend, above it or below it; null: the place is nobody's.
  [[nodiscard]] SpacePtr space_around(std::string_view backend, const AbsolutePath& path) const;

  [[nodiscard]] ClassPtr klass(std::string_view name) const;
  [[nodiscard]] std::vector<ClassPtr> classes() const;
  // In the order they are tried: first those that were applied through the API, then the configuration's, each as their
  // document lists them. An admin's word at run time thus goes before the file's catch-all, which still catches the
  // rest.
  [[nodiscard]] std::shared_ptr<const std::vector<policies::RuleFacts>> rules() const;
  [[nodiscard]] std::vector<store::GrantRecord> grants_of(std::string_view space) const;
  // Datasets (space keys) somebody may see by grant, with access.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> granted_to(std::string_view user_key,
                                                                            std::span<const std::string> groups) const;
  [[nodiscard]] std::optional<store::BackendRecord> backend(std::string_view name) const;
  [[nodiscard]] std::vector<store::BackendRecord> backends() const;
  [[nodiscard]] TokenPtr token_by_hash(std::string_view hash) const;
  [[nodiscard]] std::vector<TokenPtr> tokens() const;

  // Grows when anything changes that can change a mount spec of more than one person (classes, rules, grants, backends,
  // datasets).
  [[nodiscard]] std::uint64_t shared_generation() const { return shared_generation_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t user_generation(std::string_view user_key) const;
  [[nodiscard]] std::vector<std::string> damaged() const;

 private:
  struct Image;
  void apply_row(Image& image, store::Table table, const std::string& key, const std::optional<store::Row>& row);
  void note_damage(store::Table table, const std::string& key, const Error& error);

  store::Store& store_;
  const drivers::DriverFactory& factory_;
  mutable std::shared_mutex mutex_;
  std::shared_ptr<Image> image_;
  std::atomic<std::uint64_t> shared_generation_{1};
};

}  // namespace homeport::core
