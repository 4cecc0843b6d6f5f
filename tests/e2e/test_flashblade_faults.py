"""flashblade-sim goes wrong on demand: every fault, by script and through the control port."""
import http.client
import json
import socket
import time
import unittest

import flashblade_sim


class FaultTest(flashblade_sim.SimulatorTest):
    def names(self):
        return [fs["name"] for fs in self.client.items("GET", "file-systems")]

    def test_statuses_with_their_bodies_and_headers(self):
        for rule, status, body in (
                ({"status": 403}, 403, {"error": [{"code": 403, "context": "/api/2.28/arrays", "message": "Access Denied"}]}),
                ({"status": 401}, 401, {"errors": [{"code": 401, "context": "/api/2.28/arrays", "message": "Invalid session token."}]}),
                ({"status": 500}, 500, {"errors": [{"code": 500, "context": "/api/2.28/arrays", "message": "Server is busy"}]}),
                ({"status": 503, "message": "no"}, 503, {"errors": [{"code": 503, "context": "/api/2.28/arrays", "message": "no"}]}),
                ({"status": 429, "body": "gateway"}, 429, {"message": "Too many requests"})):
            with self.subTest(rule):
                self.sim.fault(id="f", path="arrays", times=1, **rule)
                self.assertEqual(self.client.call("GET", "arrays"), (status, body))
                self.assertEqual(self.client.call("GET", "arrays")[0], 200)

    def test_429_with_and_without_retry_after(self):
        self.sim.fault(path="arrays", status=429, retry_after="2", times=1)
        self.assertEqual(self.client.call("GET", "arrays")[0], 429)
        self.assertEqual(self.client.headers["retry-after"], "2")
        self.sim.fault(path="arrays", status=429, times=1)
        self.assertEqual(self.client.call("GET", "arrays")[0], 429)
        self.assertNotIn("retry-after", self.client.headers)

    def test_which_calls(self):
        self.sim.fault(method="GET", path="file-*", **{"from": 2}, every=2, times=2, status=503)
        got = [self.client.call("GET", "file-systems")[0] for _ in range(7)]
        self.assertEqual(got, [200, 503, 200, 503, 200, 200, 200])
        self.assertEqual(self.client.call("GET", "arrays")[0], 200)
        told = self.sim.control("GET", "/faults")["faults"][0]
        self.assertEqual((told["seen"], told["hits"]), (7, 2))
        self.sim.control("DELETE", "/faults?id=" + told["id"])
        self.sim.control("DELETE", "/faults?id=" + told["id"], status=404)

    def test_chance_repeats_itself_with_its_seed(self):
        def draw():
            self.sim.control("DELETE", "/faults")
            self.sim.control("POST", "/faults", {"seed": 7, "faults": [{"path": "arrays", "probability": 0.5, "status": 500}]})
            return [self.client.call("GET", "arrays")[0] for _ in range(20)]
        first = draw()
        self.assertEqual(draw(), first)
        self.assertEqual(set(first), {200, 500})

    def test_late_answers(self):
        self.sim.fault(path="arrays", delay_ms=60, jitter_ms=20)
        before = time.monotonic()
        self.client.call("GET", "arrays")
        self.assertGreaterEqual(time.monotonic() - before, 0.06)

    def test_html_truncated_and_broken_bodies(self):
        self.sim.fault(path="arrays", body="html", times=1)
        status, text = self.client.raw("GET", "/api/2.0/arrays", headers={"x-auth-token": self.client.session})
        self.assertEqual((status, self.client.headers["content-type"], text[:6]), (502, "text/html", b"<html>"))
        self.sim.fault(path="arrays", body="broken-json", times=1)
        with self.assertRaises(json.JSONDecodeError):
            self.client.call("GET", "arrays")
        self.sim.fault(path="arrays", body="truncated", times=1)
        with self.assertRaises(http.client.IncompleteRead):
            self.client.call("GET", "arrays")

    def test_wrong_types(self):
        self.make("a", provisioned=5)
        self.sim.fault(path="file-systems", body="wrong-types", times=1)
        fs = self.client.call("GET", "file-systems")[1]["items"][0]
        self.assertEqual((fs["provisioned"], fs["destroyed"], fs["name"]), ("5", 0, ["a"]))

    def test_cut_before_and_after_the_effect(self):
        for tls in (False, True):
            client = flashblade_sim.Client(self.sim, tls=tls)
            for when, exists in (("before", False), ("after", True)):
                with self.subTest(when=when, tls=tls):
                    name = f"{when}-{tls}"
                    self.sim.fault(method="POST", path="file-systems", cut=when, times=1)
                    with self.assertRaises((http.client.RemoteDisconnected, ConnectionError, OSError)):
                        client.call("POST", "file-systems", {}, names=name)
                    self.assertEqual(name in self.names(), exists)

    def test_an_error_after_the_effect(self):
        self.sim.fault(method="POST", path="file-system-snapshots", status=503, when="after", times=1)
        self.make("a")
        self.assertEqual(self.client.call("POST", "file-system-snapshots", {"suffix": "s"}, source_names="a")[0], 503)
        self.assertEqual(self.client.one("GET", "file-system-snapshots")["name"], "a.s")

    def test_half_open(self):
        self.sim.fault(path="arrays", hold="before", times=1)
        slow = flashblade_sim.Client(self.sim, timeout=0.3)
        with self.assertRaises((socket.timeout, TimeoutError)):
            slow.call("GET", "arrays")
        self.assertEqual(self.client.call("GET", "arrays")[0], 200)

    def test_stale_reads(self):
        self.client.call("GET", "file-systems")
        self.sim.fault(id="stale", method="GET", path="file-systems", stale_ms=60000)
        self.make("a")
        self.assertEqual(self.names(), [])
        self.client.one("PATCH", "file-systems", {"provisioned": 5}, names="a")
        self.sim.advance("2m")
        self.assertEqual(self.names(), ["a"])
        self.client.one("PATCH", "file-systems", {"provisioned": 9}, names="a")
        self.assertEqual(self.client.one("GET", "file-systems")["provisioned"], 5)

    def test_sessions_expire_in_a_storm(self):
        self.sim.fault(path="file-systems", every=2, expire_sessions=True)
        got = []
        for _ in range(4):
            got.append(self.client.call("GET", "file-systems")[0])
            self.client.login()
        self.assertEqual(got, [403, 200, 403, 200])

    def test_pages_that_miss_and_repeat(self):
        for name in "abcdef":
            self.make(name)

        def pages():
            names, token = [], {}
            while True:
                answer = self.client.call("GET", "file-systems", limit=2, **token)[1]
                names += [fs["name"] for fs in answer["items"]]
                if not answer["continuation_token"]:
                    return "".join(names)
                token = {"continuation_token": answer["continuation_token"]}

        self.assertEqual(pages(), "abcdef")
        self.sim.fault(id="f", path="file-systems", drop=1, times=1)
        self.assertEqual(pages(), "acdef")
        self.sim.fault(id="f", path="file-systems", repeat=1, times=1)
        self.assertEqual(pages(), "abbcdef")

    def test_a_full_array_takes_nothing_more(self):
        self.sim.fault(id="full", array_full=True)
        self.refused(400, "full", "POST", "file-systems", {}, names="a")
        self.assertEqual(self.client.login()[0], 200)
        self.assertEqual(self.names(), [])

    def test_permission_lost(self):
        self.sim.fault(method="PATCH", path="*", status=403)
        self.make("a")
        self.assertEqual(self.client.call("PATCH", "file-systems", {"writable": False}, names="a")[0], 403)

    def test_upgraded_and_downgraded_in_flight(self):
        self.sim.fault(path="arrays", **{"from": 2}, times=1, version=12)
        self.assertEqual(self.client.call("GET", "arrays")[0], 200)
        self.assertEqual(self.client.call("GET", "arrays")[0], 404)
        self.assertEqual(self.client.call("GET", "arrays", version="2.12")[0], 200)
        self.sim.set(version=20)
        self.assertEqual(self.client.call("GET", "arrays", version="2.20")[0], 200)

    def test_behind_our_back(self):
        self.make("a", nfs={"rules": "10.0.0.1(rw)"})
        before = self.client.one("GET", "file-systems")
        self.sim.fault(method="PATCH", path="file-systems", act={"do": "rename", "file_system": "a", "to": "b"}, times=1)
        self.refused(400, "does not exist", "PATCH", "file-systems", {"writable": False}, names="a")
        self.sim.act("rules", file_system="b", rules="*(rw,no_root_squash)")
        self.sim.act("resize", file_system="b", bytes=7)
        after = self.client.one("GET", "file-systems")
        self.assertEqual((after["id"], after["name"], after["provisioned"], after["nfs"]["rules"]),
                         (before["id"], "b", 7, "*(rw,no_root_squash)"))
        self.assertNotEqual(self.sim.act("replace", file_system="b")["id"], before["id"])
        self.sim.act("destroy", file_system="b")
        self.assertTrue(self.client.one("GET", "file-systems")["destroyed"])
        self.assertIsNone(self.sim.act("eradicate", file_system="b"))
        self.assertEqual(self.names(), [])

    def test_orders_that_make_no_sense_are_refused(self):
        for rule in ({"path": "arrays"}, {"status": 99}, {"status": 500, "typo": 1}, {"status": 500, "probability": 2},
                     {"cut": "sometimes"}):
            with self.subTest(rule):
                self.sim.control("POST", "/faults", {"faults": [rule]}, status=400)
        self.assertEqual(self.sim.control("GET", "/faults")["faults"], [])
        self.sim.control("POST", "/act", {"do": "explode", "file_system": "a"}, status=404)
        self.sim.control("POST", "/clock", {"advance": "soon"}, status=400)
        self.sim.control("PATCH", "/settings", {"unknown": 1}, status=400)
        self.sim.control("POST", "/save", status=400)
        self.sim.control("GET", "/elsewhere", status=404)

    def test_calls_are_counted(self):
        self.sim.control("DELETE", "/requests")
        self.client.call("GET", "arrays", limit=1)
        self.assertEqual(self.sim.control("GET", "/requests")["requests"],
                         [{"method": "GET", "path": "/api/2.28/arrays", "query": "limit=1", "status": 200}])


