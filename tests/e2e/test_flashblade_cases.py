"""An array that lies, is away, or is changed by others while homes are in use: nothing of anybody's is lost or called gone."""
import datetime
import unittest

import flashblade_service
import support

ROUNDS = 2  # of the service's own looks at its backends, 15 s each


class CaseTest(flashblade_service.ArrayServiceTest):
    def looked(self, daemon, rounds=ROUNDS):
        """Waits until the service has looked at the array so many times from now on."""
        def looks():
            return len([r for r in self.sim.control("GET", "/requests")["requests"] if r["path"].endswith("/arrays/space")])
        before = looks()
        support.wait_until(lambda: looks() >= before + rounds, f"{rounds} looks at the array", 60)

    def expect_all_well(self, daemon, homes):
        for user, home in homes.items():
            now = self.home_of(user, daemon)
            self.assertEqual((now["key"], now["state"]), (home["key"], "ready"))
            self.assertEqual(self.login(daemon, user).status, 200)
        standing = self.file_systems()
        for home in homes.values():
            item = standing[home["backend_name"]]
            self.assertEqual((item["id"], item["destroyed"]), (home["backend_id"], False))
            self.assertIn("10.20.0.0/16", item["nfs"]["rules"])
        self.assertEqual(len([name for name in standing if name.startswith("hp-h-")]), len(homes))

    def two_homes(self, daemon):
        return {user: self.made(daemon, user, uid) for user, uid in (("alice", 4001), ("bob", 4002))}

    def test_18_one_dead_array_at_the_start(self):
        daemon = self.start_daemon(self.config())
        homes = self.two_homes(daemon)
        config = self.config(more="  - {name: lab, kind: memory, pools: [{name: homes}]}").replace(
            "  rules:\n", "  - {name: lab, backend: lab, default_quota: 1GiB}\n  rules:\n"
            "  - {name: lab, match: {groups: [lab]}, class: lab}\n")
        daemon.stop()
        self.sim.stop()
        daemon = self.start_daemon(config)  # waits until it is ready
        support.wait_until(lambda: any("fb1 does not answer" in what for what in self.findings(daemon)), "it is noticed", 60)
        for user, home in homes.items():
            answer = self.login(daemon, user)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.body["mounts"][0]["source"]["export"], home["path"])
            self.assertIn("storage-management-down", [notice["code"] for notice in answer.body["notices"]])
        other = self.login(daemon, "carol", groups=["lab"], identity={"uid": 4003, "gid": 4003})
        self.assertIn("memory", other.text, "the other backend makes homes")

    def test_19_pages_that_miss_and_repeat(self):
        self.sim.set(max_page=2)
        daemon = self.start_daemon(self.config())
        homes = self.two_homes(daemon)
        for number, fault in enumerate(({"drop": 1}, {"repeat": 1}, {"drop": 1, "every": 2})):
            with self.subTest(fault):
                self.sim.fault(id="pages", method="GET", path="file-systems", **fault)
                daemon.call("POST", "/v1/backends/fb1/probe")
                self.looked(daemon)
                self.assertFalse([what for what in self.findings(daemon) if "gone" in what or "hp-h-" in what])
                self.sim.control("DELETE", "/faults")
                self.expect_all_well(daemon, homes)
                homes[f"new{number}"] = self.made(daemon, f"new{number}", 4100 + number)
        self.expect_all_well(daemon, homes)

    def test_20_rights_lost_and_everything_looks_empty(self):
        daemon = self.start_daemon(self.config())
        homes = self.two_homes(daemon)
        for fault in ({"drop": 1000000}, {"status": 403}):
            with self.subTest(fault):
                self.sim.fault(id="empty", method="GET", path="file-system*", **fault)
                daemon.call("POST", "/v1/backends/fb1/probe")
                self.looked(daemon)
                for user in homes:
                    self.assertEqual(self.home_of(user, daemon)["state"], "ready")
                    self.assertEqual(self.login(daemon, user).status, 200)
                # What cannot be found is neither replaced nor removed.
                self.assertEqual(self.ensure(daemon, "alice", 4001).status, 200)
                answer = daemon.call("POST", "/v1/homes/bob/retire?wait=2")
                self.assertNotEqual(answer.status, 200, answer)
                self.sim.control("DELETE", "/faults")
                self.settle(daemon, "bob")
                self.expect_all_well(daemon, homes)

    def settle(self, daemon, user):
        """Whatever became of an interrupted retirement, the home is in use again."""
        def ready():
            state = self.home_of(user, daemon)["state"]
            if state == "retired":
                daemon.call("POST", f"/v1/homes/{user}/undelete?wait=20")
            if state != "ready":
                for operation in daemon.call("GET", "/v1/operations?state=parked").body["items"]:
                    daemon.call("POST", f"/v1/operations/{operation['id']}/retry")
            return state == "ready"
        support.wait_until(ready, f"{user} has a home again", 60)

    def test_21_the_arrays_clock_differs_by_minutes(self):
        self.sim.advance("20m")
        daemon = self.start_daemon(self.config())
        home = self.made(daemon, "alice", 4001)
        checks = {c["name"]: c for c in daemon.call("POST", "/v1/backends/fb1/probe").body["checks"]}
        self.assertEqual(checks["management: clock"]["status"], "warning")
        self.assertIn("NTP", checks["management: clock"]["hint"])
        # The array counts down by its own clock; what we show is the same moment by ours.
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/retire?wait=20").status, 200)
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/purge?wait=20", {"confirm": "alice"}).status, 200)
        until = daemon.call("GET", f"/v1/spaces/{home['key']}").body["recoverable_until"]
        left = datetime.datetime.fromisoformat(until.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs(left.total_seconds() - 86400), 300, until)
        self.assertEqual(daemon.call("POST", f"/v1/homes/{home['key']}/undelete?wait=20").status, 200)
        self.assertEqual(self.login(daemon, "alice").status, 200)

    def test_30_the_source_of_a_dataset_is_removed(self):
        self.make("imagenet", nfs={"rules": "127.0.0.1(rw,no_root_squash)", "v3_enabled": True, "v4_1_enabled": True})
        self.make("mnist", nfs={"rules": "127.0.0.1(rw,no_root_squash)", "v3_enabled": True, "v4_1_enabled": True})
        daemon = self.start_daemon(self.config())
        self.two_homes(daemon)
        for name in ("imagenet", "mnist"):
            answer = daemon.call("PUT", f"/v1/datasets/{name}?wait=20", {"backend": "fb1", "path": "/" + name})
            self.assertIn(answer.status, (200, 201), answer)
            granted = daemon.call("POST", f"/v1/datasets/{name}/grants", {"subject_kind": "everyone", "access": "ro"})
            self.assertLess(granted.status, 300, granted)
        def mounted(user):
            answer = self.login(daemon, user)
            self.assertEqual(answer.status, 200, answer)
            return [mount["id"] for mount in answer.body["mounts"]], [n["code"] for n in answer.body["notices"]]
        self.assertEqual(len(mounted("alice")[0]), 3)
        self.sim.act("destroy", file_system="imagenet")
        support.wait_until(lambda: "dataset-missing" in mounted("alice")[1], "it is noticed", 90)
        self.assertEqual(len(mounted("bob")[0]), 2, "home and the other dataset")
        self.assertTrue(any("dataset imagenet is gone: there is no /imagenet" in what for what in self.findings(daemon)),
                        self.findings(daemon))
        self.sim.act("recover", file_system="imagenet")
        support.wait_until(lambda: len(mounted("alice")[0]) == 3, "it is back", 60)


if __name__ == "__main__":
    unittest.main()
