"""Snapshots, holds, clones and the array's overwrite: the real homeportd and homeport against flashblade-sim, whose file
systems are real directories."""
import json
import os
import unittest
import urllib.parse

import flashblade_service
import nfs_support
import support


def snapshot(name):
    return "/v1/snapshots/" + urllib.parse.quote(name, safe="")


class SnapshotsTest(flashblade_service.ArrayServiceTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon(self.config(eradicate=True, timeout="8s"))
        self.ok("PUT", "/v1/homes/alice?wait=25", {"uid": 4001, "gid": 4001})
        self.home = self.ok("GET", "/v1/homes/alice")
        self.fs = self.home["path"].lstrip("/")

    def ok(self, method, target, body=None):
        answer = self.daemon.call(method, target, body)
        self.assertIn(answer.status, (200, 201), answer)
        return answer.body

    def refused_with(self, status, words, method, target, body=None):
        answer = self.daemon.call(method, target, body)
        self.assertEqual(answer.status, status, answer)
        self.assertIn(words, answer.body["detail"])
        return answer.body

    def homeport(self, *words, code=0):
        got, out, err = self.run_program(support.binary("homeport"), *words, env={
            **os.environ, "HOMEPORT_URL": "http://" + self.daemon.address, "HOMEPORT_TOKEN": self.daemon.token})
        self.assertEqual(got, code, out + err)
        return out if code == 0 else err

    def take(self, label, **more):
        return self.ok("POST", "/v1/snapshots?wait=25", {"space": "home/alice", "label": label, **more})

    def list(self, space="home/alice"):
        listed = self.ok("GET", "/v1/snapshots?limit=1000&space=" + urllib.parse.quote(space))
        self.assertEqual(listed["notes"], [])
        return listed["items"]

    def on_array(self, fs=None):
        return sorted(item["suffix"] for item in self.client.items("GET", "file-system-snapshots")
                      if item["source"]["name"] == (fs or self.fs) and not item["destroyed"])

    def write_file(self, name, text, fs=None):
        with open(self.path("data", "fs", fs or self.fs, name), "w", encoding="ascii") as f:
            f.write(text)

    def read_file(self, name, fs=None):
        with open(self.path("data", "fs", fs or self.fs, name), encoding="ascii") as f:
            return f.read()

    def test_taken_held_and_deleted_by_command(self):
        self.homeport("snapshot", "take", "home/alice", "--label", "before-update", "--reason", "pandas 3")
        taken = json.loads(self.homeport("snapshot", "show", "home/alice@before-update", "-o", "json"))
        self.assertEqual(self.on_array(), [taken["name"]])
        self.assertIn("before-update", self.homeport("snapshot", "list", "home/alice"))
        self.homeport("snapshot", "hold", "home/alice@before-update", "--owner", "legal", "--reason", "case 7")
        self.assertIn("held by legal (case 7)", self.homeport("snapshot", "delete", "home/alice@before-update", code=6))
        self.assertEqual(self.on_array(), [taken["name"]])
        self.homeport("snapshot", "release", "home/alice@before-update")
        self.assertIn("DELETE", self.homeport("snapshot", "delete", "home/alice@before-update", "--dry-run"))
        self.assertEqual(self.on_array(), [taken["name"]], "a dry run sends nothing")
        self.homeport("snapshot", "delete", "home/alice@before-update")
        self.assertEqual(self.on_array(), [])
        self.assertIn("No snapshots", self.homeport("snapshot", "list", "home/alice"))
        for words in (("take",), ("list",), ("show",), ("hold",), ("release",), ("delete",)):
            self.assertIn("homeport snapshot", self.homeport("snapshot", *words, "--help"))

    def test_what_others_took_is_shown_and_left_alone(self):
        self.sim.act("snapshot", file_system=self.fs, suffix="daily")
        self.sim.act("snapshot", file_system=self.fs, suffix="hp-20260101-000000-abcdef")
        shown = {item["name"]: item for item in self.list()}
        self.assertEqual((shown["daily"]["ours"], shown["daily"]["key"]), (False, None))
        self.refused_with(422, "was not taken by Homeport", "DELETE", snapshot("home/alice@daily"))
        self.refused_with(422, "binds nobody but Homeport", "POST", snapshot("home/alice@daily") + "/holds", {})
        ours = self.ok("POST", snapshot("home/alice@hp-20260101-000000-abcdef") + "/holds", {"owner": "x"})
        self.assertIsNotNone(ours["key"], "one of ours gets a record when it is held")
        taken = self.take("v1")
        self.sim.act("destroy", snapshot=f"{self.fs}.{taken['name']}")
        self.assertEqual({item["name"]: item["state"] for item in self.list()}[taken["name"]], "vanished")
        self.ok("DELETE", snapshot("home/alice@v1") + "?wait=25")
        self.assertEqual(self.on_array(), ["daily", "hp-20260101-000000-abcdef"])

    def test_too_many_are_refused_in_words(self):
        self.sim.set(max_snapshots_per_file_system=512)
        for number in range(512):
            self.sim.act("snapshot", file_system=self.fs, suffix=f"other-{number}")
        self.refused_with(507, "has 512 snapshots", "POST", "/v1/snapshots?wait=25",
                          {"space": "home/alice", "label": "one-more"})
        self.assertEqual(len(self.list()), 512)
        self.sim.act("destroy", snapshot=f"{self.fs}.other-7")
        self.sim.act("eradicate", snapshot=f"{self.fs}.other-7")
        self.take("one-more")

    def test_a_space_that_is_being_deleted(self):
        self.take("kept")
        self.ok("POST", snapshot("home/alice@kept") + "/holds", {"owner": "legal", "reason": "case 7"})
        self.ok("POST", "/v1/homes/alice/retire?wait=25")
        self.refused_with(422, "it is retired", "POST", "/v1/snapshots", {"space": "home/alice"})
        self.refused_with(422, "held by legal (case 7)", "POST", "/v1/homes/alice/purge?wait=25", {"confirm": "alice"})
        self.assertIn(self.fs, [i["name"] for i in self.client.items("GET", "file-systems") if not i["destroyed"]])
        self.ok("DELETE", snapshot("home/alice@kept") + "/holds/legal")
        self.ok("POST", "/v1/homes/alice/purge?wait=25", {"confirm": "alice"})

    def test_clones(self):
        self.write_file("model", "one")
        self.take("final")
        self.write_file("model", "two")
        self.assertIn("POST", self.homeport("dataset", "clone", "home/alice@final", "view", "--dry-run"))
        self.homeport("dataset", "clone", "home/alice@final", "view")
        view = self.ok("GET", "/v1/datasets/view")
        self.assertEqual((view["state"], view["read_only"], view["uid"]), ("ready", True, 4001))
        self.assertEqual(self.read_file("model", view["path"].lstrip("/")), "one")
        self.homeport("dataset", "clone", "home/alice", "course", "--read-write")
        course = self.ok("GET", "/v1/datasets/course")
        self.assertEqual(self.read_file("model", course["path"].lstrip("/")), "two")
        self.write_file("model", "three", course["path"].lstrip("/"))
        self.assertEqual(self.read_file("model"), "two")
        self.ok("POST", "/v1/datasets/course/grants", {"subject_kind": "everyone", "access": "rw"})
        spec = self.ok("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"})
        self.assertEqual(len(spec["mounts"]), 2)
        self.ok("POST", "/v1/datasets/view/retire?wait=25")
        self.ok("POST", "/v1/datasets/view/purge?wait=25", {"confirm": "view"})
        self.assertNotIn(view["path"].lstrip("/"), [i["name"] for i in self.client.items("GET", "file-systems")])

    def test_an_array_without_copies_names_the_alternative(self):
        self.sim.set(version=12)
        self.sim.control("POST", "/sessions/expire", {})
        support.wait_until(lambda: self.daemon.call("POST", "/v1/backends/fb1/probe").status == 200, "probed")
        answer = support.wait_until(lambda: self.clone_refused(), "the array's version is known")
        self.assertRegex(answer["hint"], "cop(y|ies) the files")

    def clone_refused(self):
        answer = self.daemon.call("POST", "/v1/datasets/x/clone?wait=25", {"from": "home/alice"})
        return answer.body if answer.status == 501 else None

    def test_the_arrays_overwrite(self):
        self.write_file("thesis", "good")
        self.take("old")
        self.take("newest")
        self.write_file("thesis", "bad")
        preview = self.ok("POST", snapshot("home/alice@newest") + "/overwrite?dry_run=true", {"confirm": ""})
        self.assertIn("no safety snapshot is possible", json.dumps(preview["notes"]))
        self.refused_with(422, "newest snapshot only", "POST", snapshot("home/alice@old") + "/overwrite?wait=25", {"confirm": "alice"})
        self.refused_with(400, "is not the name of", "POST", snapshot("home/alice@newest") + "/overwrite", {"confirm": "bob"})
        self.assertEqual(self.read_file("thesis"), "bad")
        self.assertIn("repeat the name", self.homeport("snapshot", "overwrite", "home/alice@newest", code=2))
        self.homeport("snapshot", "overwrite", "home/alice@newest", "--yes-overwrite", "alice")
        self.assertEqual(self.read_file("thesis"), "good")
        # The same by the word of `restore`.
        self.write_file("thesis", "bad again")
        self.assertIn("repeat the name", self.homeport("restore", "home/alice@newest", "--array", code=2))
        self.assertIn("no safety snapshot is possible", self.homeport("restore", "home/alice@newest", "--array", "--dry-run"))
        self.assertIn("takes no path", self.homeport("restore", "home/alice@newest", "thesis", "--array", code=2))
        self.assertEqual(self.read_file("thesis"), "bad again")
        self.homeport("restore", "home/alice@newest", "--array", "--yes-overwrite", "alice")
        self.assertEqual(self.read_file("thesis"), "good")

    def test_directories_of_a_pool_say_what_they_cannot(self):
        self.ok("POST", "/v1/mountspecs", {"hub": "main", "user": "bob", "groups": ["students"],
                                           "identity": {"uid": 4002, "gid": 4002}})
        refused = self.refused_with(501, "takes no snapshots of spaces of layout directory", "POST", "/v1/snapshots",
                                    {"space": "home/bob"})
        for said in ("file system (hp-pool-1)", "POST file-system-snapshots?source_names=hp-pool-1", "snapshot policy"):
            self.assertIn(said, refused["hint"], "what to do instead")

    def test_snapshots_of_a_pool_taken_on_the_array_serve_each_space_in_it(self):
        """As the refusal above says: taken there, listed here for every space, and files come back out of them."""
        for user, uid in (("bob", 4002), ("carol", 4003)):
            self.ok("POST", "/v1/mountspecs", {"hub": "main", "user": user, "groups": ["students"],
                                               "identity": {"uid": uid, "gid": uid}})
        homes = {user: self.ok("GET", f"/v1/homes/{user}") for user in ("bob", "carol")}
        paths = {user: home["path"].lstrip("/") for user, home in homes.items()}
        for user, path in paths.items():
            self.write_file("notes", f"{user}'s first", path)
        before = self.client.one("POST", "file-system-snapshots", {"suffix": "before-exam"}, source_names="hp-pool-1")
        for user, path in paths.items():
            self.write_file("notes", f"{user}'s second", path)
        self.client.one("POST", "file-system-snapshots", {}, source_names="hp-pool-1")
        for user, path in paths.items():
            listed = {item["name"]: item for item in self.ok("GET", f"/v1/snapshots?space=home/{user}")["items"]}
            self.assertEqual(len(listed), 2, listed)
            self.assertEqual((listed["before-exam"]["ours"], listed["before-exam"]["of_pool"]), (False, True))
            self.assertEqual(listed["before-exam"]["backend_id"], before["id"])
            found = self.ok("GET", snapshot(f"home/{user}@before-exam") + "/files")
            self.assertIn("notes", [item["name"] for item in found["items"]])
            self.homeport("restore", f"home/{user}@before-exam", "notes", "--in-place")
            self.assertEqual(self.read_file("notes", path), f"{user}'s first")
        late = self.ok("POST", "/v1/mountspecs", {"hub": "main", "user": "dora", "groups": ["students"],
                                                  "identity": {"uid": 4004, "gid": 4004}})
        self.assertEqual(late["state"], "ready")
        self.assertEqual(self.ok("GET", "/v1/snapshots?space=home/dora")["items"], [], "from before it was made")
        self.refused_with(422, "was not taken by Homeport", "DELETE", snapshot("home/bob@before-exam"))
        self.refused_with(501, "lies in pool shared with others", "POST", snapshot("home/bob@before-exam") + "/overwrite",
                          {"confirm": "bob"})

    def test_a_lost_answer_makes_no_second_snapshot(self):
        for rule in ({"cut": "after"}, {"status": 500, "when": "after"}, {"hold": "after"}, {"status": 503}):
            with self.subTest(fault=rule):
                before = len(self.on_array())
                self.sim.fault(method="POST", path="file-system-snapshots", times=1, **rule)
                answer = self.daemon.call("POST", "/v1/snapshots?wait=25", {"space": "home/alice"})
                self.assertIn(answer.status, (201, 202), answer)
                support.wait_until(lambda: all(i["state"] == "ready" for i in self.list()), "it is taken", 60)
                self.sim.control("DELETE", "/faults")
                self.assertEqual(len(self.on_array()), before + 1)
        self.assertEqual(len(self.on_array()), len(self.list()))


class NoSnapshotsTest(nfs_support.NfsTest):
    exports = ("/homes",)

    def test_an_nfs_server_says_so(self):
        daemon = self.start_daemon(nfs_support.config(self.nfs, "pool"))
        self.assertEqual(daemon.call("PUT", "/v1/homes/alice?wait=25", {"uid": 4001, "gid": 4001}).status, 201)
        answer = daemon.call("POST", "/v1/snapshots", {"space": "home/alice"})
        self.assertEqual(answer.status, 501, answer)
        self.assertIn("snapshots", answer.body["hint"])
        clone = daemon.call("POST", "/v1/datasets/x/clone", {"from": "home/alice"})
        self.assertEqual(clone.status, 501, clone)


if __name__ == "__main__":
    unittest.main()
