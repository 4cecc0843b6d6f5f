"""Homes that stood before Homeport, on a real NFS server: the first login takes over what the class's `existing` names, and
no class makes empty homes beside a fleet that nobody told Homeport of."""
import os
import shutil
import subprocess
import unittest

import nfs_support
import support
from test_import import picture


class ExistingTest(nfs_support.NfsTest):
    exports = ("--no-cache", "/export", "/homes", "/data:ro")

    def setUp(self):
        super().setUp()
        self.name = self._testMethodName
        self.base = f"/export/{self.name}"
        self.folder = os.path.join(self.nfs.directories["/export"], self.name)
        os.makedirs(self.folder)
        # What one test leaves would stand beside the next one's pool.
        for folder in (self.folder, self.folder + "-pool", os.path.join(self.nfs.directories["/homes"], self.name)):
            self.addCleanup(shutil.rmtree, folder, True)

    def start(self, std, export="/homes", directory=None, ready=True):
        text = nfs_support.config(self.nfs, directory or self.name, std=std).replace("export: /homes", f"export: {export}")
        self.daemon = self.start_daemon(text, ready=ready)
        return self.daemon

    def home(self, path, uid):
        """A home with something in it; `path` below the test's folder."""
        return nfs_support.standing_home(os.path.join(self.folder, path), uid)

    def login(self, user, uid):
        return self.daemon.call("POST", "/v1/mountspecs?wait=20",
                                {"hub": "main", "user": user, "identity": {"uid": uid, "gid": uid}})

    def export_of(self, answer):
        self.assertEqual(answer.status, 200, answer)
        return answer.body["mounts"][0]["source"]["export"]

    def refused(self, answer, *words, status=422):
        self.assertEqual(answer.status, status, answer)
        for word in words:
            self.assertIn(word, answer.text)

    def spaces(self):
        return [(h["name"], h["path"]) for h in self.daemon.call("GET", "/v1/homes").body["items"]]

    def homeport(self, *arguments, code=0):
        done = subprocess.run([support.binary("homeport"), *arguments], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120,
                              env={**os.environ, "HOMEPORT_URL": "http://" + self.daemon.address,
                                   "HOMEPORT_TOKEN": self.daemon.token})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def existing(self, create=""):
        return f', existing: "{self.base}/{{user}}"{create}'

    def test_the_first_login_takes_over(self):
        self.home("alice", 3101)
        before = picture(self.folder)
        self.start(self.existing())
        self.assertEqual(self.export_of(self.login("alice", 3101)), self.base + "/alice")
        self.assertEqual(self.export_of(self.login("alice", 3101)), self.base + "/alice")
        self.refused(self.login("zoe", 3109), f"no directory {self.base}/zoe", "makes no new homes", "create: true")
        self.assertEqual(self.spaces(), [("alice", self.base + "/alice")])
        self.assertEqual(self.homes_on_disk(self.name), {})
        self.assertEqual(picture(self.folder), before, "nothing was renamed, chowned or touched")
        self.home("zoe", 3109)  # the admin's fix; the next login works
        self.assertEqual(self.export_of(self.login("zoe", 3109)), self.base + "/zoe")

    def test_where_there_is_none_one_is_made(self):
        self.home("alice", 3101)
        self.start(self.existing(", create: true"))
        shown = self.homeport("home", "ensure", "alice", "--uid", "3101", "--gid", "3101", "--dry-run")
        self.assertIn(f"take over {self.base}/alice", " ".join(shown.split()))
        shown = self.homeport("home", "ensure", "zoe", "--uid", "3109", "--gid", "3109", "--dry-run")
        self.assertIn("make a home", shown)
        self.assertIn(f"no directory {self.base}/zoe to take over", " ".join(shown.split()))
        self.assertEqual(self.spaces(), [])
        self.assertEqual(self.export_of(self.login("alice", 3101)), self.base + "/alice")
        made = self.export_of(self.login("zoe", 3109))
        self.assertTrue(made.startswith(f"/homes/{self.name}/hp-h-"), made)
        self.assertEqual(len(self.homes_on_disk(self.name)), 1)

    def test_what_is_no_home_of_the_person(self):
        """Never taken over, and never shadowed by an empty one either."""
        self.home("alice", 3101)
        self.home("real", 3102)
        os.symlink("real", os.path.join(self.folder, "linked"))
        with open(os.path.join(self.folder, "file"), "w", encoding="ascii"):
            pass
        mounted = self.home("mounted", 3104)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
        self.addCleanup(subprocess.run, ["umount", mounted], check=True)
        os.chown(mounted, 3104, 3104)
        self.start(self.existing(", create: true"))
        self.refused(self.login("alice", 3199), "belongs to uid 3101, not to uid 3199", "changed on the server")
        self.refused(self.login("linked", 3102), "symbolic link")
        self.refused(self.login("file", 3103), "not a directory")
        self.refused(self.login("mounted", 3104), "filesystem")
        self.assertEqual(self.spaces(), [], "no half home is left")
        self.assertEqual(self.homes_on_disk(self.name), {}, "and no empty one was made")
        # Mended on the server: the next login works.
        os.chown(os.path.join(self.folder, "alice"), 3199, 3199)
        self.assertEqual(self.export_of(self.login("alice", 3199)), self.base + "/alice")
        os.unlink(os.path.join(self.folder, "linked"))
        os.rename(os.path.join(self.folder, "real"), os.path.join(self.folder, "linked"))
        self.assertEqual(self.export_of(self.login("linked", 3102)), self.base + "/linked")

    def test_two_people_on_one_directory(self):
        self.home("alice", 3101)
        self.start(self.existing(", create: true"))
        self.login("alice", 3101)
        taken = self.daemon.call("PUT", "/v1/homes/other?wait=20", {
            "uid": 3102, "gid": 3102, "existing": {"backend": "lab", "path": self.base + "/alice"}})
        self.refused(taken, "is the home of alice", status=409)

    def test_a_fleet_in_the_pools_own_directory(self):
        for name in ("alice", "bob"):
            self.home(name, 3101)
        before = picture(self.folder)
        self.start("", export="/export", directory=self.name)
        self.refused(self.login("alice", 3101), f"{self.base}/alice", f"{self.base}/bob", "does not know",
                     f"homeport home import --backend lab --base {self.base}", f"existing: {self.base}/{{user}}",
                     "create: true")
        self.assertEqual(self.spaces(), [])
        self.assertEqual(picture(self.folder), before)
        self.homeport("home", "ensure", "alice", "--uid", "3101", "--gid", "3101", "--dry-run", code=6)

    def test_a_fleet_beside_the_pool(self):
        """The export holds /export/TEST/alice, and the pool is /export/TEST-pool."""
        self.home("alice", 3101)
        self.start("", export="/export", directory=self.name + "-pool")
        self.refused(self.login("alice", 3101), self.base, "create: true")
        self.assertFalse(os.path.exists(self.folder + "-pool"))

    def test_known_directories_do_not_stand_in_the_way(self):
        os.makedirs(os.path.join(self.nfs.directories["/homes"], self.name, "lost+found"))
        os.makedirs(os.path.join(self.nfs.directories["/homes"], self.name, ".snapshot"))
        folder = os.path.join(self.nfs.directories["/homes"], self.name, "carl")
        nfs_support.standing_home(folder, 3103)
        self.start("")
        self.refused(self.login("zoe", 3109), f"/homes/{self.name}/carl")
        imported = self.daemon.call("PUT", "/v1/homes/carl?wait=20", {
            "uid": 3103, "gid": 3103, "existing": {"backend": "lab", "path": f"/homes/{self.name}/carl"}})
        self.assertEqual(imported.status, 201, imported)
        self.assertIn("/hp-h-", self.export_of(self.login("zoe", 3109)))
        self.assertEqual(len(self.spaces()), 2)

    def test_a_fleet_that_is_taken_over_in_part(self):
        """/homes/TEST/lab/alice is imported, /homes/TEST/lab/bob is not: bob gets no empty home."""
        for name, uid in (("alice", 3101), ("bob", 3102)):
            nfs_support.standing_home(os.path.join(self.nfs.directories["/homes"], self.name, "lab", name), uid)
        self.start("")
        imported = self.daemon.call("PUT", "/v1/homes/alice?wait=20", {
            "uid": 3101, "gid": 3101, "existing": {"backend": "lab", "path": f"/homes/{self.name}/lab/alice"}})
        self.assertEqual(imported.status, 201, imported)
        self.refused(self.login("bob", 3102), f"/homes/{self.name}/lab/bob")

    def test_directories_that_come_before_the_first_home(self):
        self.start("")
        self.homeport("home", "ensure", "zoe", "--uid", "3109", "--gid", "3109", "--dry-run")  # a look: all is free
        os.makedirs(os.path.join(self.nfs.directories["/homes"], self.name, "carl"))
        self.refused(self.login("zoe", 3109), f"/homes/{self.name}/carl")
        os.rmdir(os.path.join(self.nfs.directories["/homes"], self.name, "carl"))
        # Mended; what was refused a moment ago is asked again a moment later.
        answer = support.wait_until(lambda: (a := self.login("zoe", 3109)).status == 200 and a, "zoe gets a home")
        self.assertIn("/hp-h-", self.export_of(answer))


if __name__ == "__main__":
    unittest.main()
