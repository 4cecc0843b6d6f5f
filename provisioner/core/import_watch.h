// Whether what was imported as a dataset still stands: somebody else may remove it at any time, and a mount of it would
// hang or fail.
#pragma once

#include <map>
#include <string>

#include "provisioner/base/guarded.h"
#include "provisioner/base/op_context.h"

namespace homeport::core {

class Backend;
class Catalog;

// What the looks at one backend have found so far.
struct ImportsSeen {
  struct State {
    std::string last{};                   // the key that the last look ended with
    std::map<std::string, int> misses{};  // by space key: looks in a row that did not find it
  };
  Guarded<State> state{};
};

// Looks at some of them, the next ones each time. One that is definitely not there, twice in a row, becomes missing
// (Backend::note_missing) and is back with the first look that finds it; no answer says nothing. Blocking: backend
// calls. Call it on the backend's own worker.
void look_at_imports(const OpContext& op, Backend& backend, const Catalog& catalog);

}  // namespace homeport::core
