"""Crash safety: the service is killed at every named fault point, one after the other, on a real NFS server, and must
come back with nothing lost, nothing doubled and nothing half-done hidden.

The test finds the points by itself: a first run with HOMEPORT_FAULT_TRACE lists every passage of every point that the
scenario below makes. Each of them is then the place of a death.
"""
import http.client
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

import flashblade_service
import flashblade_sim
import nfs_support
import support

# What is shared by time and not by the scenario: passages of these may come or not come in a given run.
BY_TIME = ("journal.sessions", "journal.trim", "journal.lease", "journal.postpone", "journal.audit", "journal.measure", "journal.markers",
           "journal.beat")
SNAPSHOT = "daily-2026-11-19-0300"
GONE = (ConnectionError, http.client.HTTPException, OSError, TimeoutError)


class Scenario:
    """Every use case that writes, in a fixed order. Each step may be sent again after a crash."""

    def __init__(self, test, pool):
        self.test = test
        self.pool = pool
        self.rotated = None

    def steps(self):
        spawn = {"hub": "main", "user": "carol", "identity": {"uid": 3003, "gid": 3003}}
        return [
            ("ensure alice", lambda d: self.ok(d.call("PUT", "/v1/homes/alice?wait=20", {"uid": 3001, "gid": 3001}))),
            ("ensure bob", lambda d: self.ok(d.call("PUT", "/v1/homes/bob?wait=20", {"uid": 3002, "gid": 3002}))),
            ("login of carol", lambda d: self.ok(d.call("POST", "/v1/mountspecs?wait=20", spawn))),
            ("take over dave", self.take_over),
            ("first login of gina, whose home stands", lambda d: self.first_login(d, "gina", 3016)),
            ("first login of frank, whose home does not", lambda d: self.first_login(d, "frank", 3017)),
            ("restore a folder of alice's", self.restore),
            ("resize alice", lambda d: self.ok(d.call("PATCH", "/v1/homes/alice?wait=20", {"quota": "12GiB"}))),
            ("import", lambda d: self.ok(d.call("PUT", "/v1/datasets/iris?wait=20", {"backend": "lab", "path": "/data/iris"}))),
            ("grant", lambda d: self.ok(d.call("POST", "/v1/datasets/iris/grants",
                                               {"subject_kind": "group", "subject": "staff", "access": "ro"}))),
            ("withdraw", self.withdraw),
            ("retire bob", lambda d: self.in_state(d, "bob", "retire", ("retired", "ready", "purged"))),
            ("undelete bob", lambda d: self.in_state(d, "bob", "undelete", ("ready", "retired"))),
            ("retire bob again", lambda d: self.in_state(d, "bob", "retire", ("retired",))),
            ("purge bob", self.purge),
            ("ensure erin", lambda d: self.ok(d.call("PUT", "/v1/homes/erin?wait=20", {"uid": 3006, "gid": 3006}))),
            ("rename carol", lambda d: self.ok(d.call("POST", "/v1/users/carol/rename", {"name": "charlotte"}))),
            ("merge erin into alice", self.merge),
            ("set uid of alice", lambda d: self.ok(d.call("POST", "/v1/users/alice/uid", {"uid": 3011, "gid": 3011}))),
            ("pause", lambda d: self.ok(d.call("POST", "/v1/backends/lab/pause", {"text": "for a moment"}))),
            ("resume", lambda d: self.ok(d.call("POST", "/v1/backends/lab/resume"))),
            ("token", lambda d: self.ok(d.call("POST", "/v1/tokens", {"scope": "spawner", "hub": "main", "name": "hub"}))),
            ("release dataset", self.release),
        ]

    def ok(self, answer):
        self.test.assertIn(answer.status, (200, 201, 204), answer)
        return answer

    def in_state(self, daemon, user, verb, fine):
        answer = daemon.call("POST", f"/v1/homes/{user}/{verb}?wait=20")
        if answer.status == 200:
            return
        # Done already before the crash, or not possible any more because a later step had begun.
        now = daemon.call("GET", f"/v1/homes/{user}")
        self.test.assertEqual(now.status, 200, answer)
        self.test.assertIn(now.body["state"], fine, answer)

    def take_over(self, daemon):
        """A home that stood before Homeport; the directory is made once per pool."""
        path = self.old_home("dave", 3005)
        self.ok(daemon.call("PUT", "/v1/homes/dave?wait=20", {"uid": 3005, "gid": 3005,
                                                              "existing": {"backend": "lab", "path": path}}))

    def restore(self, daemon):
        """Of a snapshot that the server made by itself; asked again, it is the same folder."""
        home = self.ok(daemon.call("GET", "/v1/homes/alice")).body
        frozen = os.path.join(self.test.nfs.directories["/homes"], ".snapshot", SNAPSHOT, self.pool, home["backend_name"], "work")
        if not os.path.isdir(frozen):
            os.makedirs(frozen)
            for name in ("a", "b"):
                with open(os.path.join(frozen, name), "w", encoding="ascii") as f:
                    f.write(name * 1000)
                os.chown(os.path.join(frozen, name), 3001, 3001)
            os.chown(frozen, 3001, 3001)
        answer = daemon.call("POST", f"/v1/snapshots/home%2Falice@{SNAPSHOT}/restore?wait=20", {"path": "work", "way": "in-place"})
        self.ok(answer)

    def merge(self, daemon):
        answer = daemon.call("POST", "/v1/users/erin/merge", {"into": "alice", "other_home": "retire"})
        if answer.status != 200:   # done before the crash
            self.test.assertIn("are one person already", answer.text)

    def old_home(self, user, uid):
        path = f"/old/{self.pool}/{user}"
        folder = self.test.nfs.directories["/old"] + path.removeprefix("/old")
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.chown(folder, uid, uid)
            os.chmod(folder, 0o700)
        return path

    def first_login(self, daemon, user, uid):
        """The class takes homes over where they stand, and makes them where they do not."""
        if user == "gina":
            self.old_home(user, uid)
        self.ok(daemon.call("PUT", f"/v1/homes/{user}?wait=20", {"uid": uid, "gid": uid, "class": "old"}))

    def withdraw(self, daemon):
        answer = daemon.call("DELETE", "/v1/datasets/iris/grants/group/staff")
        self.test.assertIn(answer.status, (204, 404), answer)

    def purge(self, daemon):
        answer = daemon.call("POST", "/v1/homes/bob/purge?wait=20", {"confirm": "bob"})
        self.test.assertIn(answer.status, (200, 404), answer)

    def release(self, daemon):
        answer = daemon.call("POST", "/v1/datasets/iris/release")
        self.test.assertIn(answer.status, (200, 404), answer)


