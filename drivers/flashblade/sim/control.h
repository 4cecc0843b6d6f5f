// The control port: JSON over HTTP for whoever tests with the simulator. No authentication: listen on loopback.
#pragma once

#include <string>

#include "drivers/flashblade/sim/front.h"

namespace homeport::fbsim {

class Control {
 public:
  Control(Array& array, Faults& faults, Front& front, std::string state_file)
      : array_(array), faults_(faults), front_(front), state_file_(std::move(state_file)) {}

  // GET /state /requests /faults; POST /clock /act /faults /sessions/expire /save; PATCH /settings; DELETE /faults
  // /requests. Refusals are 400 {"message","hint"}. Threads: any.
  [[nodiscard]] HttpAnswer answer(const HttpRequest& request);

 private:
  [[nodiscard]] HttpAnswer get_state();
  [[nodiscard]] HttpAnswer move_clock(const HttpRequest& request);
  [[nodiscard]] HttpAnswer post_act(const HttpRequest& request);
  [[nodiscard]] HttpAnswer patch_settings(const HttpRequest& request);
  [[nodiscard]] HttpAnswer add_faults(const HttpRequest& request);
  [[nodiscard]] HttpAnswer remove_faults(const HttpRequest& request);
  [[nodiscard]] HttpAnswer save();

  Array& array_;
  Faults& faults_;
  Front& front_;
  std::string state_file_;
};

}  // namespace homeport::fbsim
