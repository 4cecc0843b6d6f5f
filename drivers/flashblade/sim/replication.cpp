#include "drivers/flashblade/sim/snapshots.h"

namespace homeport::fbsim {

Or<std::vector<std::string>> replication_targets(Call& call) {
  HOMEPORT_TRY(const bool send, call.flag("send"));
  if (!send && call.has("targets")) return Refusal{"Targets can only be specified with send."};
  std::vector<std::string> out;
  for (const auto& name : call.list("targets")) {
    const auto* connection = call.world.table("array-connections").by_name(name);
    if (connection == nullptr) return call.world.missing("Array connection", name);
    out.push_back(connection->id);
  }
  return out;
}

Or<void> send_snapshot(World&, Snapshot& snapshot, const std::vector<std::string>&) {
  return Refusal{"Snapshot cannot be sent.", snapshot.name};
}

bool is_latest_replica(World&, const Snapshot&) {
  return false;
}

}  // namespace homeport::fbsim
