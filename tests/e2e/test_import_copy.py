"""Homes of a local disk, and of another server, are copied to a real NFS server: whole, verified, and nobody gets half."""
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import unittest

import hub_support
import nfs_support
import support


def picture(folder):
    """{path: everything that a copy must keep} of what lies below."""
    seen = {}
    for path, directories, files in os.walk(os.fsencode(folder)):
        for name in [*directories, *files]:
            full = os.path.join(path, name)
            status = os.lstat(full)
            what = [stat.S_IFMT(status.st_mode), status.st_uid, status.st_gid]
            if stat.S_ISLNK(status.st_mode):
                what.append(os.readlink(full))
            else:
                what += [status.st_mode, status.st_mtime_ns // 1_000_000]
            if stat.S_ISREG(status.st_mode):
                with open(full, "rb") as f:
                    what += [status.st_size, hashlib.sha256(f.read()).hexdigest()]
            seen[os.path.relpath(full, os.fsencode(folder))] = tuple(what)
    return seen


def seen(path):
    try:
        os.lstat(path)
    except OSError:
        return False
    return True


class CopyTest(nfs_support.NfsTest):
    exports = ("--no-cache", "/homes", "/old")

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon(nfs_support.config(self.nfs, self._testMethodName))
        self.source = tempfile.mkdtemp(prefix="homeport-copy-")
        self.addCleanup(shutil.rmtree, self.source)

    def fill(self, name, uid, big=0, below=None):
        home = os.path.join(below or self.source, name)
        os.makedirs(os.path.join(home, "work", "deep"))
        texts = {"notes.txt": b"hello", "empty": b"", "-rf": b"dash", "new\nline": b"odd",
                 b"\xff\xfe": b"no text", "work/deep/data.bin": os.urandom(300_000)}
        for number in range(big):
            texts[f"work/{number:04}.bin"] = os.urandom(20_000)
        for path, text in texts.items():
            with open(os.path.join(os.fsencode(home), os.fsencode(path)), "wb") as f:
                f.write(text)
        with open(os.path.join(home, "sparse"), "wb") as f:
            f.write(b"start")
            f.truncate(5_000_000)
        os.symlink("/etc/passwd", os.path.join(home, "outside"))
        os.symlink("work/deep", os.path.join(home, "inside"))
        os.makedirs(os.path.join(home, "locked"))
        os.chmod(os.path.join(home, "notes.txt"), 0o640)
        os.chmod(os.path.join(home, "locked"), 0o500)
        for path, directories, files in os.walk(os.fsencode(home)):
            for entry in [path, *(os.path.join(path, n) for n in directories + files)]:
                os.chown(entry, uid, uid, follow_symlinks=False)
        os.chown(os.path.join(home, "empty"), uid, 12345)
        for entry in ("notes.txt", "locked", "sparse", "work/deep/data.bin"):
            os.utime(os.path.join(home, entry), ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
        return home

    def command(self, *arguments, source=None):
        return [support.binary("homeport"), "home", "import", "--backend", "lab", "--copy", "--from",
                source or self.source, *arguments]

    def environment(self):
        return {**os.environ, "HOMEPORT_URL": "http://" + self.daemon.address, "HOMEPORT_TOKEN": self.daemon.token}

    def copy(self, *arguments, code=0, source=None):
        done = subprocess.run(self.command(*arguments, source=source), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=240, env=self.environment())
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def home(self, user):
        """The home as the service knows it, and where it lies on this machine."""
        space = self.daemon.call("GET", "/v1/homes/" + user).body
        return space, os.path.join(self.nfs.directories["/homes"], space["path"].removeprefix("/homes/"))

    def login(self, user, uid):
        return self.daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": user, "identity": {"uid": uid, "gid": uid}})

    def test_local_homes(self):
        alice = self.fill("alice", 5101)
        bob = self.fill("bob", 5102)
        os.link(os.path.join(bob, "notes.txt"), os.path.join(bob, "notes-too.txt"))
        os.mkfifo(os.path.join(bob, "pipe"))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(bob, "agent"))
        listener.close()
        os.makedirs(os.path.join(self.source, "lost+found"))
        os.symlink("alice", os.path.join(self.source, "link"))
        before = picture(self.source)

        counted = json.loads(self.copy("--dry-run", "-o", "json").stdout)
        self.assertEqual({(i["user"], i["outcome"], i["files"], len(i["left_behind"])) for i in counted["items"]},
                         {("alice", "would-copy", 7, 0), ("bob", "would-copy", 8, 2)})
        self.assertEqual({r["path"]: r["reason"] for r in counted["refused"]},
                         {"lost+found": "system-owner", "link": "symlink"})
        self.assertEqual(self.daemon.call("GET", "/v1/homes").body["items"], [], "a look makes nothing")

        done = self.copy()
        self.assertIn("2 homes: 2 copied, 0 copied already, 0 failed; 2 refused", done.stdout)
        for words in ("pipe is left behind", "agent is left behind", "2 names are hard links, and stay so"):
            self.assertIn(words, done.stdout)
        self.assertEqual(picture(self.source), before, "the source is left alone")
        for user, folder, uid in (("alice", alice, 5101), ("bob", bob, 5102)):
            space, there = self.home(user)
            expected = {path: what for path, what in picture(folder).items() if path not in (b"pipe", b"agent")}
            self.assertEqual(picture(there), expected)
            self.assertEqual((space["copying"], space["copying_by"], space["imported"]), (None, None, False))
            self.assertEqual(space["usage"]["basis"], "exact")
            self.assertEqual((os.lstat(there).st_uid, space["uid"]), (uid, uid))
            self.assertEqual(self.login(user, uid).status, 200)
        _, there = self.home("bob")
        self.assertTrue(os.path.samefile(os.path.join(there, "notes.txt"), os.path.join(there, "notes-too.txt")))
        _, there = self.home("alice")
        self.assertLess(os.lstat(os.path.join(there, "sparse")).st_blocks * 512, 1_000_000, "the hole is one again")

        # What is finished is not touched again, whatever was done in it since.
        with open(os.path.join(there, "notes.txt"), "w", encoding="ascii") as f:
            f.write("worked on")
        again = self.copy()
        self.assertIn("2 homes: 0 copied, 2 copied already, 0 failed", again.stdout)
        with open(os.path.join(there, "notes.txt"), encoding="ascii") as f:
            self.assertEqual(f.read(), "worked on")

    def test_killed_in_the_middle(self):
        homes = {user: self.fill(user, uid, big=300) for user, uid in (("carol", 5201), ("dora", 5202))}
        before = picture(self.source)
        withheld = 0
        for kill_after in (5, 150, 400):
            process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       stdin=subprocess.DEVNULL, env=self.environment(),
                                       preexec_fn=support.end_with_parent)

            def copied():
                folder = os.path.join(self.nfs.directories["/homes"], self._testMethodName)
                return sum(len(files) for _, _, files in os.walk(folder))

            support.wait_until(lambda: copied() > kill_after or process.poll() is not None, "something is copied")
            process.send_signal(signal.SIGKILL)
            process.wait()
            for user, uid in (("carol", 5201), ("dora", 5202)):
                answer = self.daemon.call("GET", "/v1/homes/" + user)
                if answer.status == 200 and answer.body["copying"]:
                    withheld += 1
                    login = self.login(user, uid)
                    self.assertEqual(login.status, 503, login)
                    self.assertIn("being copied", login.text)
        self.assertGreater(withheld, 0, "a kill came in the middle")
        finished = self.copy()
        self.assertIn("2 homes:", finished.stdout)
        for user, folder in homes.items():
            space, there = self.home(user)
            self.assertIsNone(space["copying"])
            self.assertEqual(picture(there), picture(folder))
        self.assertEqual(picture(self.source), before)
        self.assertEqual(self.login("carol", 5201).status, 200)

    def test_nobody_gets_half_a_home(self):
        self.fill("erik", 5301)
        where = f"{socket.gethostname()}:{self.source}/erik"
        made = self.daemon.call("PUT", "/v1/homes/erik?wait=20", {
            "uid": 5301, "gid": 5301, "copying": {"from": where, "backend": "lab"}})
        self.assertEqual((made.status, made.body["copying"]), (201, where), made)
        blocked = self.login("erik", 5301)
        self.assertEqual((blocked.status, blocked.body["spec"]["state"] if "spec" in blocked.body else "blocked"),
                         (503, "blocked"), blocked)
        self.assertIn("home-copying", blocked.text)
        # Still so after a restart.
        self.daemon.kill()
        self.daemon = self.start_daemon(nfs_support.config(self.nfs, self._testMethodName))
        self.assertEqual(self.login("erik", 5301).status, 503)
        other = self.daemon.call("PUT", "/v1/homes/erik?wait=20", {
            "uid": 5301, "gid": 5301, "copying": {"from": "elsewhere:/home/erik", "backend": "lab"}})
        self.assertEqual(other.status, 409, other)
        self.assertIn("is being copied from", other.text)
        self.copy()
        self.assertEqual(self.login("erik", 5301).status, 200)

    def test_a_home_in_use_is_never_copied_over(self):
        self.fill("frida", 5401)
        self.assertEqual(self.daemon.call("PUT", "/v1/homes/frida?wait=20", {"uid": 5401, "gid": 5401}).status, 201)
        _, there = self.home("frida")
        with open(os.path.join(there, "mine"), "w", encoding="ascii") as f:
            f.write("precious")
        done = self.copy(code=4)
        self.assertIn("1 failed", done.stdout)
        self.assertIn("exists already", done.stdout)
        self.assertEqual(os.listdir(there), ["mine"])

    def test_from_another_backend(self):
        folder = os.path.join(self.nfs.directories["/old"], self._testMethodName)
        os.makedirs(folder)
        gerd = self.fill("gerd", 5501, below=folder)
        before = picture(folder)
        self.copy(source=f"lab:/old/{self._testMethodName}")
        _, there = self.home("gerd")
        self.assertEqual(picture(there), picture(gerd))
        self.assertEqual(picture(folder), before)
        self.assertEqual(self.login("gerd", 5501).status, 200)

    def test_what_cannot_be_meant(self):
        for arguments, words in ((("--base", "/x"), "no meaning with --copy"),
                                 (("--map", "m.csv", "--match", "{user}"), "no meaning with --map"),
                                 (("--map", "/nowhere/m.csv"), "m.csv"),
                                 (("--source-name", "a/b"), "cannot be the name of a source")):
            self.assertIn(words, self.copy(*arguments, code=2).stderr)
        for source, words in (("home", "names no source"), ("/nowhere/at/all", "No such file"),
                              ("nobody:/home", "no backend 'nobody'")):
            done = subprocess.run(self.command(source=source), capture_output=True, text=True, check=False,
                                  env=self.environment())
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
        done = subprocess.run([support.binary("homeport"), "home", "import", "--backend", "lab", "--from", "/home"],
                              capture_output=True, text=True, check=False)
        self.assertIn("go with --copy", done.stderr)
        wrong = self.daemon.call("PUT", "/v1/homes/hans", {"uid": 5601, "gid": 5601, "copying": {
            "from": "a:/b", "backend": "elsewhere"}})
        self.assertEqual(wrong.status, 422, wrong)
        self.assertIn("puts homes on backend lab", wrong.text)

    def started(self, *arguments, wrap=()):
        """The command, running; a home's folder once something is copied into it."""
        process = subprocess.Popen([*wrap, *self.command(*arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, text=True, env=self.environment(),
                                   start_new_session=True,  # one that is stopped is nobody else's business
                                   preexec_fn=support.end_with_parent)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def copied_files(self):
        folder = os.path.join(self.nfs.directories["/homes"], self._testMethodName)
        return sum(len(files) for _, _, files in os.walk(folder))

    def test_two_runs_never_work_in_one_home(self):
        self.fill("jan", 5801)
        where = f"{socket.gethostname()}:{self.source}/jan"
        made = self.daemon.call("PUT", "/v1/homes/jan?wait=20", {
            "uid": 5801, "gid": 5801, "copying": {"from": where, "backend": "lab"}})
        self.assertEqual(made.status, 201, made)
        over = threading.Event()

        def work():  # what a run on another machine says as long as it works
            while not over.wait(0.5):
                self.daemon.call("POST", "/v1/homes/jan/copying", {"run": "theirs", "by": "nb7, process 4711"})

        other = threading.Thread(target=work)
        other.start()
        self.addCleanup(other.join)
        self.addCleanup(over.set)
        support.wait_until(lambda: self.daemon.call("GET", "/v1/homes/jan").body["copying_by"], "it has the home")
        refused = self.copy("-o", "json", code=5)
        error = json.loads(refused.stdout)["items"][0]["error"]
        for words in ("the home of jan is being copied from " + where, "by nb7, process 4711", "since 20"):
            self.assertIn(words, error["message"])
        self.assertIn("wait for that run or stop it", error["hint"])
        shown = subprocess.run([support.binary("homeport"), "home", "show", "jan"], capture_output=True, text=True,
                               check=True, env=self.environment()).stdout
        self.assertIn("nb7, process 4711", shown)
        self.assertEqual(self.daemon.call("POST", "/v1/homes/jan/copied").status, 409, "nor does a hand end it")
        over.set()
        other.join()
        self.copy()  # its last word is the last: waited for, and gone on from there
        _, there = self.home("jan")
        self.assertEqual(picture(there), picture(os.path.join(self.source, "jan")))

    def test_the_same_command_twice_at_once(self):
        for number in range(4):
            self.fill(f"kai{number}", 5820 + number, big=200)
        runs = [self.started("-o", "json") for _ in range(2)]
        for run in runs:
            output = run.communicate(timeout=200)[0]
            self.assertIn(run.returncode, (0, 5, 21), output)
        self.copy()
        for number in range(4):
            space, there = self.home(f"kai{number}")
            self.assertIsNone(space["copying"])
            self.assertEqual(picture(there), picture(os.path.join(self.source, f"kai{number}")))

    def test_a_run_that_slept_writes_no_more(self):
        """Stopped in the middle until its claim has ended: the next run finishes, and the sleeper touches nothing."""
        self.fill("karl", 5802, big=400)
        sleeper = self.started("-o", "json")
        support.wait_until(lambda: self.copied_files() > 20, "something is copied")
        sleeper.send_signal(signal.SIGSTOP)
        self.copy()
        _, there = self.home("karl")
        self.assertEqual(self.login("karl", 5802).status, 200)
        with open(os.path.join(there, "notes.txt"), "w", encoding="ascii") as f:
            f.write("worked on")
        # What the sleeper, by its own listing, believes to be missing would be written again.
        for number in range(400):
            os.unlink(os.path.join(there, "work", f"{number:04}.bin"))
        before = picture(there)
        sleeper.send_signal(signal.SIGCONT)
        sleeper.communicate(timeout=60)
        self.assertEqual(picture(there), before)

    def test_an_interrupted_run_leaves_its_homes_at_once(self):
        self.fill("lena", 5803, big=400)
        first = self.started()
        support.wait_until(lambda: self.copied_files() > 20, "something is copied")
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
        self.assertEqual(self.daemon.call("GET", "/v1/homes/lena").body["copying_by"], None)
        self.copy()
        _, there = self.home("lena")
        self.assertEqual(picture(there), picture(os.path.join(self.source, "lena")))

    def test_the_source_is_a_machine_not_a_name(self):
        self.fill("mara", 5804, big=400)
        first = self.started()
        support.wait_until(lambda: self.copied_files() > 20, "something is copied")
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
        with open("/etc/machine-id", encoding="ascii") as f:
            own = f.read().strip()
        # Another machine of the same name: its own /etc, all else as here.
        other = self.write("machine-id", "0123456789abcdef0123456789abcdef\n")
        wrap = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/machine-id && exec "$@"', other)
        elsewhere = self.started("-o", "json", wrap=wrap)
        output = elsewhere.communicate(timeout=60)[0]
        self.assertEqual(elsewhere.returncode, 4, output)
        message = json.loads(output)["items"][0]["error"]["message"]
        self.assertEqual(message.count("(machine "), 2, message)
        self.assertNotIn(own, output)
        self.assertNotIn("0123456789abcdef", output)
        self.copy()  # here it goes on
        self.fill("nina", 5805)
        self.copy("--source-name", "shelf-2", code=21)  # mara came from elsewhere, nina is new
        named = self.started("--source-name", "shelf-2", "-o", "json", wrap=wrap)
        output = named.communicate(timeout=60)[0]
        self.assertEqual({i["user"]: i["outcome"] for i in json.loads(output)["items"]},
                         {"mara": "failed", "nina": "exists"}, "a name goes with the disks")

    def test_what_cannot_be_read_stops_one_home_only(self):
        """A FUSE mount whose program died: nothing in it can even be looked at, by root neither."""
        self.fill("otto", 5806)
        self.fill("paul", 5807)
        dead = os.path.join(self.source, "otto", "work", "remote")
        lost = os.path.join(self.source, "rita")
        for folder in (dead, lost):
            os.makedirs(folder)
            mount = hub_support.FuseMount(self.nfs, "/old", folder)
            self.addCleanup(mount.close)
            mount.process.kill()
            mount.process.wait()
            support.wait_until(lambda where=folder: not seen(where), "the mount is dead, for the kernel's cache too")
        for arguments in (("--dry-run",), ()):
            report = json.loads(self.copy(*arguments, "-o", "json", code=21).stdout)
            items = {i["user"]: i for i in report["items"]}
            self.assertEqual((items["otto"]["outcome"], items["paul"]["outcome"]),
                             ("failed", "would-copy" if arguments else "copied"))
            self.assertEqual([u["path"] for u in items["otto"]["unreadable"]], ["work/remote"])
            self.assertIn("work/remote", items["otto"]["error"]["message"])
            self.assertEqual([(r["path"], r["reason"]) for r in report["refused"]], [("rita", "unreadable")])
        self.assertEqual(self.login("paul", 5807).status, 200)
        self.assertEqual(self.login("otto", 5806).status, 503)
        for folder in (dead, lost):
            subprocess.run(["fusermount3", "-u", "-z", folder], check=True)
        os.rmdir(dead)
        os.rmdir(lost)
        self.copy()
        _, there = self.home("otto")
        self.assertEqual(picture(there), picture(os.path.join(self.source, "otto")))
        self.assertEqual(self.login("otto", 5806).status, 200)

    def test_the_preview_is_what_the_service_would_do(self):
        for name, uid in (("sara", 5808), ("timo", 5809), ("uwe", 5810), ("vera", 5811)):
            self.fill(name, uid)
        with open(os.path.join(self.source, "timo", "large"), "wb") as f:
            f.truncate(11 << 30)
        os.chown(os.path.join(self.source, "timo", "large"), 5809, 5809)
        self.assertEqual(self.daemon.call("PUT", "/v1/homes/uwe?wait=20", {"uid": 5810, "gid": 5810}).status, 201)
        self.assertEqual(self.daemon.call("PUT", "/v1/homes/xaver?wait=20", {"uid": 5811, "gid": 5811}).status, 201)
        seen = json.loads(self.copy("--dry-run", "-o", "json", code=21).stdout)
        items = {i["user"]: i for i in seen["items"]}
        self.assertEqual({u: i["outcome"] for u, i in items.items()},
                         {"sara": "would-copy", "timo": "would-copy", "uwe": "failed", "vera": "failed"})
        self.assertEqual((items["sara"]["class"], items["sara"]["limit_bytes"]), ("std", 10 << 30))
        self.assertIsNone(items["sara"]["over_limit_bytes"])
        self.assertEqual(items["timo"]["over_limit_bytes"], 10 << 30)
        self.assertIn("exists already", items["uwe"]["error"]["message"])
        self.assertIn("uid 5811 belongs to xaver", items["vera"]["error"]["message"])
        table = self.copy("--dry-run", code=21).stdout
        self.assertRegex(table, r"sara +std +7 ")
        self.assertIn("is more than the limit of 10GiB", table)
        unknown = json.loads(self.copy("--dry-run", "--class", "none", "-o", "json", code=None).stdout)
        self.assertIn("no class 'none'", {i["user"]: i for i in unknown["items"]}["sara"]["error"]["message"])

    def test_a_map_says_whose_each_directory_is(self):
        a1 = self.fill("disk1/a1", 5812)
        b2 = self.fill("disk2/b2", 5813)
        good = self.write("map.csv", f"user,path,uid,quota\nanna@example.org,disk1/a1,5812,20GiB\nbert,{b2},,\n"
                                     "carl,disk2/none,,\ndora,disk1/a1,1,\nemil,/etc,,\n")
        done = json.loads(self.copy("--map", good, "-o", "json").stdout)
        self.assertEqual({i["user"]: i["outcome"] for i in done["items"]}, {"anna@example.org": "copied", "bert": "copied"})
        self.assertEqual({r["user"]: r["reason"] for r in done["refused"]},
                         {"carl": "missing", "dora": "owner-differs", "emil": "odd-name"})
        space, there = self.home("anna@example.org")
        self.assertEqual((picture(there), space["quota"]["limit_bytes"]), (picture(a1), 20 << 30))
        bad = self.write("bad.csv", "user,path\nx,a\nx,b\n")
        self.assertIn("line 3", self.copy("--map", bad, code=2).stderr)

    def test_a_server_that_squashes_root(self):
        self.fill("ilse", 5701)
        server = nfs_support.NfsServer("/homes:root_squash")
        self.addCleanup(server.close)
        where = f"{socket.gethostname()}:{self.source}/ilse"
        made = self.daemon.call("PUT", "/v1/homes/ilse?wait=20", {
            "uid": 5701, "gid": 5701, "copying": {"from": where, "backend": "lab"}})
        there = os.path.join(server.directories["/homes"], made.body["path"].removeprefix("/homes/"))
        os.makedirs(there)
        os.chown(there, 5701, 5701)
        os.chmod(there, 0o777)
        # Files can be made, and not given away: refused in words, the home stays withheld.
        done = self.copy("--nfs-server", "127.0.0.1", "--nfs-port", str(server.port), "--mount-port",
                         str(server.mount_port), "-o", "json", code=None)
        item = json.loads(done.stdout)["items"][0]
        self.assertEqual(item["outcome"], "failed")
        self.assertIn("no_root_squash", item["error"]["hint"])
        self.assertEqual(self.login("ilse", 5701).status, 503)


if __name__ == "__main__":
    unittest.main()
