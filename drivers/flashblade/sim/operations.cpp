#include "drivers/flashblade/sim/operations.h"

#include <array>

namespace homeport::fbsim {
namespace {

constexpr std::array kStandard = {Param{"names"},
                                  Param{"ids"},
                                  Param{"filter"},
                                  Param{"sort"},
                                  Param{"limit"},
                                  Param{"offset"},
                                  Param{"continuation_token"},
                                  Param{"total_only"}};

}  // namespace

void Operations::add(std::string path, std::string method, Operation operation) {
  if (method == "GET") operation.params.insert(operation.params.end(), kStandard.begin(), kStandard.end());
  if (!operation.by_names) std::erase_if(operation.params, [](const Param& param) { return param.name == "names"; });
  operation.params.push_back({"context_names", 17});
  if (method == "GET") operation.params.push_back({"allow_errors", 17});
  paths_[std::move(path)].insert_or_assign(std::move(method), std::move(operation));
}

const std::map<std::string, Operation>* Operations::methods(std::string_view path) const {
  const auto found = paths_.find(path);
  return found == paths_.end() ? nullptr : &found->second;
}

}  // namespace homeport::fbsim
