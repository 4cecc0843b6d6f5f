#include "cli/copy_claims.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{250};
constexpr milliseconds kLookAgain{1'000};
constexpr std::chrono::minutes kPatience{2};  // with a service that does not answer
constexpr milliseconds kUsual{30'000};

// How long the service lets a claim stand, by its own clock at both ends.
milliseconds length_of(const Json& space) {
  const auto from = parse_time(text_at(space, "copying_by.renewed"));
  const auto to = parse_time(text_at(space, "copying_by.until"));
  if (!from || !to || *to < *from) return kUsual;
  return std::chrono::duration_cast<milliseconds>(*to - *from);
}

bool over(const Json& space) {
  return member(space, "copying") == nullptr;
}

}  // namespace

std::string this_host() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

MonoTime CopyClaim::until() const {
  const std::lock_guard lock(mutex_);
  return until_;
}
std::optional<Error> CopyClaim::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

CopyClaims::CopyClaims(Cli& cli, std::unique_ptr<Api> api, std::stop_token stop)
    : cli_(cli),
      api_(std::move(api)),
      stop_(std::move(stop)),
      run_("run-" + hex16(cli.host().ids.random64())),
      by_(printable(this_host(), 100) + ", process " + std::to_string(::getpid())),
      renewer_([this](const std::stop_token& end) {
        while (cli_.host().clock.sleep_for(kTick, end)) renew_all();
      }) {}

CopyClaims::~CopyClaims() = default;

Result<Json> CopyClaims::say(Api& api, const std::string& key, bool leave) const {
  Json body{{"run", run_}, {"by", by_}};
  if (leave) body["leave"] = true;
  return api.json({.method = "POST", .target = Target("/v1/homes").part(key).literal("copying"), .body = body.dump()});
}

Result<Json> CopyClaims::say_until_heard(Api& api, const std::string& key) const {
  const auto end = cli_.host().clock.mono() + kPatience;
  for (;;) {
    auto answer = say(api, key, false);
    if (answer || !is_transient(answer.error().code) || answer.error().code == Errc::cancelled) return answer;
    if (cli_.host().clock.mono() >= end || !cli_.host().clock.sleep_for(kLookAgain, stop_)) return answer;
  }
}

// A quarter is left for what is on its way when the time is over.
void CopyClaims::extend(CopyClaim& claim, const Json& space, MonoTime asked) const {
  const auto length = length_of(space);
  const std::lock_guard lock(claim.mutex_);
  claim.until_ = asked + length * 3 / 4;
  claim.next_ = asked + length / 4;
}

Result<CopyClaimPtr> CopyClaims::take(Api& api, const std::string& key, Json& space) {
  auto& clock = cli_.host().clock;
  std::string last_word;
  for (;;) {
    const auto asked = clock.mono();
    auto answer = say_until_heard(api, key);
    if (answer) {
      space = *std::move(answer);
      if (over(space)) return CopyClaimPtr{};
      auto claim = CopyClaimPtr(new CopyClaim(key));
      extend(*claim, space, asked);
      claim->interrupt_.emplace(stop_, [raw = claim.get()] { raw->stop_.request_stop(); });
      const std::lock_guard lock(mutex_);
      held_.push_back(claim);
      return claim;
    }
    if (answer.error().code != Errc::conflict) return std::move(answer).error();
    // Whoever has it may be dead: then its last word stays the last.
    HOMEPORT_TRY(const auto now, api.get(Target("/v1/homes").part(key)));
    const auto heard = text_at(now, "copying_by.renewed");
    if (!last_word.empty() && heard != "-" && heard != last_word) return std::move(answer).error();
    last_word = heard;
    if (!clock.sleep_for(kLookAgain, stop_)) return Error{.code = Errc::cancelled, .message = "interrupted"};
  }
}

void CopyClaims::leave(Api& api, const CopyClaimPtr& claim) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(held_, claim);
  }
  // Not heard: then it ends by itself.
  [[maybe_unused]] const auto said = say(api, claim->key_, true);
}

void CopyClaims::renew_all() {
  std::vector<CopyClaimPtr> held;
  {
    const std::lock_guard lock(mutex_);
    held = held_;
  }
  for (const auto& claim : held) renew(*claim);
}

void CopyClaims::renew(CopyClaim& claim) {
  const auto asked = cli_.host().clock.mono();
  {
    const std::lock_guard lock(claim.mutex_);
    if (asked < claim.next_ || claim.lost_) return;
  }
  const auto answer = say(*api_, claim.key_, false);
  if (answer && !over(*answer)) return extend(claim, *answer, asked);
  if (!answer && is_transient(answer.error().code)) return;  // asked again at the next tick
  {
    const std::lock_guard lock(claim.mutex_);
    claim.lost_ = answer ? Error{.code = Errc::conflict,
                                 .message = "somebody else ended the copy into this home meanwhile",
                                 .hint = "`homeport home show` shows it; nothing more was written into it"}
                         : answer.error();
    claim.until_ = MonoTime{};
  }
  claim.stop_.request_stop();
}

}  // namespace homeport::cli
