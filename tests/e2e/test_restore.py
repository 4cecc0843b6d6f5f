"""Files brought back from snapshots by the person they belong to: the real homeportd and `homeport` over the simulated
array, whose file systems and .snapshot directories are served by a real NFS-Ganesha. Needs root and /dev/fuse."""
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import types
import unittest

import flashblade_service
import hub_support
import support

ALICE = "a11ce000000000000000000000000001"
BOB = "b0b00000000000000000000000000002"
PEOPLE = {ALICE: "alice", BOB: "bob"}


class SmallHub(http.server.ThreadingHTTPServer):
    """What homeportd asks a hub: whose a token is."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = PEOPLE.get(self.headers.get("Authorization", "").split(" ")[-1])
                body = json.dumps({"kind": "user", "name": name, "groups": [], "scopes": [f"access:servers!user={name}"]}
                                  if name else {"status": 403, "message": "Forbidden"}).encode()
                self.send_response(200 if name else 403)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class RestoreBase(flashblade_service.ArrayServiceTest):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("the real NFS server needs root")
        super().setUp()
        os.chmod(self.directory, 0o755)
        self.hub = SmallHub()
        self.addCleanup(self.hub.close)
        self.daemon = self.start_daemon(self.config())
        answer = self.daemon.call("PUT", "/v1/homes/alice?wait=25", {"uid": 4001, "gid": 4001})
        self.assertIn(answer.status, (200, 201), answer)
        self.home = answer.body
        self.assertIn(self.daemon.call("PUT", "/v1/homes/bob?wait=25", {"uid": 4002, "gid": 4002}).status, (200, 201))
        self.mounted = self.mount(self.home)

    def config(self):
        token = self.write("array-token", self.sim.ready["api_token"])
        os.chmod(token, 0o600)
        return f"""\
desired:
  backends:
  - name: fb1
    kind: flashblade
    mode: manage
    management:
      url: "https://{self.sim.ready['https']}"
      ca_file: {os.path.abspath(self.sim.ready['certificate'])}
      api_token: {{file: {token}}}
    data: {{nfs_port: {self.sim.ready['nfs_port']}, mount_port: {self.sim.ready['mount_port']}}}
    exports: {{homeport: [127.0.0.1], clients: [127.0.0.1]}}
    pools:
    - {{name: homes, layout: filesystem}}
  classes:
  - {{name: own, backend: fb1, pool: homes, layout: filesystem, default_quota: 1GiB}}
  rules:
  - {{name: all, match: {{everyone: true}}, class: own}}
