#include "cli/settings.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"

namespace homeport::cli {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "homeport-settings-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    home_ = name;
    vars_["HOME"] = home_;
    std::filesystem::create_directories(home_ + "/.config/homeport");
  }
  ~SettingsTest() override { std::filesystem::remove_all(home_); }

  std::string write(const std::string& name, const std::string& text, unsigned mode = 0600) {
    std::ofstream(home_ + "/" + name) << text;
    chmod((home_ + "/" + name).c_str(), mode);
    return home_ + "/" + name;
  }
  void config(const std::string& text) { write(".config/homeport/config.yaml", text); }
  Environment env() {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = vars_.find(name);
      return found == vars_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  Result<Settings> load(const SettingChoices& choices = {}) { return load_settings(choices, env()); }

  std::string home_;
  std::map<std::string, std::string> vars_;
};

constexpr const char* kTwo =
    "# mine\n"
    "current-context: lab\n"
    "contexts:\n"
    "  - {name: lab, url: \"http://127.0.0.1:1\", token_file: lab.token, ca_file: ca.pem, realm: lab}\n"
    "  - {name: other, url: \"https://other:2\", token_file: ~/other.token}\n";

TEST_F(SettingsTest, WithoutAnythingTheDefaultIsUsed) {
  const auto settings = load();
  ASSERT_OK(settings);
  EXPECT_EQ(settings->url.to_string(), "http://127.0.0.1:7717");
  EXPECT_FALSE(settings->token);
}

TEST_F(SettingsTest, TheCurrentContextIsUsed) {
  config(kTwo);
  write(".config/homeport/lab.token", "lab-secret\n");
  const auto settings = load();
  ASSERT_OK(settings);
  EXPECT_EQ(settings->url.to_string(), "http://127.0.0.1:1");
  EXPECT_EQ(settings->token->reveal(), "lab-secret");
  EXPECT_EQ(settings->ca_file, home_ + "/.config/homeport/ca.pem");
  EXPECT_EQ(settings->realm, "lab");
}

TEST_F(SettingsTest, AnOptionBeatsTheEnvironmentBeatsTheContext) {
  config(kTwo);
  write(".config/homeport/lab.token", "lab-secret");
  vars_["HOMEPORT_URL"] = "http://127.0.0.1:9";
  vars_["HOMEPORT_TOKEN"] = "env-secret";
  const auto from_env = load();
  ASSERT_OK(from_env);
  EXPECT_EQ(from_env->url.to_string(), "http://127.0.0.1:9");
  EXPECT_EQ(from_env->token->reveal(), "env-secret");
  const auto file = write("given.token", "file-secret");
  const auto from_option = load({.url = "http://127.0.0.1:8", .token_file = file});
  ASSERT_OK(from_option);
  EXPECT_EQ(from_option->url.to_string(), "http://127.0.0.1:8");
  EXPECT_EQ(from_option->token->reveal(), "file-secret");
}

TEST_F(SettingsTest, AContextThatIsAskedForBeatsTheEnvironment) {
  config(kTwo);
  write("other.token", "other-secret");
  vars_["HOMEPORT_URL"] = "http://127.0.0.1:9";
  const auto settings = load({.context = "other"});
  ASSERT_OK(settings);
  EXPECT_EQ(settings->url.to_string(), "https://other:2");
  EXPECT_EQ(settings->token->reveal(), "other-secret");
}

TEST_F(SettingsTest, ATokenOfAContextDoesNotGoToAnotherAddress) {
  config(kTwo);
  write(".config/homeport/lab.token", "lab-secret");
  const auto settings = load({.url = "http://elsewhere:1"});
  ASSERT_OK(settings);
  EXPECT_FALSE(settings->token);
  EXPECT_EQ(settings->realm, "");
}

TEST_F(SettingsTest, InANotebookNothingHasToBeSet) {
  vars_["HOMEPORT_URL"] = "http://127.0.0.1:9";
  vars_["HOMEPORT_HUB"] = "main";
  vars_["HOMEPORT_CA_FILE"] = "/etc/ca.pem";
  vars_["JUPYTERHUB_API_TOKEN"] = "hub-secret";
  const auto settings = load();
  ASSERT_OK(settings);
  ASSERT_TRUE(settings->token);
  EXPECT_EQ(settings->token->reveal(), "hub-secret");
  EXPECT_EQ(settings->token_from, "JUPYTERHUB_API_TOKEN");
  EXPECT_EQ(settings->hub, "main");
  EXPECT_EQ(settings->ca_file, "/etc/ca.pem");
}