def config(server, pool):
    old = f'  - {{name: old, backend: lab, existing: "/old/{pool}/{{user}}", create: true}}\n'
    return nfs_support.config(server, pool, classes=old)


class Deaths:
    """Runs a scenario once for each point, dies there, comes back and looks. With document(pool), scenario(pool) and
    check_end(daemon, pool) of the test."""

    def run_steps(self, daemon, steps, start=0):
        """The index of the first step not done; len(steps) when all are."""
        for i in range(start, len(steps)):
            try:
                steps[i][1](daemon)
            except GONE:
                daemon.process.wait(support.PATIENCE)
                return i
            except AssertionError:
                # An answer about something that the dying process could not finish any more.
                try:
                    daemon.process.wait(0.3)
                    return i
                except Exception:  # still alive: the answer is a real failure
                    pass
                raise
        return len(steps)

    def settle(self, daemon):
        support.wait_until(lambda: not daemon.call("GET", "/v1/operations?state=running").body["items"] and
                           not daemon.call("GET", "/v1/operations?state=waiting").body["items"], "no operation is open")
        parked = daemon.call("GET", "/v1/operations?parked=true").body["items"]
        self.assertEqual(parked, [])

    def check_restored(self, live):
        home = self.nfs.directories["/homes"] + live_path(live, "alice").removeprefix("/homes")
        self.assertEqual(os.listdir(home), ["work"], "nothing of a restore is left")
        for name in ("a", "b"):
            with open(os.path.join(home, "work", name), encoding="ascii") as f:
                self.assertEqual(f.read(), name * 1000)
            self.assertEqual(os.stat(os.path.join(home, "work", name)).st_uid, 3001)
        self.assertEqual(sorted(os.listdir(os.path.join(home, "work"))), ["a", "b"])

    def trace(self):
        pool = "trace"
        file = self.path("trace")
        daemon = self.start_daemon(self.document(pool), state="trace-state", env={"HOMEPORT_FAULT_TRACE": file})
        steps = self.scenario(pool)
        self.assertEqual(self.run_steps(daemon, steps), len(steps))
        self.check_end(daemon, pool)
        daemon.stop()
        with open(file, encoding="ascii") as f:
            return [line.strip() for line in f]

    def die_at(self, point, number):
        """Dies at the point, comes back, goes on, ends right. False: the point was not passed this time."""
        pool = f"pool{number}"
        state = f"state{number}"
        document = self.document(pool)
        steps = self.scenario(pool)
        daemon = self.start_daemon(document, state=state, env={"HOMEPORT_FAULT_POINT": point}, ready=False)
        at = 0
        try:
            daemon.wait_ready()
            at = self.run_steps(daemon, steps)
            if at == len(steps):
                daemon.stop()
        except (AssertionError, *GONE):   # it died while it started; the kernel may need a moment to say so
            try:
                daemon.process.wait(5)
            except subprocess.TimeoutExpired:
                raise AssertionError("homeportd lives, but does not answer") from None
        died = daemon.process.wait(support.PATIENCE) == -9
        again = self.start_daemon(document, state=state)
        self.assertEqual(self.run_steps(again, steps, at), len(steps))
        self.check_end(again, pool)
        again.stop()
        shutil.rmtree(self.path(state), ignore_errors=True)
        return died

    def die_everywhere(self, at_least, interesting=lambda point: True):
        points = sorted({p for p in self.trace() if interesting(p)})
        names = {p.rsplit(":", 1)[0] for p in points}
        self.assertGreater(len(names), at_least, "the scenario passes many points")
        step = int(os.environ.get("HOMEPORT_CRASH_STEP", "1"))   # every N-th passage, for a quick look
        missed = []
        chosen = points[::step]
        for number, point in enumerate(chosen):
            with self.subTest(point=point):
                if not self.die_at(point, number):
                    missed.append(point)
        print(f"killed at {len(chosen) - len(missed)} passages of {len(names)} points; not passed again: {missed}")
        for point in missed:
            self.assertTrue(point.startswith(BY_TIME) or int(point.rsplit(":", 1)[1]) > 1, f"{point} was never the place of a death")


