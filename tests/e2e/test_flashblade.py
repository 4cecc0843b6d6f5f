"""Homes on a FlashBlade: the real homeportd over TLS against the simulator, whose file systems are real directories."""
import os
import unittest

import flashblade_service
import support

# Each meets one call of a new home; "times" so that it passes.
FAULTS = {
    "slow": {"delay_ms": 300, "jitter_ms": 200, "times": 5},
    "401": {"status": 401, "times": 1},
    "403": {"status": 403, "times": 1},
    "429": {"status": 429, "times": 4},
    "429 with Retry-After": {"status": 429, "retry_after": "1", "times": 2},
    "500 busy": {"status": 500, "message": "Server is busy", "times": 2},
    "503": {"status": 503, "times": 2},
    "500 after the effect": {"status": 500, "when": "after", "times": 1},
    "html": {"body": "html", "times": 1},
    "gateway page": {"body": "gateway", "times": 1},
    "truncated": {"body": "truncated", "times": 1},
    "broken JSON": {"body": "broken-json", "times": 1},
    "cut before": {"cut": "before", "times": 1},
    "cut after": {"cut": "after", "times": 1},
    "half-open": {"hold": "before", "times": 1},
    "half-open after the effect": {"hold": "after", "times": 1},
    "stale reads": {"stale_ms": 400, "times": 3},
    "sessions expire": {"expire_sessions": True, "times": 1},
    "downgrade": {"version": 12, "times": 1},
}


class FlashbladeTest(flashblade_service.ArrayServiceTest):
    def test_life_of_a_home(self):
        daemon = self.start_daemon(self.config())
        probe = daemon.call("POST", "/v1/backends/fb1/probe").body
        self.assertFalse([c for c in probe["checks"] if c["status"] == "failed"], probe)
        self.assertIn(self.ensure(daemon, "alice", 4001).status, (200, 201))
        home = self.home_of("alice", daemon)
        name = home["path"].lstrip("/")
        item = self.file_systems()[name]
        self.assertEqual(item["nfs"]["rules"], "127.0.0.1(rw,no_root_squash) 10.20.0.0/16(rw,root_squash)")
        self.assertEqual((item["provisioned"], item["hard_limit_enabled"]), (1 << 30, True))
        root = os.stat(self.path("data", "fs", name))
        self.assertEqual((root.st_uid, root.st_mode & 0o7777), (4001, 0o700))
        spec = daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"})
        self.assertEqual(spec.status, 200, spec)
        self.assertEqual(spec.body["mounts"][0]["source"]["export"], "/" + name)
        with open(self.path("data", "fs", name, "thesis"), "w", encoding="ascii") as f:
            f.write("all my work")
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/retire?wait=20").status, 200)
        item = self.file_systems()[name]
        self.assertEqual((item["nfs"]["rules"], item["destroyed"]), ("127.0.0.1(rw,no_root_squash)", False))
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/undelete?wait=20").status, 200)
        self.assertIn("10.20.0.0/16", self.file_systems()[name]["nfs"]["rules"])
        self.assertTrue(os.path.exists(self.path("data", "fs", name, "thesis")))

    def test_directories_of_a_pool_have_the_arrays_quota(self):
        daemon = self.start_daemon(self.config())
        answer = daemon.call("POST", "/v1/mountspecs",
                             {"hub": "main", "user": "bob", "groups": ["students"], "identity": {"uid": 4002, "gid": 4002}})
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("/hp-pool-1/homes/", answer.body["mounts"][0]["source"]["export"])
        quota = self.client.one("GET", "quotas/users", file_system_names="hp-pool-1", uids="4002")
        self.assertEqual(quota["quota"], 1 << 30)

    def test_every_fault_ends_with_one_whole_home(self):
        daemon = self.start_daemon(self.config())
        self.assertIn(self.ensure(daemon, "first", 3999).status, (200, 201))
        uid = 4000
        for number, (name, rule) in enumerate(FAULTS.items()):
            for method in ("POST", "PATCH", "*"):
                if rule.get("version") and method != "*":
                    continue
                with self.subTest(fault=name, method=method):
                    uid += 1  # nobody shares one
                    user = f"user-{number}-{method.strip('*').lower() or 'any'}"
                    where = {"path": "file-systems"} if method != "*" else {}
                    self.sim.fault(**where, **({"method": method} if method != "*" else {}), **rule)
                    answer = self.ensure(daemon, user, uid)
                    self.sim.control("DELETE", "/faults")
                    self.assertIn(answer.status, (200, 201, 202), answer)
                    support.wait_until(lambda: self.home_of(user, daemon)["state"] == "ready", f"{user} has a home", 60)
                    path = self.home_of(user, daemon)["path"].lstrip("/")
                    self.assertIn("10.20.0.0/16", self.file_systems()[path]["nfs"]["rules"])
        homes = [n for n in self.file_systems() if n.startswith("hp-h-")]
        listed = daemon.call("GET", "/v1/homes?limit=1000").body["items"]
        self.assertEqual(len(homes), len(listed), "one file system for each home, and no other")


if __name__ == "__main__":
    unittest.main()
