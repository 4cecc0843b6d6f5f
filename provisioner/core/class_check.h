// What the mount spec's own rules say about a class, before anybody logs in with it.
#pragma once

#include "provisioner/core/desired.h"

namespace homeport::core {

// Tries each member of the class in a sample spec and adds every refusal to in.problems(), at the member's place in the
// class. What depends on a backend (its NFS version) is a problem only when no version would take it. `in` reads the
// class's own mapping.
void check_class(DocReader& in, const ClassSpec& klass);
// Classes that keep more snapshots of a space than any backend of its kind bears. Classes whose backend is not in the
// same document are left out: placement (snapshot_limits.h) and `doctor` say it for them. `in` reads the document.
void check_snapshots(DocReader& in, const drivers::DriverFactory& factory, const Desired& desired);

}  // namespace homeport::core