class CrashTest(Deaths, nfs_support.NfsTest):
    exports = ("/homes", "/data:ro", "/old")

    def check_end(self, daemon, pool):
        """Journal, tables and backend agree, and the end is that of an undisturbed run."""
        self.settle(daemon)
        spaces = daemon.call("GET", "/v1/homes?limit=1000").body["items"]
        ready = [s for s in spaces if s["state"] == "ready"]
        self.assertEqual(sorted(s["owner"]["names"] for s in ready), [["alice", "erin"], ["charlotte", "carol"], ["dave"], ["frank"], ["gina"]])
        retired = [s["backend_name"] for s in spaces if s["state"] == "retired"]
        self.assertEqual(len(retired), 1, "erin's home is kept")
        live = {s["backend_name"]: s for s in ready if not s["imported"]}
        self.assertEqual(sorted(s["path"] for s in ready if s["imported"]), [f"/old/{pool}/dave", f"/old/{pool}/gina"])
        disk = self.homes_on_disk(pool)
        self.assertEqual(sorted(disk), sorted(live), "one directory per home, and none besides")
        for name, (uid, gid, mode) in disk.items():
            self.assertEqual((uid, gid, mode), (live[name]["uid"], live[name]["gid"], 0o700))
        markers = {**self.markers_on_disk(), **self.markers_on_disk("/old")}
        for space in ready:
            marker = markers.get(space["key"])
            self.assertIsNotNone(marker, f"marker of {space['key']}")
            self.assertEqual(marker["id"], space["backend_id"])
            self.assertEqual(marker["owner"], space["owner"]["user_key"])
        self.check_restored(live)
        trash = os.path.join(self.nfs.directories["/homes"], ".homeport", "trash")
        purged = daemon.call("GET", "/v1/homes?state=purged").body["items"]
        known = [s["backend_name"] for s in spaces + purged]
        left = [n for n in os.listdir(trash) if n.startswith(tuple(known))]
        self.assertEqual([n for n in left if not n.startswith(retired[0])], [], "what was purged is gone")
        self.assertEqual(len(left), 1, "what was retired is kept")
        self.assertEqual(daemon.call("GET", "/v1/homes/alice").body["quota"]["limit_bytes"], 12 << 30)
        self.assertTrue(daemon.call("GET", "/v1/audit/verify").body["ok"])
        spec = daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"})
        self.assertEqual(spec.status, 200, spec)
        self.assertEqual(spec.body["mounts"][0]["source"]["export"], live_path(live, "alice"))

    def document(self, pool):
        return config(self.nfs, pool)

    def scenario(self, pool):
        return Scenario(self, pool).steps()

    def test_every_point(self):
        self.die_everywhere(30)

    def test_the_marker_of_a_rename_outlives_every_death(self):
        """The name stands in the marker on the server, however often the service died between the two."""
        pool = "renames"
        document = config(self.nfs, pool)
        daemon = self.start_daemon(document, state="rename-state")
        home = daemon.call("PUT", "/v1/homes/olga?wait=20", {"uid": 3101, "gid": 3101}).body
        old = Scenario(self, pool).old_home("petra", 3102)
        imported = daemon.call("PUT", "/v1/homes/petra?wait=20", {"uid": 3102, "gid": 3102, "existing": {
            "backend": "lab", "path": old}}).body
        daemon.stop()
        for number, point in enumerate(("nfs.write.before:1", "nfs.rename.before:1", "nfs.rename.after:1",
                                        "journal.markers.before_commit:1")):
            with self.subTest(point=point):
                names = [f"olga-{number}", f"petra-{number}"]
                daemon = self.start_daemon(document, state="rename-state",
                                           env={"HOMEPORT_FAULT_POINT": "user.rename.written:2"})
                self.ok_rename(daemon, home, names[0])
                with self.assertRaises(GONE):
                    self.ok_rename(daemon, imported, names[1])
                self.assertEqual(daemon.process.wait(support.PATIENCE), -9)
                # What is due is done at the start; this one dies while it writes the markers.
                dying = self.start_daemon(document, state="rename-state", env={"HOMEPORT_FAULT_POINT": point}, ready=False)
                self.assertEqual(dying.process.wait(support.PATIENCE), -9)
                again = self.start_daemon(document, state="rename-state")

                def right():
                    markers = {**self.markers_on_disk(), **self.markers_on_disk("/old")}
                    return [markers[space["key"]]["aliases"][0] for space in (home, imported)] == names
                support.wait_until(right, f"the markers carry the new names after {point}", limit=60)
                for space in (home, imported):
                    marker = {**self.markers_on_disk(), **self.markers_on_disk("/old")}[space["key"]]
                    self.assertEqual((marker["id"], marker["owner"]), (space["backend_id"], home_owner(space)))
                again.stop()

    def ok_rename(self, daemon, space, name):
        answer = daemon.call("POST", f"/v1/users/{home_owner(space)}/rename", {"name": name})
        self.assertEqual(answer.status, 200, answer)

    def test_random_kills_under_load(self):
        rounds = int(os.environ.get("HOMEPORT_CRASH_ROUNDS", "8"))
        seed = int(os.environ.get("HOMEPORT_CRASH_SEED", "20261120"))
        chance = random.Random(seed)
        pool = "load"
        config = nfs_support.config(self.nfs, pool)
        wanted = {}
        for number in range(rounds):
            daemon = self.start_daemon(config, state="load-state")
            names = [f"user-{number}-{i}" for i in range(40)]
            for i, name in enumerate(names):
                wanted[name] = 5000 + number * 100 + i
            threads = [threading.Thread(target=self.hammer, args=(daemon, names[i::4], wanted)) for i in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.02, 0.6))
            daemon.kill()
            for thread in threads:
                thread.join()
        daemon = self.start_daemon(config, state="load-state")
        self.settle(daemon)
        for name, uid in wanted.items():   # what was never asked for, or asked and lost, is asked again
            answer = daemon.call("PUT", f"/v1/homes/{name}?wait=20", {"uid": uid, "gid": uid})
            self.assertIn(answer.status, (200, 201), f"seed {seed}: {answer}")
        spaces = daemon.call("GET", "/v1/homes?limit=1000").body["items"]
        self.assertEqual(len(spaces), len(wanted))
        disk = self.homes_on_disk(pool)
        self.assertEqual(sorted(disk), sorted(s["backend_name"] for s in spaces))
        for space in spaces:
            self.assertEqual(disk[space["backend_name"]], (space["uid"], space["gid"], 0o700))
        self.assertTrue(daemon.call("GET", "/v1/audit/verify").body["ok"])

    @staticmethod
    def hammer(daemon, names, wanted):
        for name in names:
            try:
                daemon.call("PUT", f"/v1/homes/{name}?wait=5", {"uid": wanted[name], "gid": wanted[name]}, timeout=5)
            except GONE:
                return


