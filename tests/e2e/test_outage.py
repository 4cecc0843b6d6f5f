"""Storage that goes away at the wrong moment, and two services on one state: a real NFS server, the real homeportd."""
import json
import os
import signal
import threading
import unittest

import nfs_support
import support


class OutageTest(nfs_support.NfsTest):
    exports = ("--no-cache", "/homes", "/data:ro")

    def ensure(self, daemon, user, uid, wait=20):
        return daemon.call("PUT", f"/v1/homes/{user}?wait={wait}", {"uid": uid, "gid": uid})

    def test_a_stopped_server_delays_and_loses_nothing(self):
        daemon = self.start_daemon(nfs_support.config(self.nfs, "stopped"))
        self.assertIn(self.ensure(daemon, "alice", 3001).status, (200, 201))
        self.nfs.order("stop")
        try:
            pending = self.ensure(daemon, "bob", 3002, wait=1)
            self.assertEqual(pending.status, 202, pending)
            self.assertIn("retry-after", pending.headers)
            operation = pending.body["operation"]["id"]
            # Who logs in is told, at once and in words, and no pod is left hanging in a mount.
            def told():
                answer = daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"})
                return answer if answer.status == 503 else None
            answer = support.wait_until(told, "the outage is noticed", 60)
            self.assertIn("does not answer", answer.text)
            self.assertEqual(daemon.call("GET", "/healthz").status, 200)
            self.assertEqual(daemon.call("GET", "/readyz").status, 200)
            findings = daemon.call("GET", "/v1/doctor").body["findings"]
            self.assertTrue(any("lab does not answer" in f["what"] for f in findings), findings)
        finally:
            self.nfs.order("start")
        support.wait_until(lambda: daemon.call("GET", f"/v1/operations/{operation}").body["state"] == "succeeded",
                           "the operation goes on by itself", 90)
        self.assertEqual(len(self.homes_on_disk("stopped")), 2)
        def served():
            return daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"}).status == 200
        support.wait_until(served, "logins are served again", 60)

    def swap_disks(self):
        """The export shows what lay at .../the-other-disk (at first: nothing), and the other way round."""
        shown = self.nfs.directories["/homes"].rstrip("/")
        other, third = shown + "-the-other-disk", shown + "-third"
        os.makedirs(other, exist_ok=True)
        self.nfs.order("stop")
        try:
            os.rename(shown, third)
            os.rename(other, shown)
            os.rename(third, other)
        finally:
            self.nfs.order("start")

    def test_a_server_without_its_disk_gets_no_homes_and_serves_none(self):
        daemon = self.start_daemon(nfs_support.config(self.nfs, "diskless"))
        self.assertIn(self.ensure(daemon, "alice", 3001).status, (200, 201))
        self.assertIn(self.ensure(daemon, "old", 3009).status, (200, 201))
        self.assertEqual(daemon.call("POST", "/v1/homes/old/retire?wait=20").status, 200)
        def login():
            return daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"})
        self.assertEqual(login().status, 200)
        self.swap_disks()
        try:
            def told():
                answer = login()
                return answer if "storage-missing" in answer.text else None
            answer = support.wait_until(told, "the empty export is noticed", 60)
            self.assertEqual(answer.status, 503, answer)
            pending = self.ensure(daemon, "bob", 3002, wait=2)
            self.assertEqual(pending.status, 202, pending)
            purged = daemon.call("POST", "/v1/homes/old/purge?wait=2", {"confirm": "old"})
            self.assertEqual(purged.status, 202, purged)
            operations = [o.body["operation"]["id"] for o in (pending, purged)]
            waiting = daemon.call("GET", f"/v1/operations/{operations[0]}").body
            self.assertEqual(waiting["state"], "waiting", waiting)
            self.assertIn("is its disk mounted", json.dumps(waiting))
            self.assertEqual(os.listdir(self.nfs.directories["/homes"]), [])
            findings = daemon.call("GET", "/v1/doctor").body["findings"]
            self.assertTrue(any("is its disk mounted" in f["what"] for f in findings), findings)
            pool = daemon.call("GET", "/v1/backends/lab").body["pools"][0]
            self.assertFalse(pool["writable"], pool)
            self.assertIn("is its disk mounted", pool["trouble"])
        finally:
            self.swap_disks()
        for operation in operations:
            support.wait_until(lambda: daemon.call("GET", f"/v1/operations/{operation}").body["state"] == "succeeded",
                               "the operation goes on by itself", 90)
        self.assertEqual(len(self.homes_on_disk("diskless")), 2)
        self.assertIn(daemon.call("GET", "/v1/homes/alice").body["backend_name"], self.homes_on_disk("diskless"))
        support.wait_until(lambda: login().status == 200, "logins are served again", 60)
        self.assertIsNone(daemon.call("GET", "/v1/backends/lab").body["pools"][0]["trouble"])

    def test_a_hanging_server_hurts_only_itself(self):
        more = "  - {name: other, kind: memory, pools: [{name: homes}]}\n"
        config = nfs_support.config(self.nfs, "hanging", more).replace(
            "  - {name: std,", "  - {name: elsewhere, backend: other}\n  - {name: std,", 1)
        daemon = self.start_daemon(config)
        self.assertIn(self.ensure(daemon, "alice", 3001).status, (200, 201))
        self.nfs.order("pause")
        try:
            for i in range(20):   # more than the backend has workers
                self.assertEqual(self.ensure(daemon, f"hanging{i}", 4000 + i, wait=0).status, 202)
            fine = daemon.call("PUT", "/v1/homes/dora?wait=10", {"uid": 5001, "gid": 5001, "class": "elsewhere"})
            self.assertIn(fine.status, (200, 201), f"the other backend does not wait for the hanging one: {fine}")
        finally:
            self.nfs.order("resume")
        def all_done():
            return not [o for s in ("running", "waiting") for o in daemon.call("GET", f"/v1/operations?state={s}").body["items"]]
        support.wait_until(all_done, "all homes are made in the end", 120)
        self.assertEqual(len(self.homes_on_disk("hanging")), 21)

    def test_a_stop_answers_who_waits(self):
        daemon = self.start_daemon(nfs_support.config(self.nfs, "stopping"))
        self.assertIn(self.ensure(daemon, "alice", 3001).status, (200, 201))
        self.nfs.order("pause")
        answers = []
        try:
            waiting = threading.Thread(target=lambda: answers.append(self.ensure(daemon, "bob", 3002, wait=60)))
            waiting.start()
            support.wait_until(lambda: daemon.call("GET", "/v1/operations?state=running").body["items"], "bob's home is begun")
            daemon.send_signal(signal.SIGTERM)
            self.assertEqual(daemon.wait(), 0, daemon.log())
            waiting.join(support.PATIENCE)
        finally:
            self.nfs.order("resume")
        self.assertEqual([a.status for a in answers], [202], "told that it is not done yet, and where to look")
        operation = answers[0].body["operation"]["id"]
        again = self.start_daemon(nfs_support.config(self.nfs, "stopping"))
        support.wait_until(lambda: again.call("GET", f"/v1/operations/{operation}").body["state"] == "succeeded",
                           "the next start goes on with it", 60)
        self.assertEqual(len(self.homes_on_disk("stopping")), 2)

    def test_a_stopped_leader_is_replaced_and_does_no_more_harm(self):
        config = nfs_support.config(self.nfs, "lease").replace("length: 5s", "length: 2s")
        first = self.start_daemon(config, state="shared")
        self.assertIn(self.ensure(first, "alice", 3001).status, (200, 201))
        second = self.start_daemon(config, state="shared", ready=False).wait_listening()
        support.wait_until(lambda: second.call("GET", "/readyz", token=None).status == 503, "the second one stands by")
        first.send_signal(signal.SIGSTOP)
        second.wait_ready(60)
        self.assertIn(self.ensure(second, "bob", 3002).status, (200, 201))
        before = self.homes_on_disk("lease")
        first.send_signal(signal.SIGCONT)
        self.assertEqual(first.wait(), 75)
        self.assertEqual(self.homes_on_disk("lease"), before)
        self.assertIn(self.ensure(second, "carol", 3003).status, (200, 201))
        self.assertTrue(second.call("GET", "/v1/audit/verify").body["ok"])

    def test_what_stands_in_the_way_is_left_alone(self):
        daemon = self.start_daemon(nfs_support.config(self.nfs, "planted"))
        self.assertIn(self.ensure(daemon, "alice", 3001).status, (200, 201))
        home = daemon.call("GET", "/v1/homes/alice").body
        folder = os.path.join(self.nfs.directories["/homes"], "planted")
        # Somebody replaced the home by another directory: same name, another id.
        os.rename(os.path.join(folder, home["backend_name"]), os.path.join(folder, "moved-away"))
        os.mkdir(os.path.join(folder, home["backend_name"]))
        with open(os.path.join(folder, home["backend_name"], "theirs"), "w", encoding="ascii") as f:
            f.write("not ours")
        refused = daemon.call("POST", "/v1/homes/alice/retire?wait=20")
        self.assertEqual(refused.status, 422, refused)
        self.assertTrue(os.path.exists(os.path.join(folder, home["backend_name"], "theirs")))


if __name__ == "__main__":
    unittest.main()
