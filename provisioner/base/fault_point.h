// Named points where a test can make the process die, to prove that a crash there loses nothing.
//
// Armed by the environment only: HOMEPORT_FAULT_POINT=NAME[:N] ends the process (as by kill -9) at the N-th passage of
// NAME; HOMEPORT_FAULT_TRACE=FILE appends every passage, so that a test finds all points by itself. Without either
// variable a point costs one load of a constant.
#pragma once

#include <string_view>

namespace homeport {

namespace detail {
extern const bool fault_points_armed;
void pass_fault_point(std::string_view name);
}  // namespace detail

inline void fault_point(std::string_view name) {
  if (detail::fault_points_armed) detail::pass_fault_point(name);
}

}  // namespace homeport
