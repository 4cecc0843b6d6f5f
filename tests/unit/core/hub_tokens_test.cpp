// Cache times, revocation, floods and hubs that are away, by the test's clock.
#include "provisioner/core/hub_tokens.h"

#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_hub.h"
#include "tests/support/result_matchers.h"

namespace homeport::core {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using Answer = Result<HubPerson>;

const std::string kToken = "0123456789abcdef0123456789abcdef";
const Error kAway{.code = Errc::unavailable, .message = "connection refused"};

std::string token_number(int number) {
  std::string digits = std::to_string(number);
  return std::string(32 - digits.size(), 'f') + digits;
}

class HubTokensTest : public ::testing::Test {
 protected:
  HubTokensTest() { make({"main"}); }
  ~HubTokensTest() override { hub_->let_go(); }

  void make(const std::vector<std::string>& names) {
    std::vector<HubEntry> entries;
    for (const auto& name : names) {
      HubSettings settings{.name = name, .realm = "default", .address = "http://hub"};
      settings.new_per_second = 2;  // so at most 20 at once
      entries.push_back({.settings = settings, .hub = name == "other" ? other_ : hub_});
    }
    tokens_.reset();
    tokens_ = std::make_unique<HubTokens>(entries, clock_, *metrics_);
  }
  std::shared_future<Answer> start(const std::string& token, const std::string& hub = {},
                                   const std::string& source = "192.0.2.1") {
    auto promise = std::make_shared<std::promise<Answer>>();
    tokens_->ask({.hub = hub, .token = Secret(token), .source = source, .deadline = clock_.mono() + 60s},
                 [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future().share();
  }
  static Answer wait(const std::shared_future<Answer>& answer) {
    if (answer.wait_for(20s) != std::future_status::ready)
      return Error{.code = Errc::timed_out, .message = "the test waited 20 s"};
    return answer.get();
  }
  Answer ask(const std::string& token, const std::string& hub = {}, const std::string& source = "192.0.2.1") {
    return wait(start(token, hub, source));
  }

  testing::FakeClock clock_;
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  std::shared_ptr<testing::FakeHub> hub_ = std::make_shared<testing::FakeHub>();
  std::shared_ptr<testing::FakeHub> other_ = std::make_shared<testing::FakeHub>();
  std::unique_ptr<HubTokens> tokens_;
};

TEST_F(HubTokensTest, APersonIsKnownForFiveMinutesFromTheQuestionOn) {
  hub_->give(kToken, {.name = "alice", .groups = {"staff"}});
  EXPECT_FALSE(tokens_->known("", kToken).has_value());
  const auto person = ask(kToken);
  ASSERT_OK(person);
  EXPECT_EQ(person->user.name, "alice");
  EXPECT_EQ(person->hub, "main");
  EXPECT_EQ(person->realm, "default");
  EXPECT_THAT(person->user.groups, ::testing::ElementsAre("staff"));
  clock_.advance(5min - 1ms);
  const auto known = tokens_->known("", kToken);
  ASSERT_TRUE(known.has_value());
  EXPECT_OK(*known);
  EXPECT_EQ(hub_->questions(), 1U);
  clock_.advance(1ms);
  EXPECT_FALSE(tokens_->known("", kToken).has_value());
}

TEST_F(HubTokensTest, TheTimeCountsFromWhenTheQuestionWasSent) {
  hub_->give(kToken, {.name = "alice"});
  hub_->hold();
  const auto answer = start(kToken);
  ASSERT_TRUE(hub_->wait_for_questions(1));
  clock_.advance(4min);
  hub_->let_go();
  ASSERT_OK(wait(answer));
  clock_.advance(1min);
  EXPECT_FALSE(tokens_->known("", kToken).has_value());
}

TEST_F(HubTokensTest, ARevokedTokenIsRefusedOnceItsTimeIsOver) {
  hub_->give(kToken, {.name = "alice"});
  ASSERT_OK(ask(kToken));
  hub_->revoke(kToken);
  clock_.advance(5min - 1ms);
  EXPECT_OK(ask(kToken));
  clock_.advance(1ms);
  const auto refused = ask(kToken);
  ASSERT_ERRC(refused, Errc::unauthenticated);
  EXPECT_THAT(refused.error().message, HasSubstr("revoked"));
  EXPECT_EQ(hub_->questions(), 2U);
}

TEST_F(HubTokensTest, ARefusalIsRememberedForHalfAMinute) {
  ASSERT_ERRC(ask(kToken), Errc::unauthenticated);
  hub_->give(kToken, {.name = "alice"});
  clock_.advance(30s - 1ms);
  EXPECT_ERRC(ask(kToken), Errc::unauthenticated);
  EXPECT_EQ(hub_->questions(), 1U);
  clock_.advance(1ms);
  EXPECT_OK(ask(kToken));
}

TEST_F(HubTokensTest, AHubThatIsAwayRefusesNobody) {
  const std::string fresh = token_number(1);
  hub_->give(kToken, {.name = "alice"});
  hub_->give(fresh, {.name = "bob"});
  ASSERT_OK(ask(kToken));
  hub_->fail_with(kAway);
  clock_.advance(4min);
  EXPECT_OK(ask(kToken)) << "who is known goes on";
  const auto unknown = ask(fresh);
  ASSERT_ERRC(unknown, Errc::unavailable);
  EXPECT_THAT(unknown.error().message, HasSubstr("connection refused"));
  EXPECT_TRUE(unknown.error().retry_after.has_value());
  EXPECT_THAT(unknown.error().message, Not(HasSubstr(fresh)));
  clock_.advance(1min);
  EXPECT_ERRC(ask(kToken), Errc::unavailable) << "its time is over, and that is no refusal";
  hub_->fail_with(std::nullopt);
  clock_.advance(2s);
  EXPECT_OK(ask(kToken));
  EXPECT_OK(ask(fresh));
}

TEST_F(HubTokensTest, AfterAFailureTheHubIsLeftAloneForTwoSeconds) {
  hub_->fail_with(kAway);
  ASSERT_ERRC(ask(kToken), Errc::unavailable);
  for (int i = 0; i < 10; ++i) EXPECT_ERRC(ask(token_number(i)), Errc::unavailable);
  EXPECT_EQ(hub_->questions(), 1U);
  clock_.advance(2s);
  EXPECT_ERRC(ask(kToken), Errc::unavailable);
  EXPECT_EQ(hub_->questions(), 2U);
}

TEST_F(HubTokensTest, QuestionsAboutOneTokenAreOne) {
  hub_->give(kToken, {.name = "alice"});
  hub_->hold();
  std::vector<std::shared_future<Answer>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(start(kToken));
  ASSERT_TRUE(hub_->wait_for_questions(1));
  hub_->let_go();
  for (const auto& answer : answers) EXPECT_OK(wait(answer));
  EXPECT_EQ(hub_->questions(), 1U);
}

TEST_F(HubTokensTest, AHangingHubTakesFourQuestionsAndNoCaller) {
  hub_->hold();
  std::vector<std::shared_future<Answer>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(start(token_number(i)));
  ASSERT_TRUE(hub_->wait_for_questions(4));
  EXPECT_EQ(hub_->questions(), 4U);
  hub_->let_go();
  for (const auto& answer : answers) EXPECT_ERRC(wait(answer), Errc::unauthenticated);
}

TEST_F(HubTokensTest, WhatWaitedTooLongIsNotAskedAnyMore) {
  hub_->hold();
  std::vector<std::shared_future<Answer>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(start(token_number(i)));
  ASSERT_TRUE(hub_->wait_for_questions(4));
  clock_.advance(6s);  // more than the timeout of a question
  hub_->let_go();
  for (int i = 0; i < 4; ++i) EXPECT_ERRC(wait(answers[static_cast<std::size_t>(i)]), Errc::unauthenticated);
  EXPECT_ERRC(wait(answers[4]), Errc::unavailable);
  EXPECT_EQ(hub_->questions(), 4U);
}

TEST_F(HubTokensTest, AFloodOfTokensIsNoFloodAtTheHub) {
  int limited = 0;
  for (int i = 0; i < 500; ++i) {
    const auto answer = ask(token_number(i), "", "192.0.2." + std::to_string(i % 250));
    ASSERT_FALSE(answer.has_value());
    if (answer.error().code == Errc::rate_limited) ++limited;
  }
  EXPECT_EQ(hub_->questions(), 20U) << "ten seconds' worth at once";
  EXPECT_EQ(limited, 480);
  clock_.advance(1s);
  for (int i = 500; i < 600; ++i) EXPECT_FALSE(ask(token_number(i), "", "198.51.100.7").has_value());
  EXPECT_EQ(hub_->questions(), 22U);
}

TEST_F(HubTokensTest, AFloodDoesNotShutOutWhoWasKnownBefore) {
  hub_->give(kToken, {.name = "alice"});
  ASSERT_OK(ask(kToken));
  for (int i = 0; i < 100; ++i) (void)ask(token_number(i)).has_value();
  clock_.advance(5min);
  for (int i = 0; i < 100; ++i) (void)ask(token_number(1000 + i)).has_value();
  EXPECT_OK(ask(kToken));
}

TEST_F(HubTokensTest, OneAddressThatShowsBadTokensIsStoppedAlone) {
  int asked = 0;
  for (int i = 0; i < 25; ++i) {
    if (ask(token_number(i), "", "192.0.2.66").error().code == Errc::unauthenticated) ++asked;
    clock_.advance(1s);  // well within what the hub as a whole takes
  }
  EXPECT_EQ(asked, 20);
  const auto stopped = ask(token_number(100), "", "192.0.2.66");
  ASSERT_ERRC(stopped, Errc::rate_limited);
  EXPECT_THAT(stopped.error().message, HasSubstr("your address"));
  hub_->give(kToken, {.name = "alice"});
  EXPECT_OK(ask(kToken, "", "192.0.2.67"));
  clock_.advance(1min);
  EXPECT_ERRC(ask(token_number(101), "", "192.0.2.66"), Errc::unauthenticated);
}

TEST_F(HubTokensTest, WhatNoHubMakesIsRefusedWithoutAQuestion) {
  for (const std::string& text : {std::string("short"), std::string("has blanks in the middle"), std::string(257, 'a'),
                                  std::string(20, '\x01'), std::string("0123456789abcdef\n0123456789abcdef")}) {
    const auto known = tokens_->known("", text);
    ASSERT_TRUE(known.has_value()) << text;
    EXPECT_ERRC(*known, Errc::unauthenticated);
  }
  EXPECT_EQ(hub_->questions(), 0U);
  EXPECT_FALSE(tokens_->concerns("hp_0123456789ab_x"));
  EXPECT_TRUE(tokens_->concerns(kToken));
}

TEST_F(HubTokensTest, ATokenGoesToNoHubThatItMayNotBelongTo) {
  make({"main", "other"});
  hub_->give(kToken, {.name = "alice"});
  other_->give(kToken, {.name = "mallory"});
  const auto unclear = ask(kToken);
  ASSERT_ERRC(unclear, Errc::unauthenticated);
  EXPECT_THAT(unclear.error().hint, HasSubstr("Homeport-Hub"));
  EXPECT_THAT(unclear.error().hint, Not(HasSubstr("other"))) << "names of hubs are not told to strangers";
  EXPECT_ERRC(ask(kToken, "third"), Errc::unauthenticated);
  EXPECT_EQ(hub_->questions() + other_->questions(), 0U);
  const auto here = ask(kToken, "main");
  ASSERT_OK(here);
  EXPECT_EQ(here->user.name, "alice");
  EXPECT_EQ(other_->questions(), 0U);
  EXPECT_FALSE(tokens_->known("other", kToken).has_value()) << "what one hub said is not said of another";
}

TEST_F(HubTokensTest, APersonWhoseNameCannotBeOursIsRefusedInWords) {
  hub_->give(kToken, {.name = "..", .groups = {"ok", "bad\ngroup"}});
  const auto refused = ask(kToken);
  ASSERT_ERRC(refused, Errc::unauthenticated);
  EXPECT_THAT(refused.error().message, HasSubstr("cannot have a home"));
  hub_->give(token_number(1), {.name = "bob", .groups = {"ok", "bad\ngroup"}});
  const auto person = ask(token_number(1));
  ASSERT_OK(person);
  EXPECT_THAT(person->user.groups, ::testing::ElementsAre("ok"));
}

TEST_F(HubTokensTest, WhatTheHubRefusesInWordsIsRememberedWithThem) {
  hub_->fail_with(Error{.code = Errc::unauthenticated, .message = "the token is of a service", .hint = "use another"});
  ASSERT_ERRC(ask(kToken), Errc::unauthenticated);
  const auto again = tokens_->known("", kToken);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->error().message, "the token is of a service");
  EXPECT_EQ(again->error().hint, "use another");
}

TEST_F(HubTokensTest, StoppingAnswersWhoWaits) {
  hub_->hold();
  const auto answer = start(kToken);
  ASSERT_TRUE(hub_->wait_for_questions(1));
  tokens_->stop();
  EXPECT_ERRC(wait(answer), Errc::unavailable);
  EXPECT_ERRC(ask(token_number(3)), Errc::unavailable);
}

TEST_F(HubTokensTest, StoppingAnswersAtOnceAlsoWhoHasAQuestionThatHangs) {
  hub_->hold_deaf();
  std::vector<std::shared_future<Answer>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(start(token_number(i)));  // four are asked, two are queued
  ASSERT_TRUE(hub_->wait_for_questions(4));
  std::thread stopping([this] { tokens_->stop(); });
  for (const auto& answer : answers) {
    const auto told = wait(answer);
    EXPECT_ERRC(told, Errc::unavailable);
    EXPECT_THAT(told ? "" : told.error().message, HasSubstr("stopping"));
  }
  EXPECT_ERRC(ask(token_number(9)), Errc::unavailable);
  hub_->let_go();
  stopping.join();
}

TEST_F(HubTokensTest, AnOddAnswerAboutOneTokenPausesThatTokenAndNobodyElse) {
  struct Case {
    const char* name;
    Error error;
    bool pauses;
  };
  const auto answered = [](int status) {
    return Error{.code = Errc::unavailable, .message = "an answer", .upstream = Upstream{"jupyterhub", status}};
  };
  const std::vector<Case> cases{
      {"500", answered(500), false},
      {"garbage", Error{.code = Errc::failed_precondition, .message = "is no JupyterHub"}, false},
      {"no HTTP", Error{.code = Errc::internal, .message = "no HTTP"}, false},
      {"proxy without a hub", answered(503), true},
      {"bad gateway", answered(502), true},
      {"too many", answered(429), true},
      {"unreachable", kAway, true},
      {"no answer", Error{.code = Errc::timed_out, .message = "no answer"}, true},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.name);
    make({"main"});
    hub_->give(kToken, {.name = "alice"});
    const auto odd = token_number(7);
    hub_->fail_for(odd, row.error);
    ASSERT_ERRC(ask(odd), Errc::unavailable);
    const auto before = hub_->questions();
    EXPECT_ERRC(ask(odd), Errc::unavailable);
    EXPECT_EQ(hub_->questions(), before) << "not asked again at once";
    EXPECT_EQ(ask(kToken).has_value(), !row.pauses);
    clock_.advance(2s);
    EXPECT_OK(ask(kToken));
    EXPECT_ERRC(ask(odd), Errc::unavailable);
    EXPECT_EQ(hub_->questions(), before + 2) << "asked again after two seconds";
  }
}

}  // namespace
}  // namespace homeport::core
