// Who may use a route. Part of every row of the route table, without a default.
#pragma once

#include "policies/authorize.h"

namespace homeport::api {

struct Access {
  enum class Kind {
    open,        // no credential
    metrics,     // no credential where the configuration says so, otherwise one that may do `action`
    action,      // a credential that may do `action`
    person,      // the same, on the person named by {user}: a credential bound to that person will do
    own,         // the same; a credential bound to a person too, for what is theirs: the handler shows nothing else
    in_handler,  // the same, on what only the body names: the handler authorises before it does anything
  };
  Kind kind;
  policies::Action action;

  static constexpr Access open() { return {Kind::open, policies::Action::read_service}; }
  static constexpr Access metrics() { return {Kind::metrics, policies::Action::read_service}; }
  static constexpr Access needs(policies::Action action) { return {Kind::action, action}; }
  static constexpr Access needs_person(policies::Action action) { return {Kind::person, action}; }
  static constexpr Access needs_or_own(policies::Action action) { return {Kind::own, action}; }
  static constexpr Access checked_by_handler(policies::Action action) { return {Kind::in_handler, action}; }
};

}  // namespace homeport::api
