#include "api/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport::testing {
namespace {

Router sample() {
  auto router = Router::create({
      {Method::get, "/", 0},
      {Method::get, "/v1/homes", 1},
      {Method::get, "/v1/homes/{user}", 2},
      {Method::put, "/v1/homes/{user}", 3},
      {Method::post, "/v1/homes:ensure", 4},
      {Method::post, "/v1/homes/{user}/retire", 5},
      {Method::post, "/v1/mountspecs", 6},
      {Method::get, "/v1/mountspecs/{id}", 7},
      {Method::post, "/v1/mountspecs/render", 8},
      {Method::del, "/v1/datasets/{name}/grants/{kind}/{subject}", 9},
      {Method::head, "/v1/datasets/{name}/grants", 10},
  });
  return std::move(router).value();
}

struct Found {
  std::string name;
  Method method;
  std::string target;
  int id;
  std::string params{};  // "name=value;…"
};

void PrintTo(const Found& row, std::ostream* out) {
  *out << row.name;
}

class RouterFinds : public ::testing::TestWithParam<Found> {};

TEST_P(RouterFinds, TheRoute) {
  const Router router = sample();
  RequestTarget target;
  ASSERT_OK(parse_target(GetParam().target, target));
  std::vector<PathParam> params;
  const auto match = router.match(GetParam().method, target, params);
  ASSERT_EQ(match.kind, RouteMatch::Kind::found) << match.hint << match.allow;
  EXPECT_EQ(match.route->id, GetParam().id);
  std::string text;
  for (const auto& param : params) text += std::string(param.name) + "=" + std::string(param.value) + ";";
  EXPECT_EQ(text, GetParam().params);
}

INSTANTIATE_TEST_SUITE_P(All, RouterFinds,
                         ::testing::Values(Found{"root", Method::get, "/", 0},
                                           Found{"literal", Method::get, "/v1/homes", 1},
                                           Found{"with_query", Method::get, "/v1/homes?limit=3", 1},
                                           Found{"parameter", Method::get, "/v1/homes/alice", 2, "user=alice;"},
                                           Found{"by_method", Method::put, "/v1/homes/alice", 3, "user=alice;"},
                                           Found{"head_of_get", Method::head, "/v1/homes/alice", 2, "user=alice;"},
                                           Found{"own_head", Method::head, "/v1/datasets/d/grants", 10, "name=d;"},
                                           Found{"verb_on_the_list", Method::post, "/v1/homes:ensure", 4},
                                           Found{"encoded_slash_stays", Method::get, "/v1/homes/a%2fb", 2, "user=a/b;"},
                                           Found{"encoded_literal", Method::get, "/v1/%68omes/x", 2, "user=x;"},
                                           Found{"dots_are_a_value", Method::get, "/v1/homes/..", 2, "user=..;"},
                                           Found{"plus_stays_in_a_path", Method::get, "/v1/homes/a+b", 2, "user=a+b;"},
                                           Found{"literal_before_parameter", Method::post, "/v1/mountspecs/render", 8},
                                           Found{"parameter_where_the_literal_has_no_such_method", Method::get,
                                                 "/v1/mountspecs/render", 7, "id=render;"},
                                           Found{"three_parameters", Method::del, "/v1/datasets/d/grants/group/staff",
                                                 9, "name=d;kind=group;subject=staff;"}),
                         [](const auto& test) { return test.param.name; });

struct Missed {
  std::string name;
  Method method;
  std::string target;
  RouteMatch::Kind kind;
  std::string words;  // the Allow field, or the hint
};

void PrintTo(const Missed& row, std::ostream* out) {
  *out << row.name;
}

class RouterMisses : public ::testing::TestWithParam<Missed> {};

TEST_P(RouterMisses, AndSaysWhatThereIs) {
  const Router router = sample();
  RequestTarget target;
  ASSERT_OK(parse_target(GetParam().target, target));
  std::vector<PathParam> params;
  const auto match = router.match(GetParam().method, target, params);
  EXPECT_EQ(match.kind, GetParam().kind);
  EXPECT_EQ(match.kind == RouteMatch::Kind::not_found ? match.hint : match.allow, GetParam().words);
  EXPECT_TRUE(params.empty());
}

using Kind = RouteMatch::Kind;
INSTANTIATE_TEST_SUITE_P(
    All, RouterMisses,
    ::testing::Values(
        Missed{"typo", Method::get, "/v1/hoems", Kind::not_found, "did you mean GET /v1/homes?"},
        Missed{"typo_deeper", Method::post, "/v1/homes/alice/retrie", Kind::not_found,
               "did you mean POST /v1/homes/{user}/retire?"},
        Missed{"trailing_slash", Method::get, "/v1/homes/", Kind::not_found, "did you mean GET /v1/homes?"},
        Missed{"double_slash", Method::get, "//v1/homes", Kind::not_found, "did you mean GET /v1/homes?"},
        Missed{"far_away", Method::get, "/wp-admin/setup.php", Kind::not_found,
               "GET /v1/openapi.json describes every path of this service"},
        Missed{"wrong_method", Method::del, "/v1/homes/alice", Kind::method_not_allowed, "GET, HEAD, PUT, OPTIONS"},
        Missed{"unknown_method", Method::other, "/v1/homes", Kind::method_not_allowed, "GET, HEAD, OPTIONS"},
        Missed{"literal_and_parameter", Method::put, "/v1/mountspecs/render", Kind::method_not_allowed,
               "GET, HEAD, POST, OPTIONS"},
        Missed{"options", Method::options, "/v1/mountspecs", Kind::options, "POST, OPTIONS"},
        Missed{"options_of_all", Method::options, "*", Kind::options, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        Missed{"star_is_for_options", Method::get, "*", Kind::not_found, "only OPTIONS may name the whole server"}),
    [](const auto& test) { return test.param.name; });

TEST(Router, RefusesTablesThatMakeNoSense) {
  const auto refused = [](std::vector<Route> routes) { return Router::create(std::move(routes)); };
  EXPECT_ERRC(refused({{Method::get, "", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "v1", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "/a//b", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "/a/", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "/a/{", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "/a/x{b}", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "/a", 1}, {Method::put, "/a", 1}}), Errc::invalid_argument);
  EXPECT_ERRC(refused({{Method::get, "/a/{b}", 1}, {Method::get, "/a/{c}", 2}}), Errc::invalid_argument);
}

TEST(ParseTarget, TakesQueriesApart) {
  RequestTarget target;
  ASSERT_OK(parse_target("/a?x=1&y=a+b%26c&&flag&z=%2B&x=2", target));
  std::string text;
  for (const auto& item : target.query) text += std::string(item.name) + "=" + std::string(item.value) + ";";
  EXPECT_EQ(text, "x=1;y=a b&c;flag=;z=+;x=2;");
  EXPECT_EQ(target.path, "/a");
}

TEST(ParseTarget, KnowsTheFormsOfATarget) {
  const auto path = [](std::string_view raw) {
    RequestTarget target;
    return parse_target(raw, target) ? std::string(target.path) : std::string("refused");
  };
  EXPECT_EQ(path("HTTP://h:80/x?y"), "/x");
  EXPECT_EQ(path("https://h"), "/");
  EXPECT_EQ(path("http://h?q=1"), "/");
  EXPECT_EQ(path("*"), "*");
  EXPECT_EQ(path("h:80"), "refused");
  EXPECT_EQ(path(""), "refused");
  EXPECT_EQ(path("?x"), "refused");
  EXPECT_EQ(path("/x#y"), "refused");
  EXPECT_EQ(path("/%"), "refused");
  EXPECT_EQ(path("/%4"), "refused");
  EXPECT_EQ(path("/%4g"), "refused");
  EXPECT_EQ(path("/x?%"), "refused");
  EXPECT_EQ(path("/" + std::string(40, '/')), "refused");
}

TEST(ParseTarget, DecodedTextsSurviveAMove) {
  const std::string raw = "/%41/%42/c";
  RequestTarget target;
  ASSERT_OK(parse_target(raw, target));
  const RequestTarget moved = std::move(target);
  EXPECT_EQ(moved.segments, (std::vector<std::string_view>{"A", "B", "c"}));
}

}  // namespace
}  // namespace homeport::testing
