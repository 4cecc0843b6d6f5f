// Which members a request body may have, from which REST version on.
#pragma once

#include <string_view>
#include <vector>

#include "drivers/flashblade/sim/json.h"
#include "drivers/flashblade/sim/refusal.h"

namespace homeport::fbsim {

enum class Kind {
  text,
  number,
  boolean,
  size,  // a number of bytes, or "" for none
  texts,
  reference,   // an object with name and/or id
  references,  // a list of those
  objects,     // a list of objects, looked at by the handler
  object,      // looked at by the handler
  any,
};

struct Field {
  std::string_view path;  // "nfs.v3_enabled"
  Kind kind;
  int since = 0;
};
using Fields = std::vector<Field>;

// An unknown, a read-only and a newer member are all the same to the array: 400 "Invalid body parameter: X", with the
// last part of its path. A member of null is as good as none.
[[nodiscard]] Or<void> check_body(const Json& body, const Fields& fields, int minor);

}  // namespace homeport::fbsim
