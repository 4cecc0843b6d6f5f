"""A hub's user who was deleted and made again, in a real JupyterHub with a real homeportd: whoever has the name now does
not get the files of before, until an admin has said who it is.
"""
import os
import subprocess
import time
import unittest

import support
from test_jupyterhub import Stage

# Nobody's uid is their own here, so nothing but the hub's word tells people apart.
CONFIG = support.MEMORY_CONFIG.replace(
    "max_quota: 50GiB}", "max_quota: 50GiB, identity: {mode: squash, uid: 1000, gid: 100, accept_one_uid: true}}")


class RecreatedTest(Stage):
    options = "platform=hub_spawners.keep_spec, deadline=4, first_deadline=20"
    recreated = "hold"

    @classmethod
    def daemon_config(cls):
        return (f"hubs:\n- {{name: main, url: \"http://127.0.0.1:9/hub/api\", recreated: {cls.recreated}}}\n" + CONFIG)

    def homeport(self, *arguments, code=0):
        done = subprocess.run([support.binary("homeport"), *arguments], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=support.PATIENCE,
                              env={**os.environ, "HOMEPORT_URL": "http://" + self.daemon.address,
                                   "HOMEPORT_TOKEN": self.daemon.token})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return " ".join(done.stdout.split())

    def home(self, user):
        self.started(user)
        export = self.spec(user)["mounts"][0]["source"]["export"]
        self.hub.stop_server(user)
        return export

    def delete_and_make(self, user):
        """As an admin does in the hub's admin page; never within the second in which the account was made."""
        made = self.hub.call("GET", self.hub.user_path(user)).body["created"]
        self.assertEqual(self.hub.call("DELETE", self.hub.user_path(user)).status, 204)
        begun = time.time()
        support.wait_until(lambda: time.time() > begun + 1.5, "another second")
        self.hub.add_user(user)
        self.assertNotEqual(self.hub.call("GET", self.hub.user_path(user)).body["created"], made)


class HoldTest(RecreatedTest):
    def test_a_stranger_of_that_name_gets_a_text_and_nobodys_files(self):
        self.hub.add_user("noor.t"), self.hub.add_user("vasco")
        first, other = self.home("noor.t"), self.home("vasco")
        self.assertEqual(self.home("noor.t"), first, "the same account, the same home")
        self.delete_and_make("noor.t")
        text = self.refused("noor.t", 403, "account noor.t was deleted in hub main and made again")
        self.assertIn("an administrator", text)
        # The service being away opens nothing either: what the hub kept was the other account's.
        self.front.mode = "drop"
        self.refused("noor.t", 503, "cannot be asked")
        self.front.mode = "pass"
        self.assertIn("account noor.t was deleted in hub main", self.homeport("doctor"))
        self.assertIn("user keep", self.homeport("user", "show", "noor.t"))
        self.assertEqual(self.home("vasco"), other, "nobody else notices")
        # An admin: it is the same person.
        self.homeport("user", "keep", "noor.t")
        self.assertEqual(self.home("noor.t"), first)
        self.assertNotIn("noor.t was deleted", self.homeport("doctor"))

    def test_somebody_new_gets_a_home_of_their_own_and_the_one_of_before_is_kept(self):
        self.hub.add_user("quill")
        first = self.home("quill")
        self.delete_and_make("quill")
        self.refused("quill", 403, "made again")
        self.homeport("user", "rename", "quill", "quill-before", "--free")
        second = self.home("quill")
        self.assertNotEqual(second, first)
        kept = self.daemon.call("GET", "/v1/homes/quill-before").body
        self.assertEqual((kept["state"], kept["source"]["export"]), ("ready", first))


class TrustedTest(RecreatedTest):
    recreated = "same"

    def test_a_hub_whose_names_are_never_given_away(self):
        self.hub.add_user("odile")
        first = self.home("odile")
        self.delete_and_make("odile")
        self.assertEqual(self.home("odile"), first)


del Stage, RecreatedTest  # no tests of their own

if __name__ == "__main__":
    unittest.main()
