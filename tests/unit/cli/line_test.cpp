// Reading the command line, in process: what is refused before anything is sent, and what help says.
#include <gtest/gtest.h>

#include <sstream>

#include "cli/app.h"
#include "cli/command_tree.h"
#include "cli/help.h"
#include "tests/support/fake_clock.h"
#include "tests/support/golden.h"

namespace homeport::cli {
namespace {

struct Said {
  int code = -1;
  std::string out{};
  std::string err{};
};

Said say(const std::vector<std::string>& args) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  homeport::testing::FakeClock clock;
  const auto ids = make_seeded_ids(1);
  // Port 9 of this host: whatever is sent by mistake ends as "unavailable".
  const Environment env = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOMEPORT_URL") return "http://127.0.0.1:9";
    return std::nullopt;
  };
  Host host{.env = env, .in = in, .out = out, .err = err, .clock = clock, .ids = *ids};
  const int code = run(args, host);
  return {.code = code, .out = out.str(), .err = err.str()};
}

struct Case {
  std::string name;
  std::vector<std::string> args;
  std::string said;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
class Refused : public ::testing::TestWithParam<Case> {};

TEST_P(Refused, WithCode2AndAHint) {
  const auto said = say(GetParam().args);
  EXPECT_EQ(said.code, 2) << said.err;
  EXPECT_NE(said.err.find(GetParam().said), std::string::npos) << said.err;
  EXPECT_EQ(said.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, Refused,
    ::testing::Values(
        Case{"unknownCommand", {"hmoe", "list"}, "did you mean homeport home?"},
        Case{"unknownVerb", {"home", "lst"}, "did you mean homeport home list?"},
        Case{"unknownVerbWithOption", {"home", "ensur", "--uid", "1"}, "did you mean homeport home ensure?"},
        Case{"farAwayWord", {"xyzzy"}, "homeport --help tells what there is"},
        Case{"unknownOption", {"home", "list", "--stat", "x"}, "did you mean --state?"},
        Case{"optionOfAnotherVerb", {"home", "list", "--dry-run"}, "homeport home list has no option --dry-run"},
        Case{"oneTooMany", {"home", "show", "a", "b"}, "'b' is one argument too many for homeport home show"},
        Case{"missingArgument", {"home", "retire"}, "homeport home retire --help"},
        Case{"missingOption", {"spec", "get", "alice"}, "no --hub is given"},
        Case{"badNumber", {"home", "ensure", "alice", "--uid", "x", "--gid", "1"}, "homeport home ensure"},
        Case{"negativeNumber", {"home", "ensure", "alice", "--uid=-1", "--gid", "1"}, "homeport home ensure"},
        Case{"badChoice", {"dataset", "grant", "d", "--everyone", "--access", "rwx"}, "'rwx' is none of ro|rw"},
        Case{"joinedChoice", {"dataset", "grant", "d", "--everyone", "--access", "ro|rw"}, "is none of ro|rw"},
        Case{"badOutput", {"home", "list", "-o", "xml"}, "'xml' is none of table|json|yaml"},
        Case{"badTimeout", {"home", "list", "--timeout", "soon"}, "--timeout 10s"},
        Case{"badWait", {"home", "retire", "alice", "--wait=soon"}, "--wait=90"},
        Case{"emptyUser", {"home", "retire", ""}, "user name"},
        Case{"userWithSlash", {"home", "show", "a/b"}, "user name"},
        Case{"userDots", {"home", "show", ".."}, "user name"},
        Case{"badDataset", {"dataset", "show", "No Good"}, "No Good"},
        Case{"badPath", {"dataset", "import", "d", "--backend", "b", "--export", "/a/../b"}, "/a/../b"},
        Case{"badSize", {"home", "resize", "alice", "lots"}, "lots"},
        Case{"badSpace", {"space", "show", "thing/alice"}, "names no space"},
        Case{"badOperation", {"operation", "show", "../x"}, "is no id of an operation"},
        Case{"relativeBackup", {"state", "backup", "x.db"}, "is no absolute path"},
        Case{"twoSubjects", {"dataset", "grant", "d", "--everyone", "--group", "g"}, "more than one"},
        Case{"noSubject", {"dataset", "withdraw", "d"}, "nobody is named"},
        Case{"ensureNobody", {"home", "ensure"}, "neither a user nor a roster"},
        Case{"ensureHalfAnIdentity", {"home", "ensure", "alice", "--uid", "1"}, "--uid and --gid go together"},
        Case{"ensureBoth", {"home", "ensure", "alice", "--from", "x"}, "--from takes"},
        Case{"failuresAlone",
             {"home", "ensure", "alice", "--uid", "1", "--gid", "1", "--failures", "x"},
             "--failures goes with --from"},
        Case{"noRosterFile", {"home", "ensure", "--from", "/nowhere/x.csv"}, "cannot read /nowhere/x.csv"},
        Case{"realmElsewhere", {"backend", "list", "--realm", "r"}, "--realm has no meaning there"},
        Case{"spawnerWithoutHub", {"token", "create", "--scope", "spawner"}, "speaks for one hub"},
        Case{"formatAndOutput",
             {"spec", "get", "a", "--hub", "h", "--format", "fstab", "-o", "json"},
             "-o does not go with --format"},
        Case{"modeAlone", {"spec", "get", "a", "--hub", "h", "--mode", "hook"}, "no --format is given"},
        Case{"halfIdentity", {"spec", "get", "a", "--hub", "h", "--uid", "1"}, "belong together"},
        Case{"purgeUnasked", {"home", "purge", "alice"}, "--yes-purge alice"},
        Case{"badUrl", {"home", "list", "--url", "ftp://x"}, "no scheme http or https"},
        Case{"noHelp", {"help", "exitcodes"}, "did you mean exit-codes?"},
        Case{"noun", {"home"}, "Usage: homeport home VERB"}, Case{"nothing", {}, "Usage: homeport COMMAND"}),
    [](const auto& row) { return row.param.name; });

TEST(Line, AnUnreachableServiceSaysWhichAndWhatToDo) {
  const auto said = say({"home", "list"});
  EXPECT_EQ(said.code, 9);
  EXPECT_EQ(said.err,
            "homeport: error: cannot reach http://127.0.0.1:9: connection refused\n"
            "  hint: is homeportd running? give another address with --url, HOMEPORT_URL or a context\n");
}

TEST(Line, ControlCharactersInArgumentsAreNotPrinted) {
  const auto said = say({"ho\x1b[31mme"});
  EXPECT_EQ(said.err.find('\x1b'), std::string::npos);
}

TEST(Line, GlobalOptionsMayStandAnywhere) {
  for (const auto& args : {std::vector<std::string>{"--url", "http://127.0.0.1:8", "home", "list"},
                           std::vector<std::string>{"home", "--url", "http://127.0.0.1:8", "list"},
                           std::vector<std::string>{"home", "list", "--url=http://127.0.0.1:8"}}) {
    EXPECT_NE(say(args).err.find("http://127.0.0.1:8"), std::string::npos);
  }
}

TEST(Line, PeopleMayBeCalledLikeCommands) {
  for (const std::string name : {"home", "list", "show", "backend", "help"}) {
    EXPECT_EQ(say({"home", "show", name}).code, 9) << name;  // read, and sent
  }
}

TEST(Line, VersionNeedsNoService) {
  EXPECT_EQ(say({"--version"}).code, 0);
  const auto said = say({"version"});
  EXPECT_EQ(said.code, 0);
  EXPECT_NE(said.out.find("cannot reach"), std::string::npos);
}

// Every command teaches: what it does, how it is called, an example; 80 columns.
void check_help(const CLI::App& app) {
  const std::string text = help_text(app);
  EXPECT_FALSE(app.get_description().empty()) << app.get_name();
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    EXPECT_LE(display_width(std::string_view(text).substr(at, end - at)), 80U) << text.substr(at, end - at);
    at = end + 1;
  }
  const auto subs = app.get_subcommands([](const CLI::App*) { return true; });
  if (subs.empty()) {
    EXPECT_NE(app.get_footer().find("homeport "), std::string::npos) << app.get_name() << " has no example";
  }
  for (const CLI::App* sub : subs) check_help(*sub);
}

TEST(Help, EveryCommandTeaches) {
  const auto tree = make_command_tree({"*"});
  check_help(*tree.root);
}

TEST(Help, LooksAsItShall) {
  homeport::testing::expect_golden(
      say({"--help"}).out + "-----\n" + say({"home", "--help"}).out + "-----\n" + say({"home", "ensure", "--help"}).out,
      "cli/help.txt");
}

TEST(Help, TopicsAndCommandsAreFound) {
  for (const auto& [topic, part] : std::map<std::string, std::string>{{"exit-codes", "20  the time"},
                                                                      {"environment", "HOMEPORT_TOKEN"},
                                                                      {"names", "dataset/NAME"},
                                                                      {"home", "Verbs:"}}) {
    const auto said = say({"help", topic});
    EXPECT_EQ(said.code, 0);
    EXPECT_NE(said.out.find(part), std::string::npos) << topic;
  }
  EXPECT_NE(say({"help", "home", "ensure"}).out.find("roster.csv"), std::string::npos);
}

}  // namespace
}  // namespace homeport::cli
