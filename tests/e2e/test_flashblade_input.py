"""What an admin may get wrong about an array, and what Homeport says then. Each message is one to act on."""
import http.server
import os
import threading
import unittest

import flashblade_service
import support


class NoArray(http.server.BaseHTTPRequestHandler):
    """A web server of somebody else's."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>Welcome to nginx!</html>")

    def log_message(self, *_):
        pass


class ConnectionTest(flashblade_service.ArrayServiceTest):
    def said(self, **settings):
        """The one failed check of a probe with that configuration."""
        daemon = self.start_daemon(self.config(**settings))
        checks = self.failed_checks(daemon)
        self.assertEqual(len(checks), 1, checks)
        # The service serves all the same, and says the same of itself.
        self.assertEqual(daemon.call("GET", "/readyz").status, 200)
        name, (detail, hint) = next(iter(checks.items()))
        daemon.stop()
        return name, detail, hint

    def test_wrong_token(self):
        name, detail, hint = self.said(token="T-00000000-0000-0000-0000-000000000000")
        self.assertEqual(name, "management: login")
        self.assertIn("does not accept the API token in file", detail)
        self.assertIn("pureadmin create --api-token", hint)
        self.assertNotIn("T-0000", detail + hint)

    def test_wrong_ca(self):
        name, detail, hint = self.said(ca_file="/etc/ssl/certs/ca-certificates.crt")
        self.assertEqual(name, "management: login")
        self.assertIn("certificate", detail)
        self.assertIn("is '/etc/ssl/certs/ca-certificates.crt' the certificate of its CA", hint)

    def test_name_mismatch(self):
        # Linux connects 0.0.0.0 to itself, and no certificate is for it.
        port = self.sim.ready["https"].rsplit(":", 1)[1]
        name, detail, hint = self.said(url=f"https://0.0.0.0:{port}")
        self.assertEqual(name, "management: login")
        self.assertIn("certificate", detail)
        self.assertIn("0.0.0.0", detail)
        self.assertIn("name", detail + hint)

    def test_plain_http_port(self):
        name, detail, hint = self.said(url="https://" + self.sim.ready["http"])
        self.assertEqual(name, "management: login")
        self.assertIn("TLS", detail)
        self.assertIn("port", hint)

    def test_tls_port_asked_plainly(self):
        name, detail, hint = self.said(url="http://" + self.sim.ready["https"], plain_http=True)
        self.assertEqual(name, "management: login")
        self.assertIn("closed the connection", detail)
        self.assertIn("write https:// in management.url", hint)

    def test_an_address_that_is_not_an_array(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoArray)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        name, detail, hint = self.said(url=f"http://127.0.0.1:{server.server_port}", plain_http=True)
        self.assertEqual(name, "management: login")
        self.assertIn("is no FlashBlade", detail)
        self.assertIn("management.url", hint)

    def test_nobody_listens(self):
        name, detail, hint = self.said(url=f"https://127.0.0.1:{support.free_port()}")
        self.assertEqual(name, "management: login")
        self.assertIn("refused", detail.lower())

    def test_an_unknown_rest_version(self):
        self.sim.set(api_versions=["1.0", "1.12", "3.1"])
        name, detail, hint = self.said()
        self.assertEqual(name, "management: login")
        self.assertIn("1.0, 1.12, 3.1", detail)
        self.assertTrue(hint)

    def test_a_data_address_that_does_not_answer(self):
        closed = support.free_port()
        name, detail, hint = self.said(data=f"address: 127.0.0.1, nfs_port: {closed}, mount_port: {closed}, timeout: 1s")
        self.assertEqual(name, "data: NFSv3")
        self.assertIn("127.0.0.1", detail)
        self.assertIn("data.address is where the array serves NFS", hint)

    def test_a_home_is_not_half_made_without_the_data_address(self):
        closed = support.free_port()
        daemon = self.start_daemon(self.config(data=f"address: 127.0.0.1, nfs_port: {closed}, mount_port: {closed}, timeout: 1s"))
        answer = daemon.call("PUT", "/v1/homes/alice?wait=3", {"uid": 4001, "gid": 4001})
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(self.home_of("alice", daemon)["state"], "creating")
        self.assertEqual(self.login(daemon, "alice").status, 202)


class RequestTest(flashblade_service.ArrayServiceTest):
    def test_quotas(self):
        daemon = self.start_daemon(self.config())
        for call in (daemon.call("PUT", "/v1/homes/alice?wait=25", {"uid": 4001, "gid": 4001, "quota": "0"}),):
            self.assertEqual(call.status, 400, call)
            self.assertIn("a quota of 0 would let nobody write", call.text)
        home = self.made(daemon, "alice", 4001)
        zero = daemon.call("PATCH", "/v1/homes/alice?wait=20", {"quota": "0"})
        self.assertEqual(zero.status, 400, zero)
        with open(self.path("data", "fs", home["path"].lstrip("/"), "big"), "wb") as f:
            f.write(b"x" * (3 << 20))
        below = daemon.call("PATCH", "/v1/homes/alice?wait=20", {"quota": "1MiB"})
        self.assertEqual(below.status, 507, below)
        self.assertIn("uses 3MiB, more than 1MiB", below.text)
        self.assertIn("force", below.text)
        self.assertEqual(self.file_systems()[home["path"].lstrip("/")]["provisioned"], 1 << 30)
        forced = daemon.call("PATCH", "/v1/homes/alice?wait=20&force=true", {"quota": "1MiB"})
        self.assertEqual(forced.status, 200, forced)
        self.assertEqual(self.file_systems()[home["path"].lstrip("/")]["provisioned"], 1 << 20)

    def test_names_too_long(self):
        daemon = self.start_daemon(self.config())
        answer = self.ensure(daemon, "a" * 300, 4001)
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("255", answer.text)
        long_name = "hp-" + "p" * 70
        config = self.write("long.yaml", self.config().replace("file_system: hp-pool-1", f"file_system: {long_name}"))
        code, out, err = self.run_program(support.binary("homeportd"), "--check-config", config)
        self.assertEqual(code, 2, out + err)
        self.assertIn("is no name of a file system", out + err)
        self.assertIn("63", out + err)

    def test_somebody_elses_administrative_file_system(self):
        self.make("hp-admin", nfs={"rules": "127.0.0.1(rw,no_root_squash)", "v3_enabled": True, "v4_1_enabled": True})
        os.chown(self.path("data", "fs", "hp-admin"), 1234, 1234)
        daemon = self.start_daemon(self.config())
        answer = self.ensure(daemon, "alice", 4001)
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("the administrative file system belongs to uid 1234, not to root", answer.text)
        self.assertIn("somebody else made it", answer.text)
        self.assertEqual([name for name in self.file_systems() if name.startswith("hp-h-")], [])

    def test_somebody_elses_pool(self):
        self.make("hp-pool-1", nfs={"rules": "*(rw,no_root_squash)", "v3_enabled": True, "v4_1_enabled": True})
        daemon = self.start_daemon(self.config())
        self.made(daemon, "first", 4000)
        answer = self.login(daemon, "bob", groups=["students"], identity={"uid": 4002, "gid": 4002})
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("file system hp-pool-1 of pool shared lets everybody in", answer.text)
        self.assertIn("name networks", answer.text)

    def test_a_home_that_is_replaced_behind_our_back(self):
        daemon = self.start_daemon(self.config())
        home = self.made(daemon, "alice", 4001)
        name = home["path"].lstrip("/")
        self.sim.act("replace", file_system=name)
        answer = daemon.call("PATCH", "/v1/homes/alice?wait=20", {"quota": "2GiB"})
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("is not space " + home["key"], answer.text)
        self.assertIn("its id is", answer.text)
        answer = daemon.call("POST", "/v1/homes/alice/retire?wait=20")
        self.assertEqual(answer.status, 422, answer)
        self.assertFalse(self.file_systems()[name]["destroyed"])

    def test_safe_mode_refuses_eradication(self):
        daemon = self.start_daemon(self.config(eradicate=True))
        home = self.made(daemon, "alice", 4001)
        self.sim.set(manual_eradication="all-disabled")
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/retire?wait=20").status, 200)
        self.sim.control("POST", "/sessions/expire")  # what the array is like is learned at each login
        answer = daemon.call("POST", "/v1/homes/alice/purge?wait=20", {"confirm": "alice"})
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("the array does not let anybody eradicate " + home["backend_name"] + ": SafeMode is on", answer.text)
        self.assertIn("write eradicate: false", answer.text)
        self.assertFalse(self.file_systems()[home["backend_name"]]["destroyed"])
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/undelete?wait=20").status, 200)


class ExtraTimeTest(flashblade_service.ArrayServiceTest):
    """Purged with `eradicate: false`: the array keeps it until its own timer ends."""

    def purge(self, daemon, user):
        self.assertEqual(daemon.call("POST", f"/v1/homes/{user}/retire?wait=20").status, 200)
        answer = daemon.call("POST", f"/v1/homes/{user}/purge?wait=20", {"confirm": user})
        self.assertEqual(answer.status, 200, answer)

    def test_it_stays_visible_and_comes_back(self):
        daemon = self.start_daemon(self.config())
        home = self.made(daemon, "alice", 4001)
        thesis = self.path("data", "fs", home["backend_name"], "thesis")
        with open(thesis, "w", encoding="ascii") as f:
            f.write("all my work")
        self.purge(daemon, "alice")
        self.assertTrue(self.file_systems()[home["backend_name"]]["destroyed"])
        listed = daemon.call("GET", "/v1/homes").body["items"]
        self.assertEqual([(one["key"], one["state"]) for one in listed], [(home["key"], "purged")])
        self.assertIsNotNone(listed[0]["recoverable_until"])
        gone = daemon.call("GET", "/v1/homes/alice")
        self.assertEqual(gone.status, 404)
        self.assertIn(f"homeport home undelete {home['key']}", gone.text)
        daemon.kill()
        daemon = self.start_daemon(self.config())  # it is remembered
        back = daemon.call("POST", f"/v1/homes/{home['key']}/undelete?wait=20")
        self.assertEqual(back.status, 200, back)
        now = self.home_of("alice", daemon)
        self.assertEqual((now["key"], now["state"], now["recoverable_until"]), (home["key"], "ready", None))
        item = self.file_systems()[home["backend_name"]]
        self.assertEqual((item["destroyed"], item["nfs"]["v3_enabled"]), (False, True))
        self.assertIn("10.20.0.0/16", item["nfs"]["rules"])
        with open(thesis, encoding="ascii") as f:
            self.assertEqual(f.read(), "all my work")
        self.assertEqual(self.login(daemon, "alice").status, 200)

    def test_a_new_home_in_its_place_is_not_pushed_aside(self):
        daemon = self.start_daemon(self.config())
        old = self.made(daemon, "alice", 4001)
        self.purge(daemon, "alice")
        new = self.made(daemon, "alice", 4001)
        self.assertNotEqual(new["key"], old["key"])
        refused = daemon.call("POST", f"/v1/homes/{old['key']}/undelete?wait=20")
        self.assertEqual(refused.status, 409, refused)
        self.assertIn("was made anew meanwhile (" + new["key"], refused.text)
        self.assertTrue(self.file_systems()[old["backend_name"]]["destroyed"])
        self.purge(daemon, "alice")
        self.assertEqual(daemon.call("POST", f"/v1/homes/{old['key']}/undelete?wait=20").status, 200)
        self.assertEqual(self.home_of("alice", daemon)["key"], old["key"])

    def test_after_the_timer_it_is_gone_and_said_to_be(self):
        self.sim.set(eradication_delay_ms=1500)
        daemon = self.start_daemon(self.config())
        home = self.made(daemon, "alice", 4001)
        self.purge(daemon, "alice")
        def refused():
            answer = daemon.call("POST", f"/v1/homes/{home['key']}/undelete?wait=20")
            return answer if "removed it for good" in answer.text else None
        if home["backend_name"] in self.file_systems():
            support.wait_until(lambda: home["backend_name"] not in self.file_systems(), "the timer ends")
        answer = support.wait_until(refused, "it is refused in words")
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("backup", answer.text)
        self.assertEqual(daemon.call("GET", "/v1/homes").body["items"], [])

    def test_eradicated_early_by_somebody(self):
        daemon = self.start_daemon(self.config())
        home = self.made(daemon, "alice", 4001)
        self.purge(daemon, "alice")
        self.sim.act("eradicate", file_system=home["backend_name"])
        answer = daemon.call("POST", f"/v1/homes/{home['key']}/undelete?wait=20")
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertIn("the array has no file system", answer.text)
        self.assertIn("backup", answer.text)


if __name__ == "__main__":
    unittest.main()
