// Snapshots as the service answers them.
#pragma once

namespace homeport::testing::bodies {

inline constexpr const char* kSnapshot = R"({
  "space": "h-0123456789abcdef", "space_label": "home/alice", "ref": "h-0123456789abcdef@before-update",
  "name": "hp-20261118-030000-3fa2c1", "key": "sn-00000000000000d1", "label": "before-update",
  "reason": "pandas 3", "taken_by": "t-1", "state": "ready", "ours": true, "of_pool": false, "backend_id": "77",
  "taken_at": "2026-11-18T03:00:00Z", "unique_bytes": 12582912,
  "holds": [{"id": "hold-1", "owner": "legal", "by": "t-1", "reason": "case 7", "since": "2026-11-18T04:00:00Z",
             "expires": "2026-12-18T00:00:00Z"},
            {"id": "hold-2", "owner": "backup", "by": "t-2", "reason": null, "since": "2026-11-18T05:00:00Z",
             "expires": null}]})";

inline constexpr const char* kForeignSnapshot = R"({
  "space": "h-0123456789abcdef", "space_label": "home/alice", "ref": "h-0123456789abcdef@daily-policy.2026_11_19_00_00",
  "name": "daily-policy.2026_11_19_00_00", "key": null, "label": null, "reason": null, "taken_by": null,
  "state": "ready", "ours": false, "of_pool": true, "backend_id": "78", "taken_at": "2026-11-19T00:00:00Z",
  "unique_bytes": null, "holds": []})";

}  // namespace homeport::testing::bodies
