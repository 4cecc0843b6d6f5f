"""People's own right: a real notebook of a real JupyterHub (Debian's 3.0) calls the real `homeport` with nothing but its
environment, and homeportd asks that hub whose token it is. Then: who has left the hub.
"""
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
import types
import unittest

import tornado.httpclient
import tornado.websocket

import hub_support
import nfs_support
import support
from test_jupyterhub import LOAD, Accounts, Stage

SERVICE = "5e1f0000000000000000000000005e1f"

HUBS = """
hubs:
- name: main
  url: {url}/hub/api
  token: {{file: {token}}}
  cache: 1s
  timeout: 1s
"""


class HubUserTest(Stage):
    hub_config = """
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.JupyterHub.api_page_max_limit = 2
c.JupyterHub.services.append({"name": "homeport", "api_token": "%s"})
c.JupyterHub.load_roles.append({"name": "homeport", "services": ["homeport"], "scopes": ["list:users", "read:users"]})
c.Spawner.cmd = ["/usr/bin/jupyterhub-singleuser"]
c.Spawner.default_url = "/tree"
c.Spawner.http_timeout = 60
c.Spawner.environment = {"JUPYTERHUB_SINGLEUSER_APP": "notebook.notebookapp.NotebookApp"}
""" % SERVICE

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("the real NFS server and the accounts of this test need root")
        # homeportd asks the hub through this: it counts, and is away when a test says so.
        cls.way = hub_support.Front(types.SimpleNamespace(address=None))
        cls.addClassCleanup(cls.way.close)
        cls.nfs = nfs_support.NfsServer("--no-cache", "/homes", "/data:ro")
        cls.addClassCleanup(cls.nfs.close)
        mounts = tempfile.mkdtemp(prefix="homeport-mounts-")
        cls.addClassCleanup(os.rmdir, mounts)
        os.chmod(mounts, 0o755)
        homes = os.path.join(mounts, "homes")
        mount = hub_support.FuseMount(cls.nfs, "/homes", homes)
        cls.addClassCleanup(os.rmdir, homes)
        cls.addClassCleanup(mount.close)
        cls.options = f"deadline=6, first_deadline=60, host_mounts={{'127.0.0.1:/homes': {homes!r}}}"
        super().setUpClass()
        cls.way.daemon.address = f"127.0.0.1:{cls.hub.port}"
        os.chmod(cls.directory, 0o755)
        cls.command = os.path.join(cls.directory, "homeport")
        shutil.copy(support.binary("homeport"), cls.command)
        cls.outputs = os.path.join(cls.directory, "outputs")
        os.mkdir(cls.outputs)
        os.chmod(cls.outputs, 0o1777)
        accounts = Accounts(cls)
        cls.alice, cls.alice_uid = accounts.add("alice")
        cls.bob, cls.bob_uid = accounts.add("bob")
        for name in (cls.alice, cls.bob, "carol", "dave", "erin"):
            cls.hub.add_user(name)
        for name in (cls.alice, cls.bob):  # both come from this hub
            status, text = cls.hub.spawn(name)
            assert status == 201, text
        cls.hub.stop_server(cls.bob)

    @classmethod
    def daemon_config(cls):
        token = os.path.join(cls.directory, "hub-token")
        with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(SERVICE + "\n")
        return nfs_support.config(cls.nfs, "people") + HUBS.format(url=cls.way.url, token=token)

    def setUp(self):
        super().setUp()
        self.way.mode = "pass"

    # --- a terminal of the notebook ----------------------------------------------------------------------------------

    def in_notebook(self, user, command):
        """(code, output, errors) of a command line typed into a terminal of the user's notebook."""
        token = self.own_token(user)["token"]
        name = os.path.join(self.outputs, secrets.token_hex(8))
        line = f"({command}) > {name}.out 2> {name}.err < /dev/null; echo $? > {name}.tmp; mv {name}.tmp {name}.code\r"

        async def type_it():
            base = f"127.0.0.1:{self.hub.proxy_port}/user/{user}"
            headers = {"Authorization": "token " + token}
            client = tornado.httpclient.AsyncHTTPClient()
            made = await client.fetch(f"http://{base}/api/terminals", method="POST", body="", headers=headers)
            terminal = json.loads(made.body)["name"]
            socket = await tornado.websocket.websocket_connect(
                tornado.httpclient.HTTPRequest(f"ws://{base}/terminals/websocket/{terminal}", headers=headers))
            await socket.write_message(json.dumps(["stdin", line]))
            end = time.monotonic() + support.PATIENCE
            while not os.path.exists(name + ".code"):
                if time.monotonic() > end:
                    raise AssertionError(f"not in {support.PATIENCE} s: {command}")
                await asyncio.sleep(0.05)
            socket.close()
        asyncio.run(type_it())
        def read(end):
            with open(f"{name}.{end}", encoding="utf-8") as f:
                return f.read()
        return int(read("code")), read("out"), read("err")

    def homeport(self, user, arguments):
        return self.in_notebook(user, f"{self.command} {arguments}")

    def admin(self, *arguments):
        done = subprocess.run([self.command, *arguments], capture_output=True, text=True, check=False, timeout=support.PATIENCE,
                              env={"HOMEPORT_URL": "http://" + self.daemon.address, "HOMEPORT_TOKEN": self.daemon.token},
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def own_token(self, user, **more):
        answer = self.hub.call("POST", self.hub.user_path(user) + "/tokens", more or None)
        self.assertEqual(answer.status, 201, answer)
        return answer.body

    def ask(self, token, target="/v1/me", **more):
        return self.daemon.call("GET", target, token=token, **more)

    def notebook_token(self, user):
        pid = self.hub.call("GET", self.hub.user_path(user)).body["servers"][""]["state"]["pid"]
        with open(f"/proc/{pid}/environ", encoding="utf-8") as f:
            return dict(line.split("=", 1) for line in f.read().split("\0") if "=" in line)["JUPYTERHUB_API_TOKEN"]

    # --- (a) to (c): what is mine ------------------------------------------------------------------------------------

    def test_1_a_notebook_needs_no_setting_and_sees_its_own(self):
        code, out, errors = self.homeport(self.alice, "me")
        self.assertEqual((code, errors), (0, ""), out)
        self.assertIn(f"{self.alice} of hub main", out)
        self.assertIn("10GiB", out)
        code, out, errors = self.homeport(self.alice, "me -o json")
        me = json.loads(out)
        self.assertEqual((me["user"]["name"], me["user"]["uid"], me["credential"]["scope"]), (self.alice, self.alice_uid, "user:self"))
        self.assertEqual(len(me["homes"]), 1)
        key = me["homes"][0]["key"]
        code, out, errors = self.homeport(self.alice, "home show")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn(key, out)
        code, out, errors = self.homeport(self.alice, "usage")
        self.assertEqual((code, errors), (0, ""))
        self.assertRegex(out, rf"(?m)^{self.alice} +ready .*10GiB")
        self.assertNotIn(self.bob, out)
        code, out, errors = self.homeport(self.alice, "spec get -o json")
        self.assertEqual((code, errors), (0, ""))
        spec = json.loads(out)
        self.assertEqual((spec["subject"]["user"], spec["mounts"][0]["kind"]), (self.alice, "home"))
        self.assertEqual(spec["digest"], self.environment_digest(), "the same as this server was started with")
        code, out, errors = self.homeport(self.alice, "operation list -o json")
        self.assertEqual({o["space"] for o in json.loads(out)["items"]}, {key}, errors)

    def environment_digest(self):
        return self.in_notebook(self.alice, "echo -n $HOMEPORT_DIGEST")[1]

    def test_2_a_notebook_is_refused_what_is_others(self):
        bob = self.daemon.call("GET", f"/v1/homes/{self.bob}").body
        operation = self.daemon.call("GET", "/v1/operations?space=" + bob["key"]).body["items"][0]["id"]
        for arguments, wanted in ((f"home show {self.bob}", 8), ("home show nobody-at-all", 8), (f"home show {bob['key']}", 8),
                                  (f"user show {self.bob}", 8), (f"operation show {operation}", 3), ("backend list", 8),
                                  ("audit list", 8), ("token list", 8), (f"home retire {self.alice}", 8),
                                  (f"spec get {self.bob} --hub main", 8),
                                  ("spec get --groups staff", 8)):
            code, out, errors = self.homeport(self.alice, arguments)
            self.assertEqual(code, wanted, (arguments, out, errors))
            self.assertEqual(out, "", arguments)
        self.assertEqual(self.homeport(self.alice, "home list -o json")[1].count('"key"'), 1)

    def test_3_the_token_is_nowhere_kept(self):
        token = self.notebook_token(self.alice)
        self.assertEqual(self.ask(token).status, 200)
        self.assertNotIn(token, self.daemon.log())
        for name in os.listdir(self.daemon.state):
            path = os.path.join(self.daemon.state, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    self.assertNotIn(token.encode(), f.read(), name)

    def test_4_a_revoked_token_is_refused_after_the_cache_time(self):
        made = self.own_token(self.alice)
        self.assertEqual(self.ask(made["token"]).status, 200)
        answer = self.hub.call("DELETE", self.hub.user_path(self.alice) + "/tokens/" + made["id"])
        self.assertEqual(answer.status, 204, answer)
        refused = support.wait_until(lambda: (a := self.ask(made["token"])).status != 200 and a, "the token is refused")
        self.assertEqual((refused.status, refused.body["code"]), (401, "unauthenticated"), refused)
        self.assertIn("revoked", refused.body["detail"])
        # And what a stopped server leaves behind.
        self.started(self.bob)
        token = self.notebook_token(self.bob)
        self.assertEqual(self.ask(token).status, 200)
        self.hub.stop_server(self.bob)
        support.wait_until(lambda: self.ask(token).status == 401, "the token of a server that has ended is refused")

    def test_5_only_the_persons_own_token_will_do(self):
        service = self.ask(hub_support.ADMIN)
        self.assertEqual(service.status, 401, service)
        self.assertIn("of a service", service.body["detail"])
        # What an application gets to know of a visitor: the name, and no way into the visitor's servers.
        visitor = self.own_token(self.alice, scopes=["read:users:name!user"])
        known = self.ask(visitor["token"])
        self.assertEqual(known.status, 401, known)
        self.assertIn("not the person's own", known.body["detail"])
        own = self.own_token(self.alice, scopes=["access:servers!user"])
        self.assertEqual(self.ask(own["token"]).status, 200)
        elsewhere = self.ask(own["token"], headers={"Homeport-Hub": "elsewhere"})
        self.assertEqual(elsewhere.status, 401, elsewhere)
        stranger = self.own_token("carol")["token"]
        self.assertEqual(self.ask(stranger).body["user"]["user_key"], None)
        self.assertEqual(self.ask(stranger, "/v1/homes").status, 404)

    def test_6_a_hub_that_is_away_refuses_nobody(self):
        token = self.notebook_token(self.alice)
        self.assertEqual(self.ask(token).status, 200)
        for mode in ("drop", "hang", (502, "text/html", b"<html>bad gateway</html>")):
            self.way.mode = mode
            away = support.wait_until(lambda: (a := self.ask(token)).status != 200 and a, f"the hub is missed ({mode})")
            self.assertEqual(away.status, 503, (mode, away))
            self.assertIn("cannot be asked whose token this is", away.body["detail"])
            self.assertGreater(int(away.headers["retry-after"]), 0)
            # Everybody else is served meanwhile, also while questions hang.
            waiting = [threading.Thread(target=self.ask, args=(secrets.token_hex(16),)) for _ in range(8)]
            for one in waiting:
                one.start()
            self.assertEqual(self.daemon.call("GET", "/v1/homes").status, 200)
            self.assertEqual(self.homeport_of_hub(), 200)
            for one in waiting:
                one.join()
            code, _, errors = self.homeport(self.alice, "me")
            self.assertEqual(code, 9, errors)
            self.assertIn("try again", errors)
            self.way.mode = "pass"
            support.wait_until(lambda: self.ask(token).status == 200, "the hub is asked again")

    def homeport_of_hub(self):
        with open(self.token, encoding="ascii") as f:
            spawner = f.read().strip()
        return self.daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": self.alice}, token=spawner).status

    # --- (d): who has left --------------------------------------------------------------------------------------------

    def look(self, *more):
        code, out, errors = self.admin("hub", "reconcile", "main", "-o", "json", *more)
        return code, json.loads(out) if out else errors

    def names(self, people):
        return [person["names"][0] for person in people]

    def test_7_who_is_deleted_in_the_hub_goes_dormant_and_comes_back(self):
        code, look = self.look()
        self.assertEqual((code, look["outcome"], look["listed"], look["known"], look["missing"]), (0, "done", 5, 2, []), look)
        home = self.daemon.call("GET", f"/v1/homes/{self.bob}").body
        on_disk = os.path.join(self.nfs.directories["/homes"], os.path.relpath(home["path"], "/homes"))
        with open(os.path.join(on_disk, "thesis.txt"), "w", encoding="ascii") as f:
            f.write("years of work")
        self.assertEqual(self.hub.call("DELETE", self.hub.user_path(self.bob)).status, 204)
        code, look = self.look("--dry-run")
        self.assertEqual((self.names(look["missing"]), look["gone"]), ([self.bob], []), look)
        code, look = self.look()
        self.assertEqual((look["missing"][0]["looks"], look["gone"]), (1, []), look)
        code, look = self.look()
        self.assertEqual(self.names(look["gone"]), [self.bob], look)
        code, out, _ = self.admin("home", "list", "--dormant")
        self.assertRegex(out, rf"(?m)^{self.bob} +dormant ")
        self.assertNotIn(self.alice, out)
        self.assertIn("a login ends it", " ".join(self.admin("home", "show", self.bob)[1].split()))
        self.assertIn("user.dormant", self.admin("audit", "list")[1])
        with open(os.path.join(on_disk, "thesis.txt"), encoding="ascii") as f:
            self.assertEqual(f.read(), "years of work", "nothing is destroyed")
        now = self.daemon.call("GET", f"/v1/homes/{self.bob}").body
        self.assertEqual((now["state"], now["quota"], now["path"]), ("ready", home["quota"], home["path"]))
        # An account of that name again: it may be somebody else's, so a list alone opens nothing …
        self.hub.add_user(self.bob)
        code, look = self.look()
        self.assertEqual((look["back"], self.names(look["recreated"])), ([], [self.bob]), look)
        self.assertIsNotNone(self.daemon.call("GET", f"/v1/homes/{self.bob}").body["dormant_since"])
        self.assertIn(f"account {self.bob} was deleted in hub main and made again", " ".join(self.admin("doctor")[1].split()))
        # … but a login with the uid that is pinned is the same person's.
        self.started(self.bob)
        support.wait_until(lambda: self.daemon.call("GET", f"/v1/homes/{self.bob}").body["dormant_since"] is None,
                           "a login wakes")
        self.assertIsNone(self.daemon.call("GET", f"/v1/users/{self.bob}").body["recreated"])
        self.hub.stop_server(self.bob)
        self.assertIn("main", self.admin("hub", "list")[1])

    def test_8_no_list_marks_nobody(self):
        self.way.mode = "drop"
        code, look = self.look()
        self.assertEqual((code, look["outcome"], look["gone"]), (9, "failed", []), look)
        self.assertIn("cannot be listed", self.admin("doctor")[1])
        # A service that may see only some users sees them without a word about the rest: that is no list either.
        self.way.mode = (200, "application/json", json.dumps(
            {"kind": "service", "name": "homeport", "scopes": ["list:users!group=staff"]}).encode())
        code, look = self.look()
        self.assertEqual((look["outcome"], look["gone"]), ("failed", []))
        self.assertIn("only some of the users", look["text"])
        self.way.mode = "pass"
        self.assertEqual(self.look()[1]["outcome"], "done")

    def test_9_a_flood_of_tokens_is_none_at_the_hub(self):
        token = self.notebook_token(self.alice)
        self.assertEqual(self.ask(token).status, 200)
        self.way.seen.clear()
        answers = [self.ask(secrets.token_hex(16)).status for _ in range(300)]
        self.assertLessEqual(set(answers), {401, 429})
        self.assertGreater(answers.count(429), 200)
        self.assertLess(len(self.way.seen), 40)
        support.wait_until(lambda: self.ask(token).status == 200, "who was known before is not shut out", 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
