#include "api/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "api/http_wire.h"
#include "api/responder.h"

namespace homeport::testing {
namespace {

using namespace std::chrono_literals;

struct Row {
  Errc code;
  unsigned status;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << errc_name(row.code);
}

class ProblemStatus : public ::testing::TestWithParam<Row> {};

TEST_P(ProblemStatus, IsTheOneOfTheContract) {
  EXPECT_EQ(http_status(GetParam().code), GetParam().status);
  EXPECT_NE(status_reason(GetParam().status), "Status");
  EXPECT_FALSE(problem_title(GetParam().code).empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, ProblemStatus,
    ::testing::Values(Row{Errc::invalid_argument, 400}, Row{Errc::unauthenticated, 401}, Row{Errc::forbidden, 403},
                      Row{Errc::not_found, 404}, Row{Errc::already_exists, 409}, Row{Errc::conflict, 409},
                      Row{Errc::cancelled, 409}, Row{Errc::too_large, 413}, Row{Errc::failed_precondition, 422},
                      Row{Errc::rate_limited, 429}, Row{Errc::internal, 500}, Row{Errc::unsupported, 501},
                      Row{Errc::permission_denied, 502}, Row{Errc::unavailable, 503}, Row{Errc::timed_out, 504},
                      Row{Errc::out_of_capacity, 507}, Row{Errc::over_quota, 507}),
    [](const auto& test) {
      std::string name(errc_name(test.param.code));
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(Problem, SaysEverythingAReaderMayKnowAndNothingElse) {
  const Error error{.code = Errc::unavailable,
                    .message = "create directory: connection reset",
                    .hint = "look at the server",
                    .pointer = "/backend",
                    .context = {"home of alice"},
                    .upstream = Upstream{.system = "nfs", .status = 5, .detail = "secret words"},
                    .retry_after = 1500ms};
  const auto response = problem_response(error, "req-1");
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.content_type, "application/problem+json");
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0], (std::pair<std::string, std::string>("Retry-After", "2")));
  const auto expected = nlohmann::json::parse(R"({
    "type": "urn:homeport:error:unavailable", "title": "Not available now", "status": 503,
    "detail": "home of alice: create directory: connection reset", "code": "unavailable", "hint": "look at the server",
    "retryable": true, "request_id": "req-1", "pointer": "/backend", "upstream": "nfs"})");
  EXPECT_EQ(nlohmann::json::parse(response.body), expected);
}

TEST(Problem, HasEveryMemberEvenForNothing) {
  const auto body = nlohmann::json::parse(problem_body(Error{.code = Errc::conflict, .message = "changed"}, {}, 412));
  EXPECT_EQ(body.at("status"), 412);
  EXPECT_EQ(body.at("code"), "conflict");
  for (const auto* member : {"hint", "request_id", "pointer", "upstream"}) EXPECT_TRUE(body.at(member).is_null());
}

TEST(Problem, SurvivesBytesThatAreNotText) {
  const auto body = problem_body(Error{.code = Errc::invalid_argument, .message = "bad \xff\xfe name"}, "r");
  EXPECT_TRUE(nlohmann::json::accept(body));
}

TEST(Problem, AMissingCredentialNamesItsScheme) {
  const auto response = problem_response(Error{.code = Errc::unauthenticated, .message = "no token"}, "r");
  EXPECT_EQ(response.headers[0].first, "WWW-Authenticate");
}

TEST(Wire, NoValueCanBeginAFieldOfItsOwn) {
  std::string out;
  append_head(out, Response{.content_type = "a\r\nb"}.with("X", "1\r\nSet-Cookie: y"), {.request_id = "r"});
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Type: a  b\r\nContent-Length: 0\r\nX: 1  Set-Cookie: y\r\nX-Request-ID: r\r\n"
            "\r\n");
}

TEST(Wire, StatusesWithoutABodyHaveNoLength) {
  std::string out;
  append_head(out, Response{.status = 204}, {.keep_alive = false});
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

TEST(Wire, DatesAreThoseOfTheStandard) {
  // The example of RFC 9110 section 5.6.7.
  EXPECT_EQ(http_date(WallTime(std::chrono::milliseconds(784'111'777'999))), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(FormatEvent, KeepsLinesApart) {
  EXPECT_EQ(format_event("5", "space", "a\nb"), "id: 5\nevent: space\ndata: a\ndata: b\n\n");
  EXPECT_EQ(format_event("", "", ""), "data: \n\n");
  EXPECT_EQ(format_event("1\n2", "x\r\ny", "z\r"), "id: 12\nevent: xy\ndata: z\n\n");
}

}  // namespace
}  // namespace homeport::testing