hubs:
- {{name: main, url: "http://127.0.0.1:{self.hub.server_address[1]}/hub/api"}}
"""

    def mount(self, home):
        """The home as a notebook has it: over NFS."""
        server = types.SimpleNamespace(port=self.sim.ready["nfs_port"], mount_port=self.sim.ready["mount_port"])
        where = self.path("mounted")
        mount = hub_support.FuseMount(server, home["path"], where)
        self.addCleanup(mount.close)
        return where

    def homeport(self, *words, token=ALICE, code=0):
        """In a notebook: nothing but what the hub gives."""
        env = {"PATH": os.environ["PATH"], "HOMEPORT_URL": f"http://{self.daemon.address}", "JUPYTERHUB_API_TOKEN": token,
               "HOME": self.directory, "COLUMNS": "80"}
        done = subprocess.run([support.binary("homeport"), *words], env=env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        if words[0] in ("restore", "snapshot") and "-o" not in words:
            self.assertLessEqual(max(map(len, done.stdout.splitlines()), default=0), 80, done.stdout)
        return done.stdout + done.stderr

    def snapshot(self, label):
        answer = self.daemon.call("POST", "/v1/snapshots?wait=20", {"space": "home/alice", "label": label})
        self.assertIn(answer.status, (200, 201), answer)

    def disk(self, *parts):
        return os.path.join(self.path("data"), "fs", self.home["path"].lstrip("/"), *parts)

    def put(self, name, text, mode=0o640, time=1_600_000_000):
        path = os.path.join(self.mounted, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        for at in {os.path.dirname(path), path} - {self.mounted}:
            os.chown(at, 4001, 4001)
        os.chmod(path, mode)
        os.utime(path, (time, time))

    def picture(self, root=None, below=""):
        """Everything of a tree that must come back, links not followed."""
        out = {}
        root = root or self.disk()
        for folder, folders, files in os.walk(os.path.join(root, below)):
            folders[:] = [name for name in folders if name != ".snapshot"]
            for name in folders + files:
                path = os.path.join(folder, name)
                found = os.lstat(path)
                content = os.readlink(path) if os.path.islink(path) else ""
                if os.path.isfile(path) and not content:
                    with open(path, "rb") as f:
                        content = hashlib.sha256(f.read()).hexdigest()
                time = 0 if os.path.islink(path) or os.path.isdir(path) else found.st_mtime
                out[os.path.relpath(path, root)] = (found.st_mode, found.st_uid, found.st_gid, time, content)
        return out

    def nothing_left(self):
        self.assertEqual([n for n in os.listdir(self.disk()) if n.startswith(".homeport")], [])


class RestoreTest(RestoreBase):
    # --- one file ----------------------------------------------------------------------------------------------------

    def test_a_deleted_notebook_comes_back_by_its_owner(self):
        self.put("work/analysis.ipynb", '{"cells": []}')
        before = self.picture()["work/analysis.ipynb"]
        self.snapshot("monday")
        os.remove(os.path.join(self.mounted, "work/analysis.ipynb"))
        listed = self.homeport("snapshot", "browse", "home@monday", "work")
        self.assertIn("analysis.ipynb", listed)
        self.assertIn("4001:4001", listed)
        self.assertIn("there is no work/analysis.ipynb", self.homeport("snapshot", "versions", "home", "work/analysis.ipynb"))
        said = self.homeport("restore", "home@monday", "work/analysis.ipynb", "--wait")
        name = next(n for n in os.listdir(self.disk("work")))
        self.assertRegex(name, r"^analysis \(restored \d{4}-\d\d-\d\d \d{4}\)\.ipynb$")
        self.assertIn(name, said)
        self.assertEqual(self.picture(), {**{k: v for k, v in self.picture().items() if k == "work"}, f"work/{name}": before})
        self.homeport("restore", "home/alice@monday", "work/analysis.ipynb", "--in-place")
        self.assertEqual(self.picture()["work/analysis.ipynb"], before)
        self.nothing_left()
        with open(os.path.join(self.mounted, "work/analysis.ipynb"), encoding="utf-8") as f:
            self.assertEqual(f.read(), '{"cells": []}')

    def test_versions_say_how_a_file_differs(self):
        self.put("a.csv", "1")
        self.snapshot("one")
        self.snapshot("two")
        self.put("a.csv", "1,2", time=1_600_000_100)
        self.snapshot("three")
        found = json.loads(self.homeport("snapshot", "versions", "home", "a.csv", "--digest", "-o", "json"))
        self.assertEqual([v["label"] for v in found["items"]], ["three", "two", "one"])
        self.assertEqual([v["as_now"] for v in found["items"]], [True, False, False])
        self.assertEqual(found["items"][0]["sha256"], hashlib.sha256(b"1,2").hexdigest())
        self.assertEqual((found["items"][1]["size_bytes"], found["items"][1]["modified_at"]), (1, "2020-09-13T12:26:40Z"))
        shown = self.homeport("snapshot", "versions", "home", "a.csv")
        self.assertIn("1 older", shown)

    def test_nobody_elses_and_nothing_outside(self):
        self.put("work/a", "a")
        self.snapshot("monday")
        for words in (("restore", "home/alice@monday", "work/a"), ("snapshot", "browse", "home/alice@monday"),
                      ("snapshot", "versions", "home/alice", "work/a")):
            said = self.homeport(*words, token=BOB, code=8)
            self.assertNotIn("monday", said.split("hint")[-1])
        for path in ("../bob", "/etc/passwd", "work//a", "work/./a", "work/a/", "a\nb", r"a\x2fb", r"\x2e\x2e/bob"):
            with self.subTest(path=path):
                said = self.homeport("restore", "home@monday", path, code=2)
                self.assertIn("hint", said)
                answer = self.daemon.call("POST", "/v1/snapshots/home%2Falice@monday/restore", {"path": path})
                self.assertEqual(answer.status, 400, answer)
        self.homeport("restore", "home@monday", "work/none", code=3)
        self.homeport("restore", "home@never", "work/a", code=3)
        self.nothing_left()

    def test_a_name_that_is_no_text(self):
        name = b"caf\xe9 \x01\\.txt"
        path = os.path.join(os.fsencode(self.disk()), name)
        with open(path, "wb") as f:
            f.write(b"old")
        os.chown(path, 4001, 4001)
        self.snapshot("monday")
        os.remove(path)
        spelled = r"caf\xe9 \x01\\.txt"
        self.assertIn(spelled, self.homeport("snapshot", "browse", "home@monday"))
        self.homeport("restore", "home@monday", spelled, "--in-place")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), b"old")

    def test_planted_links_are_never_followed(self):
        outside = self.path("outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "secret"), "w", encoding="ascii") as f:
            f.write("secret")
        self.put("work/a", "from the snapshot")
        self.snapshot("monday")
        shutil.rmtree(os.path.join(self.mounted, "work"))
        os.symlink(outside, self.disk("work"))
        said = self.homeport("restore", "home@monday", "work/a", code=6)
        self.assertIn("link", said)
        self.homeport("restore", "home@monday", "work/a", "--in-place", code=6)
        self.homeport("restore", "home@monday", "work/a", "--to", "work", code=6)
        os.remove(self.disk("work"))
        os.mkdir(self.disk("work"))
        os.chown(self.disk("work"), 4001, 4001)
        os.symlink(os.path.join(outside, "secret"), self.disk("work", "a"))
        self.homeport("restore", "home@monday", "work/a", "--in-place")
        self.assertFalse(os.path.islink(self.disk("work", "a")), "replaced as a name")
        with open(os.path.join(outside, "secret"), encoding="ascii") as f:
            self.assertEqual(f.read(), "secret")
        self.assertEqual(os.listdir(outside), ["secret"])

    # --- all of it ---------------------------------------------------------------------------------------------------

    def fill(self):
        for i in range(30):
            self.put(f"data/{i % 3}/{i}.csv", f"{i}," * 1000, time=1_600_000_000 + i)
        os.link(self.disk("data/0/0.csv"), self.disk("data/1/second name"))
        os.symlink("../data", self.disk("data/link"))
        os.lchown(self.disk("data/link"), 4001, 4001)
        os.chmod(self.disk("data/2"), 0o2750)

    def test_a_folder_and_the_whole_home(self):
        self.fill()
        before = self.picture()
        self.snapshot("monday")
        shutil.rmtree(self.disk("data/1"))
        self.put("data/0/0.csv", "changed", time=1_700_000_000)
        self.put("new", "came since")
        self.homeport("restore", "home@monday", "data", "--wait")
        name = next(n for n in os.listdir(self.disk()) if n.startswith("data (restored"))
        self.assertEqual(self.picture(self.disk(name)), {k.removeprefix("data/"): v for k, v in before.items() if k != "data"})
        self.assertEqual(os.stat(self.disk(name, "0/0.csv")).st_ino, os.stat(self.disk(name, "1/second name")).st_ino)
        self.homeport("restore", "home@monday", "--whole", code=2)
        said = self.homeport("restore", "home@monday", "--whole", "--in-place", "--wait")
        self.assertEqual(self.picture(), before)
        self.assertIn("before it", said)
        snapshots = self.client.items("GET", "file-system-snapshots")
        self.assertEqual(len(snapshots), 2, "one was taken before anything was overwritten")
        safety = re.search(r"before it: +snapshot (\S+) was taken", said).group(1)
        self.assertIn(safety, [s["suffix"] for s in snapshots])
        self.homeport("restore", f"home@{safety}", "new", "--in-place")
        self.assertIn("new", self.picture())
        self.nothing_left()

    def test_a_session_keeps_the_whole_from_being_overwritten(self):
        self.put("a", "a")
        self.snapshot("monday")
        login = {"hub": "main", "user": "alice"}
        self.assertEqual(self.daemon.call("POST", "/v1/mountspecs", login).status, 200)
        self.homeport("restore", "home@monday", "--whole", "--in-place")  # an admin who looks starts no session
        hub = self.daemon.call("POST", "/v1/tokens", {"scope": "spawner", "hub": "main"}).body["token"]
        spec = self.daemon.call("POST", "/v1/mountspecs", login, token=hub)
        self.assertEqual(spec.status, 200, spec)
        self.put("a", "written since")
        said = self.homeport("restore", "home@monday", "--whole", "--in-place", code=6)
        self.assertIn("session", said)
        self.assertIn(spec.body["spec_id"], said)
        with open(self.disk("a"), encoding="ascii") as f:
            self.assertEqual(f.read(), "written since")
        self.homeport("restore", "home@monday", "--whole", "--in-place", "--force")
        with open(self.disk("a"), encoding="ascii") as f:
            self.assertEqual(f.read(), "a")

    def test_killed_in_the_middle_it_goes_on(self):
        self.fill()
        before = {k.removeprefix("data/"): v for k, v in self.picture().items() if k != "data"}
        self.snapshot("monday")
        for point in ("space.restore.intent_written:1", "restore.staging.made:1", "journal.restore.after_commit:2",
                      "operation.space.restore.copy.after:1", "journal.restore.after_commit:3",
                      "operation.space.restore.place.after:1"):
            with self.subTest(point=point):
                self.daemon.stop()
                dying = self.start_daemon(self.config(), env={"HOMEPORT_FAULT_POINT": point})
                try:
                    dying.call("POST", "/v1/snapshots/home%2Falice@monday/restore?wait=20", {"path": "data"})
                except OSError:
                    pass
                try:
                    self.assertEqual(dying.process.wait(support.PATIENCE), -9)
                finally:
                    dying.kill()  # one that did not die would keep the next ones from the state
                self.daemon = self.start_daemon(self.config())
                support.wait_until(lambda: all(o["state"] == "succeeded" for o in self.daemon.call(
                    "GET", "/v1/operations").body["items"]), "the restore has ended", 60)
                names = [n for n in os.listdir(self.disk()) if n.startswith("data (restored")]
                self.assertEqual(len(names), 1, names)
                self.assertEqual(self.picture(self.disk(names[0])), before)
                self.nothing_left()
                shutil.rmtree(self.disk(names[0]))


class FullTest(RestoreBase):
    """The array's file systems lie on a small disk."""

    def start(self, *options):
        data = self.path("data")
        os.makedirs(data, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs", data], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest("no small disk can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "--lazy", data], check=False)
        return super().start(*options)

    def test_a_full_home_refuses_and_is_left_as_it_was(self):
        self.put("data.csv", "1," * 3_000_000)
        self.snapshot("monday")
        with open(self.disk("filler"), "wb") as f:
            try:
                while True:
                    f.write(b"f" * 65536)
                    f.flush()
            except OSError:
                pass
        before = sorted(os.listdir(self.disk()))
        said = self.homeport("restore", "home@monday", "data.csv", code=12)
        self.assertIn("hint", said)
        self.assertEqual(sorted(os.listdir(self.disk())), before)
        os.remove(self.disk("filler"))
        self.homeport("restore", "home@monday", "data.csv")
        self.assertEqual(len(self.picture()), 2, self.picture())


if __name__ == "__main__":
    unittest.main()
