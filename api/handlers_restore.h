// What snapshots hold, and bringing it back.
#pragma once

#include "api/routes.h"

namespace homeport::api {

void browse_snapshot(const CallPtr& call);
void list_versions(const CallPtr& call);
void restore_files(const CallPtr& call);

}  // namespace homeport::api
