"""An existing fleet on a real NFS server: every odd case is seen in the preview, and nothing on the server changes."""
import json
import os
import subprocess
import unittest

import nfs_support
import support


def picture(folder):
    """Everything about every entry that an import must leave as it is."""
    seen = {}
    for path, directories, files in os.walk(folder):
        for name in [*directories, *files]:
            full = os.path.join(path, name)
            status = os.lstat(full)
            seen[os.path.relpath(full, folder)] = (status.st_ino, status.st_mode, status.st_uid, status.st_gid,
                                                   status.st_mtime_ns)
    return seen


class ImportTest(nfs_support.NfsTest):
    exports = ("/export", "/homes", "/data:ro")

    def setUp(self):
        super().setUp()
        self.base = f"/export/{self._testMethodName}"
        self.folder = os.path.join(self.nfs.directories["/export"], self._testMethodName)
        os.makedirs(self.folder)
        self.daemon = self.start_daemon(nfs_support.config(self.nfs, self._testMethodName))

    def home(self, name, uid, mode=0o700):
        nfs_support.standing_home(os.path.join(self.folder, name), uid, mode)

    def homeport(self, *arguments, code=0):
        done = subprocess.run([support.binary("homeport"), *arguments], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120,
                              env={**os.environ, "HOMEPORT_URL": "http://" + self.daemon.address,
                                   "HOMEPORT_TOKEN": self.daemon.token})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def plan(self, *arguments):
        """{path below the base: (verdict, reason)}"""
        text = self.homeport("home", "import", "--backend", "lab", "--dry-run", "-o", "json", *arguments)
        return {e["path"].removeprefix(self.base + "/"): (e["verdict"], e["reason"]) for e in json.loads(text)["entries"]}

    def counted(self, user, daemon=None):
        """The home, once its use is known."""
        seen = {}

        def known():
            seen.update((daemon or self.daemon).call("GET", f"/v1/homes/{user}").body)
            return seen["measure"] is None
        support.wait_until(known, f"{user}'s home is counted", limit=60)
        return seen

    def match(self, pattern):
        return ("--base", self.base, "--match", pattern)

    def test_every_odd_case(self):
        for name, uid in (("alice", 3101), ("bob", 3102), ("Carol", 3103), ("carol", 3104), ("left", 3105),
                          ("right", 3105), ("control\x01", 3107), ("system", 0)):
            self.home(name, uid)
        os.symlink("alice", os.path.join(self.folder, "link"))
        open(os.path.join(self.folder, "file"), "w", encoding="ascii").close()
        before = picture(self.folder)
        self.assertEqual(self.plan(*self.match("{user}")), {
            "alice": ("import", None), "bob": ("import", None), "Carol": ("refused", "similar-name"),
            "carol": ("refused", "similar-name"), "left": ("refused", "uid-taken"), "right": ("refused", "uid-taken"),
            "control\x01": ("refused", "odd-name"), "system": ("refused", "system-owner"),
            "link": ("refused", "symlink"), "file": ("refused", "not-a-directory")})
        self.assertEqual(self.daemon.call("GET", "/v1/homes").body["items"], [], "a look makes nothing")
        done = self.homeport("home", "import", "--backend", "lab", "--no-measure", *self.match("{user}"))
        self.assertIn("2 taken over", done)
        self.assertIn("not counted (--no-measure)", " ".join(done.split()))
        self.assertEqual(picture(self.folder), before, "nothing was renamed, chowned or touched")
        homes = {h["name"]: h for h in self.daemon.call("GET", "/v1/homes").body["items"]}
        self.assertEqual(sorted(homes), ["alice", "bob"])
        self.assertEqual((homes["alice"]["uid"], homes["alice"]["path"]), (3101, self.base + "/alice"))
        quota = homes["alice"]["quota"]
        # Nobody counts on this server: a limit could be below what alice has, so there is none, and that is said.
        self.assertEqual((quota["limit_bytes"], quota["wanted_bytes"], quota["class"]), (None, 10 << 30, "none"))
        self.assertIn("no limit before its use is known", quota["reason"])
        self.assertIn("no limit before its use", self.homeport("home", "show", "alice", "-o", "table"))
        # The first login gets this home, not an empty one beside it.
        spec = self.daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice", "identity": {"uid": 3101, "gid": 3101}})
        self.assertEqual(spec.status, 200, spec)
        self.assertEqual(spec.body["mounts"][0]["source"]["export"], self.base + "/alice")
        self.assertEqual(self.plan(*self.match("{user}"))["alice"], ("known", None))
        # Not ours to remove, until an admin says so.
        self.assertEqual(self.daemon.call("POST", "/v1/homes/bob/retire").status, 422)
        self.assertEqual(picture(self.folder), before)
        self.homeport("home", "release", "bob")
        self.assertEqual(self.plan(*self.match("{user}"))["bob"], ("import", None))
        # Asked for later, it is counted all the same.
        self.homeport("home", "measure", "alice")
        self.assertEqual(self.counted("alice")["quota"]["limit_bytes"], 10 << 30)
        self.assertEqual(picture(self.folder), before)
        self.homeport("home", "rights", "alice", "--resize", "yes")
        self.homeport("home", "resize", "alice", "30GiB")
        # Plain NFS never moves what it did not make, and says so before anybody relies on it.
        refused = self.daemon.call("POST", "/v1/homes/alice/rights", {"destroy": True})
        self.assertEqual(refused.body["code"], "unsupported", refused)
        self.assertEqual(picture(self.folder), before)

    def fill(self, name, directories, files, size):
        """What du(1) says afterwards."""
        folder = os.path.join(self.folder, name)
        for d in range(directories):
            os.makedirs(os.path.join(folder, f"d{d}"))
            for f in range(files):
                with open(os.path.join(folder, f"d{d}", f"f{f}"), "wb") as out:
                    out.write(b"x" * size)
        return int(subprocess.run(["du", "-s", "-B1", folder], capture_output=True, text=True, check=True).stdout.split()[0])

    def test_what_each_home_uses_is_counted_after_the_import(self):
        for name, uid in (("frieda", 3801), ("gustav", 3802)):
            self.home(name, uid)
        self.fill("frieda", 30, 20, 5000)
        os.link(os.path.join(self.folder, "frieda", "d0", "f0"), os.path.join(self.folder, "frieda", "again"))
        os.symlink("/", os.path.join(self.folder, "frieda", "everything"))
        with open(os.path.join(self.folder, "frieda", "sparse"), "wb") as f:
            f.truncate(50 << 30)
        used = self.fill("frieda/more", 1, 1, 3 << 20) and int(subprocess.run(
            ["du", "-s", "-B1", os.path.join(self.folder, "frieda")], capture_output=True, text=True, check=True)
            .stdout.split()[0])
        before = picture(self.folder)
        small = self.write("map.csv", f"user,path,quota\nfrieda,{self.base}/frieda,1MiB\ngustav,{self.base}/gustav,\n")
        preview = self.homeport("home", "import", "--backend", "lab", "--map", small, "--dry-run")
        self.assertIn("counted afterwards by walking each home once", " ".join(preview.split()))
        self.homeport("home", "import", "--backend", "lab", "--map", small)
        # A login waits for none of it.
        spec = self.daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "frieda", "identity": {"uid": 3801, "gid": 3801}})
        self.assertEqual(spec.status, 200, spec)
        frieda, gustav = self.counted("frieda"), self.counted("gustav")
        self.assertEqual((frieda["usage"]["basis"], frieda["usage"]["bytes"]), ("measured", used), frieda["usage"])
        self.assertEqual(frieda["usage"]["files"], 30 * 20 + 4, "each file once, whatever its names")
        self.assertEqual(frieda["quota"]["limit_bytes"], 1 << 30, "20 % above, in whole GiB: 1 MiB would lock her out")
        self.assertIn("20 % above its use", frieda["quota"]["reason"])
        self.assertEqual(gustav["quota"]["limit_bytes"], 10 << 30)
        self.assertIn("measured", self.homeport("home", "show", "frieda"))
        self.assertIn("home.measured", self.homeport("audit", "list"))
        self.assertEqual(picture(self.folder), before, "a walk only looks")

    def test_a_walk_that_was_killed_goes_on(self):
        self.daemon.stop()
        slow = nfs_support.config(self.nfs, self._testMethodName).replace("kind: nfs\n", "kind: nfs\n    measure_rate: 60\n")
        self.assertIn("measure_rate", slow)
        self.daemon = self.start_daemon(slow, state="slow")
        self.home("hedda", 3811)
        used = self.fill("hedda", 60, 10, 100)
        self.homeport("home", "import", "--backend", "lab", *self.match("{user}"))
        support.wait_until(lambda: "home.import" in self.homeport("audit", "list"), "it is imported")
        for _ in range(2):
            self.daemon.kill()
            self.daemon = self.start_daemon(slow, state="slow")
            self.assertIsNotNone(self.daemon.call("GET", "/v1/homes/hedda").body["measure"])
        home = self.counted("hedda")
        self.assertEqual(home["usage"]["bytes"], used)

    def test_names_as_spawners_write_them(self):
        self.home("bob-40ex-2ecom", 3201)
        self.home("bob---cd9fb1e1", 3202)
        self.home("not-escaped", 3203)
        for i, name in enumerate(('qu"ote', "back\\slash", "é")):
            self.home(name, 3204 + i)
        self.assertEqual(self.plan(*self.match("{escaped_user}"))["bob-40ex-2ecom"], ("import", None))
        self.assertEqual(self.plan(*self.match("{escaped_user}"))["not-escaped"], ("unmatched", None))
        for name in ('qu"ote', "back\\slash", "é"):
            self.assertEqual(self.plan(*self.match("{escaped_user}"))[name], ("unmatched", None))
        self.assertEqual(self.plan(*self.match("{safe_user}"))["bob---cd9fb1e1"], ("refused", "hashed-name"))
        names = self.write("names.txt", "# of the hub\nBob\nalice\n")
        text = self.homeport("home", "import", "--backend", "lab", "--dry-run", "-o", "json", "--names", names,
                             *self.match("{safe_user}"))
        self.assertIn("Bob", [e["user"] for e in json.loads(text)["entries"] if e["verdict"] == "import"])

    def test_a_directory_per_hub(self):
        for hub in ("lab", "class"):
            os.makedirs(os.path.join(self.folder, hub))
        self.home("lab/alice", 3301)
        self.home("class/alice", 3302)
        self.home("class/bob", 3303)
        self.home("plain", 3304)
        plan = self.plan(*self.match("{hub}/{user}"))
        self.assertEqual(plan["class/bob"], ("import", None))
        self.assertEqual(plan["lab/alice"], ("refused", "two-to-one"))
        self.assertEqual(plan["class/alice"], ("refused", "two-to-one"))

    def test_a_map_says_whose_each_one_is(self):
        for name, uid in (("a1", 3401), ("b2", 3402), ("c3", 3403)):
            self.home(name, uid)
        good = self.write("map.csv", 'user,path,uid,quota\n"berta",a1,3401,20GiB\nemil@example.org,b2,9999,\n'
                                     f"nobody-there,{self.base}/none,,\nx,c3,,\ny,c3,,\n")
        text = self.homeport("home", "import", "--backend", "lab", "--dry-run", "-o", "json", "--base", self.base,
                             "--map", good)
        plan = {e["user"]: (e["verdict"], e["reason"]) for e in json.loads(text)["entries"]}
        self.assertEqual(plan, {"berta": ("import", None), "emil@example.org": ("refused", "owner-differs"),
                                "nobody-there": ("refused", "missing"), "x": ("refused", "two-to-one"),
                                "y": ("refused", "two-to-one")})
        # Two people on one directory, and between them a line that is refused for something else.
        shared = self.write("shared.csv", "user,path,uid\na,a1,3401\nb,a1,9999\nc,a1,3401\nd,b2,3402\n")
        text = self.homeport("home", "import", "--backend", "lab", "--dry-run", "-o", "json", "--base", self.base,
                             "--map", shared)
        self.assertEqual([(e["user"], e["reason"]) for e in json.loads(text)["entries"]],
                         [("a", "two-to-one"), ("b", "owner-differs"), ("c", "two-to-one"), ("d", None)])
        self.homeport("home", "import", "--backend", "lab", "--base", self.base, "--map", good)
        self.assertEqual(self.daemon.call("GET", "/v1/homes/berta").body["quota"]["wanted_bytes"], 20 << 30)
        for text, words in (("user,uid\nx,1\n", "column 'path' is missing"),
                            ("user,path\nx,/a\nx,/b\n", "stands in line 2 already"),
                            ("user,path\nx,\"/a\n", "is not closed"),
                            ("user;path\nx;/a\n", "is no column of a map"),
                            ("user,path\n../x,/a\n", "user name")):
            bad = self.write("bad.csv", text)
            done = subprocess.run([support.binary("homeport"), "home", "import", "--backend", "lab", "--map", bad],
                                  capture_output=True, text=True, check=False, env={
                                      **os.environ, "HOMEPORT_URL": "http://" + self.daemon.address,
                                      "HOMEPORT_TOKEN": self.daemon.token})
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(words, done.stderr)
        relative = self.write("relative.csv", "user,path\nx,a\n")
        self.homeport("home", "import", "--backend", "lab", "--map", relative, code=2)

    def test_a_home_across_a_mount_is_refused_in_words(self):
        self.home("ilse", 3821)
        mounted = os.path.join(self.folder, "jurek")
        os.mkdir(mounted)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", mounted], check=False, stderr=subprocess.DEVNULL)
        os.chown(mounted, 3822, 3822)
        # NFS-Ganesha lists no directory that holds a mount of a filesystem it does not export. (Linux's own server does;
        # there the entry is refused as other-filesystem and the rest goes on.)
        command = [support.binary("homeport"), "home", "import", "--backend", "lab", *self.match("{user}")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={
            **os.environ, "HOMEPORT_URL": "http://" + self.daemon.address, "HOMEPORT_TOKEN": self.daemon.token})
        self.assertEqual(done.returncode, 6, done)
        self.assertIn(f"list {self.base}: ", done.stderr)
        self.assertIn("another filesystem is mounted there", done.stderr)
        self.assertIn("export that filesystem by itself", done.stderr)
        self.assertEqual(self.daemon.call("GET", "/v1/homes").body["items"], [])
        subprocess.run(["umount", mounted], check=True)
        self.assertEqual(self.plan(*self.match("{user}"))["ilse"], ("import", None))

    def test_the_owner_changed_after_the_look(self):
        self.home("alice", 3501)
        answer = self.daemon.call("PUT", "/v1/homes/alice?wait=20", {
            "uid": 3599, "gid": 3599, "existing": {"backend": "lab", "path": self.base + "/alice"}})
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("belongs to uid 3501", answer.text)
        self.assertEqual(self.daemon.call("GET", "/v1/homes").body["items"], [])
        again = self.daemon.call("PUT", "/v1/homes/berta?wait=20", {
            "uid": 3501, "gid": 3501, "existing": {"backend": "lab", "path": self.base + "/alice"}})
        self.assertEqual(again.status, 201, again)
        overlap = self.daemon.call("PUT", "/v1/homes/carl?wait=20", {
            "uid": 3502, "gid": 3502, "existing": {"backend": "lab", "path": self.base + "/alice/below"}})
        self.assertEqual(overlap.status, 409, overlap)

    def test_thousands_go_on_where_they_stopped(self):
        for i in range(1500):
            os.makedirs(os.path.join(self.folder, f"user{i}"))
            os.chown(os.path.join(self.folder, f"user{i}"), 20000 + i, 20000 + i)
        command = [support.binary("homeport"), "home", "import", "--backend", "lab", *self.match("{user}")]
        environment = {**os.environ, "HOMEPORT_URL": "http://" + self.daemon.address, "HOMEPORT_TOKEN": self.daemon.token}
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        support.wait_until(lambda: len(self.daemon.call("GET", "/v1/homes?limit=1000").body["items"]) > 100, "some are imported")
        first.kill()
        first.wait()
        self.assertIn("0 failed", self.homeport("home", "import", "--backend", "lab", *self.match("{user}")))
        plan = self.plan(*self.match("{user}"))
        self.assertEqual({v for v in plan.values()}, {("known", None)})
        self.assertEqual(len(plan), 1500)


if __name__ == "__main__":
    unittest.main()
