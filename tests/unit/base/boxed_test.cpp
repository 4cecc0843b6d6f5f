#include "provisioner/base/boxed.h"

#include <gtest/gtest.h>

#include <string>

using homeport::Boxed;

TEST(Boxed, IsAnOptionalThatTakesAPointersRoom) {
  static_assert(sizeof(Boxed<std::string>) == sizeof(void*));
  Boxed<std::string> box;
  EXPECT_FALSE(box);
  EXPECT_EQ(box.value_or("none"), "none");
  EXPECT_EQ(box.to_optional(), std::nullopt);
  box = std::string("text");
  EXPECT_EQ(box.to_optional(), "text");
  EXPECT_EQ(box, std::string("text"));
  EXPECT_EQ(box.value_or("none"), "text");
  box.emplace() += "new";
  EXPECT_EQ(*box, "new");
  box.reset();
  EXPECT_FALSE(box.has_value());
}

TEST(Boxed, CopiesDeep) {
  Boxed<std::string> one{"a"};
  Boxed<std::string> two = one;
  *two = "b";
  EXPECT_EQ(*one, "a");
  EXPECT_NE(one, two);
  one = two;
  EXPECT_EQ(one, two);
  EXPECT_NE(&*one, &*two);
  one = std::nullopt;
  EXPECT_NE(one, two);
  const Boxed<std::string> three = std::move(two);
  EXPECT_EQ(*three, "b");
}
