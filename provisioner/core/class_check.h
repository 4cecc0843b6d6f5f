// What the mount spec's own rules say about a class, before anybody logs in with it.
#pragma once

#include "provisioner/core/desired.h"

namespace homeport::core {

// Tries each member of the class in a sample spec and adds every refusal to in.problems(), at the member's place in the
// class. What depends on a backend (its NFS version) is a problem only when no version would take it. `in` reads the
// class's own mapping.
void check_class(DocReader& in, const ClassSpec& klass);

}  // namespace homeport::core