def home_owner(space):
    return space["owner"]["user_key"]


class SnapshotScenario:
    """Everything about snapshots that writes, on a simulated array. Each step may be sent again after a crash."""

    def __init__(self, test):
        self.test = test

    def steps(self):
        return [
            ("ensure", lambda d: self.sent(d, "PUT", "/v1/homes/alice?wait=20", {"uid": 4001, "gid": 4001})),
            ("write", lambda d: self.write(d, "good")),
            ("take a", lambda d: self.take(d, "a")),
            ("take b", lambda d: self.take(d, "b")),
            ("hold b", lambda d: self.sent(d, "POST", "/v1/snapshots/home%2Falice@b/holds", {"owner": "legal"})),
            ("delete a", lambda d: self.sent(d, "DELETE", "/v1/snapshots/home%2Falice@a?wait=20", None, 404)),
            ("clone", lambda d: self.sent(d, "POST", "/v1/datasets/view/clone?wait=20", {"from": "home/alice@b"})),
            ("release", lambda d: self.sent(d, "DELETE", "/v1/snapshots/home%2Falice@b/holds/legal", None, 404)),
            ("write again", lambda d: self.write(d, "bad")),
            ("overwrite", lambda d: self.sent(d, "POST", "/v1/snapshots/home%2Falice@b/overwrite?wait=20",
                                              {"confirm": "alice"})),
        ]

    def sent(self, daemon, method, target, body, done_before=200):
        answer = daemon.call(method, target, body)
        self.test.assertIn(answer.status, (200, 201, done_before), answer)
        return answer.body

    def take(self, daemon, label):
        self.sent(daemon, "POST", "/v1/snapshots?wait=20", {"space": "home/alice", "label": label}, 409)

    def write(self, daemon, text):
        home = daemon.call("GET", "/v1/homes/alice").body
        with open(self.test.path("data", "fs", home["path"].lstrip("/"), "thesis"), "w", encoding="ascii") as f:
            f.write(text)