class ScriptTest(flashblade_sim.SimulatorTest):
    def test_a_script_in_yaml(self):
        script = self.write("faults.yaml", "seed: 3\nfaults:\n- {path: login, status: 503, times: 1}\n")
        sim = self.start("--faults", script)
        client = flashblade_sim.Client(sim, login=False)
        self.assertEqual(client.login()[0], 503)
        self.assertEqual(client.login()[0], 200)

    def test_a_script_with_a_mistake_is_refused_with_its_line(self):
        script = self.write("faults.yaml", "faults:\n- {path: login, status: 503}\n- {path: login, statsu: 503}\n")
        with self.assertRaisesRegex(AssertionError, "(?s)ended with 2.*line 3.*statsu"):
            self.start("--faults", script)


class StateTest(flashblade_sim.SimulatorTest):
    def test_what_was_there_is_there_again(self):
        state = self.directory + "/state.json"
        sim = self.start("--state", state)
        client = flashblade_sim.Client(sim)
        self.make("a", client, provisioned=5)
        client.one("POST", "file-system-snapshots", {"suffix": "s"}, source_names="a")
        client.one("POST", "quotas/users", {"quota": 9}, file_system_names="a", uids=7)
        client.one("POST", "policies", {"rules": [{"every": 3600000, "keep_for": 3600000}]}, names="p")
        self.make("gone", client)
        client.one("PATCH", "file-systems", {"destroyed": True}, names="gone")
        before = [client.items("GET", path) for path in ("file-systems", "file-system-snapshots", "quotas/users", "policies", "admins")]
        self.assertEqual(sim.stop(), 0)
        sim = self.start("--state", state)
        client = flashblade_sim.Client(sim)
        after = [client.items("GET", path) for path in ("file-systems", "file-system-snapshots", "quotas/users", "policies", "admins")]
        for fs in before[0] + after[0]:
            fs.pop("time_remaining")
        self.assertEqual(after, before)
        sim.advance("25h")
        client.login()
        self.assertEqual([fs["name"] for fs in client.items("GET", "file-systems")], ["a"])

    def test_a_file_of_somebody_else_is_refused(self):
        with self.assertRaisesRegex(AssertionError, "(?s)ended with 2.*cannot be read"):
            self.start("--state", self.write("state.json", '{"a": 1}'))


if __name__ == "__main__":
    unittest.main()
