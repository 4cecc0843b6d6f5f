#include <array>

#include "provisioner/store/records.h"

namespace homeport::store {
namespace {

struct SpaceStateName {
  SpaceState state;
  std::string_view name;
};
constexpr std::array<SpaceStateName, 9> kSpaceStates{{{SpaceState::creating, "creating"},
                                                      {SpaceState::ready, "ready"},
                                                      {SpaceState::retiring, "retiring"},
                                                      {SpaceState::retired, "retired"},
                                                      {SpaceState::undeleting, "undeleting"},
                                                      {SpaceState::purging, "purging"},
                                                      {SpaceState::purged, "purged"},
                                                      {SpaceState::failed, "failed"},
                                                      {SpaceState::released, "released"}}};
struct SnapshotStateName {
  SnapshotState state;
  std::string_view name;
};
constexpr std::array<SnapshotStateName, 4> kSnapshotStates{{{SnapshotState::taking, "taking"},
                                                            {SnapshotState::ready, "ready"},
                                                            {SnapshotState::deleting, "deleting"},
                                                            {SnapshotState::deleted, "deleted"}}};
struct OperationStateName {
  OperationState state;
  std::string_view name;
};
constexpr std::array<OperationStateName, 6> kOperationStates{{{OperationState::running, "running"},
                                                              {OperationState::waiting, "waiting"},
                                                              {OperationState::parked, "parked"},
                                                              {OperationState::succeeded, "succeeded"},
                                                              {OperationState::failed, "failed"},
                                                              {OperationState::cancelled, "cancelled"}}};

}  // namespace

std::string_view space_state_name(SpaceState state) {
  for (const auto& known : kSpaceStates) {
    if (known.state == state) return known.name;
  }
  return "unknown";
}

std::optional<SpaceState> space_state_from_name(std::string_view name) {
  for (const auto& known : kSpaceStates) {
    if (known.name == name) return known.state;
  }
  return std::nullopt;
}

std::string_view snapshot_state_name(SnapshotState state) {
  for (const auto& known : kSnapshotStates) {
    if (known.state == state) return known.name;
  }
  return "unknown";
}

std::optional<SnapshotState> snapshot_state_from_name(std::string_view name) {
  for (const auto& known : kSnapshotStates) {
    if (known.name == name) return known.state;
  }
  return std::nullopt;
}

std::string snapshot_scope(std::string_view backend, std::string_view pool) {
  return "pool/" + std::string(backend) + "/" + std::string(pool);
}

std::string SnapshotRecord::scope() const {
  return of_pool ? snapshot_scope(backend, pool) : snapshot_scope(space);
}

std::string_view operation_state_name(OperationState state) {
  for (const auto& known : kOperationStates) {
    if (known.state == state) return known.name;
  }
  return "unknown";
}

std::optional<OperationState> operation_state_from_name(std::string_view name) {
  for (const auto& known : kOperationStates) {
    if (known.name == name) return known.state;
  }
  return std::nullopt;
}

bool is_open(OperationState state) {
  switch (state) {
    case OperationState::running:
    case OperationState::waiting:
    case OperationState::parked: return true;
    case OperationState::succeeded:
    case OperationState::failed:
    case OperationState::cancelled: break;
  }
  return false;
}

std::string home_label(std::string_view realm, std::string_view user_key, std::string_view name) {
  return "home/" + std::string(realm) + "/" + std::string(user_key) + "/" + std::string(name);
}

std::string SpaceRecord::label() const {
  if (state == SpaceState::purged || state == SpaceState::failed || state == SpaceState::released) return {};
  switch (kind) {
    case SpaceKind::home: return home_label(realm, owner, name);
    case SpaceKind::scratch: return "scratch/" + realm + "/" + owner + "/" + name;
    case SpaceKind::dataset: return "dataset/" + name;
    case SpaceKind::group: return "group/" + name;
  }
  return {};
}

std::string SpaceRecord::place() const {
  if (!imported || kind != SpaceKind::home || label().empty()) return {};
  return backend + ":" + path;
}

}  // namespace homeport::store