class SnapshotCrashTest(Deaths, flashblade_service.ArrayServiceTest):
    def setUp(self):
        super().setUp()
        self.known = set()   # file systems of earlier rounds

    def document(self, _pool):
        return "lease: {length: 5s}\n" + self.config(eradicate=True)

    def scenario(self, _pool):
        return SnapshotScenario(self).steps()

    def check_end(self, daemon, _pool):
        self.settle(daemon)
        client = flashblade_sim.Client(self.sim)
        home = daemon.call("GET", "/v1/homes/alice").body
        view = daemon.call("GET", "/v1/datasets/view").body
        self.assertEqual((home["state"], view["state"]), ("ready", "ready"))
        listed = daemon.call("GET", "/v1/snapshots?space=home/alice").body
        self.assertEqual([(s["label"], s["state"], s["holds"]) for s in listed["items"]], [("b", "ready", [])])
        fs, copy = home["path"].lstrip("/"), view["path"].lstrip("/")
        standing = [s["suffix"] for s in client.items("GET", "file-system-snapshots")
                    if s["source"]["name"] == fs and not s["destroyed"]]
        self.assertEqual(standing, [listed["items"][0]["name"]], "one snapshot for each record, and none besides")
        ours = {f["name"] for f in client.items("GET", "file-systems") if f["name"].startswith(("hp-h-", "hp-d-"))}
        self.assertEqual(ours - self.known, {fs, copy}, "one file system for each space, and none besides")
        self.known |= ours
        for name in (fs, copy):
            with open(self.path("data", "fs", name, "thesis"), encoding="ascii") as f:
                self.assertEqual(f.read(), "good")
        self.assertTrue(daemon.call("GET", "/v1/audit/verify").body["ok"])

    def test_every_point_of_snapshots(self):
        self.die_everywhere(8, lambda point: "snapshot" in point or "space." in point or
                            point.startswith(("journal.hold", "journal.release")))


def live_path(live, user):
    return next(s["path"] for s in live.values() if user in s["owner"]["names"])


if __name__ == "__main__":
    unittest.main()