TEST_F(SettingsTest, TheHubsTokenGoesOnlyWhereTheHubSaid) {
  vars_["JUPYTERHUB_API_TOKEN"] = "hub-secret";
  const auto nowhere = load();
  ASSERT_OK(nowhere);
  EXPECT_FALSE(nowhere->token) << "there is no HOMEPORT_URL";
  EXPECT_NE(nowhere->no_token_because, "");
  vars_["HOMEPORT_URL"] = "http://127.0.0.1:9";
  vars_["HOMEPORT_CA_FILE"] = "/etc/ca.pem";
  for (const std::string url :
       {"http://127.0.0.1:8", "https://127.0.0.1:9", "http://elsewhere:9", "http://127.0.0.1:9/x"}) {
    const auto elsewhere = load({.url = url});
    ASSERT_OK(elsewhere);
    EXPECT_FALSE(elsewhere->token) << url;
    EXPECT_EQ(elsewhere->hub, "");
    EXPECT_EQ(elsewhere->ca_file, "");
  }
  const auto same = load({.url = "http://127.0.0.1:9/"});
  ASSERT_OK(same);
  EXPECT_TRUE(same->token);
  config(kTwo);
  const auto context = load({.context = "other"});
  EXPECT_FALSE(context.has_value()) << "its token file is named and not there";
}

TEST_F(SettingsTest, EveryOtherTokenGoesBeforeTheHubs) {
  vars_["HOMEPORT_URL"] = "http://127.0.0.1:1";
  vars_["HOMEPORT_HUB"] = "main";
  vars_["JUPYTERHUB_API_TOKEN"] = "hub-secret";
  config(kTwo);
  write(".config/homeport/lab.token", "lab-secret");
  const auto context = load();
  ASSERT_OK(context);
  EXPECT_EQ(context->token->reveal(), "lab-secret");
  EXPECT_EQ(context->hub, "") << "it is not the hub's token";
  vars_["HOMEPORT_TOKEN"] = "env-secret";
  EXPECT_EQ(load()->token->reveal(), "env-secret");
}

TEST_F(SettingsTest, AHubNameThatIsNoneIsRefused) {
  vars_["HOMEPORT_URL"] = "http://127.0.0.1:1";
  vars_["JUPYTERHUB_API_TOKEN"] = "hub-secret";
  vars_["HOMEPORT_HUB"] = "main\r\nX-Evil: 1";
  const auto settings = load();
  ASSERT_ERRC(settings, Errc::invalid_argument);
  EXPECT_NE(settings.error().sentence().find("HOMEPORT_HUB"), std::string::npos);
}

TEST_F(SettingsTest, WarnsOfReadableTokensAndPlainHttp) {
  const auto file = write("token", "secret", 0644);
  const auto settings = load({.url = "http://far.example", .token_file = file});
  ASSERT_OK(settings);
  ASSERT_EQ(settings->warnings.size(), 2U);
  EXPECT_NE(settings->warnings[0].find("chmod 600"), std::string::npos);
  EXPECT_NE(settings->warnings[1].find("unencrypted"), std::string::npos);
}

TEST_F(SettingsTest, BadTokensAreRefusedWithoutShowingThem) {
  for (const std::string text : {"", "two words", "line\nline", "tab\t"}) {
    const auto settings = load({.token_file = write("token", text)});
    ASSERT_ERRC(settings, Errc::invalid_argument) << text;
    if (!text.empty()) {
      EXPECT_EQ(settings.error().to_string().find(text), std::string::npos);
    }
  }
  EXPECT_ERRC(load({.token_file = home_ + "/none"}), Errc::invalid_argument);
}

TEST_F(SettingsTest, AWrongFileNamesEveryProblemAndItsLine) {
  config(
      "current-context: gone\ncontexts:\n  - {name: a, url: nowhere}\n  - {name: a, url: \"http://h\", tokn_file: "
      "x}\nmore: 1\n");
  const auto settings = load();
  ASSERT_ERRC(settings, Errc::invalid_argument);
  for (const std::string part : {"line 1", "gone", "line 3", "nowhere", "line 4", "tokn_file", "more"}) {
    EXPECT_NE(settings.error().message.find(part), std::string::npos) << part << " in " << settings.error().message;
  }
  config("contexts: [");
  EXPECT_ERRC(load(), Errc::invalid_argument);
}

TEST_F(SettingsTest, AnUnknownContextListsTheKnownOnes) {
  config(kTwo);
  const auto settings = load({.context = "lap"});
  ASSERT_ERRC(settings, Errc::not_found);
  EXPECT_NE(settings.error().hint.find("lab, other"), std::string::npos);
}

TEST_F(SettingsTest, UseChangesOneLineOnly) {
  config(kTwo);
  const auto file = load_contexts(env());
  ASSERT_OK(file);
  ASSERT_OK(use_context(*file, "other"));
  std::string expected = kTwo;
  expected.replace(expected.find("current-context: lab"), 20, "current-context: \"other\"");
  EXPECT_EQ(homeport::testing::read_file(home_ + "/.config/homeport/config.yaml"), expected);
  EXPECT_ERRC(use_context(*file, "third"), Errc::not_found);
}

}  // namespace
}  // namespace homeport::cli
