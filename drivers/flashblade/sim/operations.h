// The list of everything that is served: path, method, first version, parameters, handler. Each family of objects adds
// its own; nothing else knows what exists.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/flashblade/sim/call.h"
#include "drivers/flashblade/sim/schema.h"

namespace homeport::fbsim {

struct Param {
  std::string_view name;
  int since = 0;
};
using Params = std::vector<Param>;
using Handler = std::function<Answer(Call&)>;

struct Operation {
  int since = 0;
  Params params{};
  Fields body{};  // empty: the body is not looked at
  Handler handler{};
  bool by_names = true;  // false: a GET that has no `names`
};

class Operations {
 public:
  // `path` without the version: "file-systems/policies". Every GET also takes the standard parameters of a list.
  void add(std::string path, std::string method, Operation operation);
  // Null: no such path in this version.
  [[nodiscard]] const std::map<std::string, Operation>* methods(std::string_view path) const;

 private:
  std::map<std::string, std::map<std::string, Operation>, std::less<>> paths_{};
};

void add_arrays(Operations& operations);
void add_file_systems(Operations& operations);
void add_snapshots(Operations& operations);
void add_network(Operations& operations);
void add_quotas(Operations& operations);
void add_performance(Operations& operations);

}  // namespace homeport::fbsim
