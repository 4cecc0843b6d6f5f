// A class is tried in a sample spec before anybody logs in with it.
#include <gmock/gmock.h>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using ClassCheckTest = CoreTest;

TEST_F(ClassCheckTest, EverythingThatMakesAClassUselessIsToldAtOnce) {
  const auto refused = try_apply(R"({"backends":[{"name":"lab","kind":"memory"}],"classes":[{"backend":"lab",
      "home_target":"/etc/x","dataset_root":"/proc/sets",
      "identity":{"user_name":"A B","umask":"999"},
      "environment":{"foo":"x","GOOD":"a","BAD":"line\nbreak","A/B":"y"},"labels":{"":"x","l":"\u0001"},
      "mount_options":{"rsize":1025,"nconnect":99},"colour":"red","existing":"/export/home","create":"yes"},
     {"name":"both","backend":"lab","mount_options":{"nolock":true,"sec":"krb5"}}]})");
  ASSERT_ERRC(refused, Errc::invalid_argument);
  for (const auto* part :
       {"/classes/0: 'name' is missing", "/classes/0/home_target: '/etc/x' belongs to the system",
        "/classes/0/dataset_root: '/proc/sets", "/classes/0/identity/user_name: 'A B' is not a Unix account name",
        "/classes/0/identity/umask: '999' is not a umask", "/classes/0/environment/foo: is not a variable name",
        "/classes/0/environment/BAD: ", "/classes/0/environment/A~1B: ", "/classes/0/labels/: has no name",
        "/classes/0/labels/l: contains a control character",
        "/classes/0/mount_options/rsize: ", "/classes/0/mount_options/nconnect: ", "/classes/0/colour",
        "/classes/0/existing: '/export/home' names one directory for everybody", "/classes/0/create",
        "/classes/1/mount_options"}) {
    EXPECT_THAT(refused.error().message, HasSubstr(part));
  }
  EXPECT_THAT(refused.error().message, Not(HasSubstr("GOOD")));
}

TEST_F(ClassCheckTest, WhatAClassMayHaveStays) {
  EXPECT_OK(try_apply(R"({"backends":[{"name":"lab","kind":"memory"}],"classes":[
     {"name":"v3","backend":"lab","mount_options":{"nolock":true,"rsize":65536}},
     {"name":"krb","backend":"lab","mount_options":{"sec":"krb5p"}},
     {"name":"root","backend":"lab","home_target":"/work/home","dataset_root":"/"},
     {"name":"squash","backend":"lab","layout":"filesystem","identity":{"mode":"squash","umask":"002"},
      "environment":{"NB_UMASK":"0077","_X":"tab\there"},"labels":{"class":"mine","team/x":"Übung"}}]})"));
}

}  // namespace
}  // namespace homeport::testing
