"""The real homeportd with a memory backend: start, first use, standby, stop."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import ssl
import stat
import unittest

import support


class ServiceTest(support.E2ETest):
    def test_first_start_to_first_spec(self):
        daemon = self.start_daemon()
        self.assertEqual(daemon.call("GET", "/healthz", token=None).body, {"status": "ok"})
        token_file = os.path.join(daemon.state, "admin-token")
        self.assertEqual(stat.S_IMODE(os.stat(token_file).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(daemon.state).st_mode), 0o700)
        self.assertNotIn(daemon.token, daemon.log())

        made = daemon.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001})
        self.assertEqual(made.status, 201, made)
        self.assertEqual(made.body["state"], "ready")
        spawner = daemon.call("POST", "/v1/tokens", {"scope": "spawner", "hub": "main"}).body["token"]
        spec = daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"}, token=spawner)
        self.assertEqual(spec.status, 200, spec)
        self.assertEqual(spec.body["mounts"][0]["kind"], "home")
        self.assertEqual(daemon.call("GET", "/v1/homes", token=spawner).status, 403)
        self.assertEqual(daemon.call("GET", "/v1/homes", token=None).status, 401)
        self.assertIn("homeport_http_requests_total", daemon.call("GET", "/metrics", token=None).text)
        self.assertEqual(daemon.call("GET", "/v1/nothing").status, 404)
        self.assertEqual(daemon.call("GET", "/v1/openapi.json", token=None).body["openapi"], "3.1.0")

    def test_state_survives_a_stop(self):
        first = self.start_daemon()
        key = first.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001}).body["key"]
        self.assertEqual(first.stop(), 0, first.log())
        self.assertIn("stopped", first.log())
        second = self.start_daemon()
        self.assertEqual(second.call("GET", "/v1/homes/alice").body["key"], key)
        self.assertTrue(second.call("GET", "/v1/audit/verify").body["ok"])
        self.assertEqual(second.stop(), 0)

    def test_an_interrupt_ends_it_in_order(self):
        daemon = self.start_daemon()
        daemon.send_signal(signal.SIGINT)
        self.assertEqual(daemon.wait(), 0, daemon.log())

    def test_second_instance_stands_by_and_takes_over(self):
        first = self.start_daemon(config="lease: {length: 6s}\n" + support.MEMORY_CONFIG)
        second = self.start_daemon(config="lease: {length: 6s}\n" + support.MEMORY_CONFIG, ready=False).wait_listening()
        second.token = first.token
        standing = support.wait_until(
            lambda: (lambda a: a if a.body["status"] == "standby" else None)(second.call("GET", "/readyz", token=None)),
            "the second stands by")
        self.assertEqual(standing.status, 503)
        refused = second.call("GET", "/v1/homes")
        self.assertEqual(refused.status, 503)
        self.assertIn("takes over", refused.body["hint"])
        self.assertEqual(second.call("GET", "/healthz", token=None).status, 200)
        self.assertEqual(first.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001}).status, 201)
        first.stop()
        second.wait_ready()
        self.assertEqual(second.call("GET", "/v1/homes/alice").status, 200)

    def test_who_lost_the_lease_ends_at_once(self):
        config = "lease: {length: 6s}\n" + support.MEMORY_CONFIG
        first = self.start_daemon(config=config)
        first.send_signal(signal.SIGSTOP)
        second = self.start_daemon(config=config)  # the lease runs out while the first sleeps
        first.send_signal(signal.SIGCONT)
        self.assertEqual(first.wait(), 75, first.log())
        self.assertIn("lease is lost", first.log())
        self.assertEqual(second.call("GET", "/v1/homes").status, 200)

    def test_after_a_kill_the_next_start_serves(self):
        config = "lease: {length: 6s}\n" + support.MEMORY_CONFIG
        first = self.start_daemon(config=config)
        self.assertEqual(first.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001}).status, 201)
        first.kill()
        second = self.start_daemon(config=config)
        self.assertEqual(second.call("GET", "/v1/homes/alice").status, 200)

    def test_backup_and_restore(self):
        daemon = self.start_daemon()
        key = daemon.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001}).body["key"]
        backup = self.path("backup.db")
        done = daemon.call("POST", "/v1/state/backup", {"file": backup})
        self.assertEqual(done.status, 200, done)
        self.assertEqual(done.body["bytes"], os.path.getsize(backup))
        daemon.call("PUT", "/v1/homes/bob", {"uid": 1002, "gid": 1002})
        staged = daemon.call("POST", "/v1/state/restore", {"file": backup})
        self.assertTrue(staged.body["staged"], staged)
        daemon.stop()
        again = self.start_daemon()
        self.assertEqual(again.call("GET", "/v1/homes/alice").body["key"], key)
        self.assertEqual(again.call("GET", "/v1/homes/bob").status, 404)
        again.stop()
        code, out, err = self.run_program(support.binary("homeportd"), "--state", daemon.state, "--restore", backup)
        self.assertEqual(code, 0, err)
        self.assertIn("is staged", out)

    def findings(self, daemon):
        return "\n".join(f["level"] + ": " + f["what"] for f in daemon.call("GET", "/v1/doctor").body["findings"])

    def test_a_desired_section_that_does_not_fit_the_state(self):
        daemon = self.start_daemon(config="desired:\n  classes:\n  - {name: std, backend: nowhere}\n")
        self.assertIn("nowhere", daemon.log())
        self.assertIn("error: the configuration's desired section is not in force", self.findings(daemon))
        self.assertIn("homeport doctor", daemon.call("GET", "/readyz", token=None).body["detail"])
        self.assertIn("homeport_configuration_problems 1", daemon.call("GET", "/metrics", token=None).text)
        daemon.stop()
        mended = self.start_daemon()
        self.assertIsNone(mended.call("GET", "/readyz", token=None).body["detail"])
        self.assertEqual(mended.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001}).status, 201)

    def test_damaged_rows_do_not_keep_it_from_starting(self):
        for number, table in enumerate(("backends", "classes", "rules", "grants")):
            with self.subTest(table=table):
                state = f"state-{number}"
                daemon = self.start_daemon(state=state)
                self.assertEqual(daemon.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001}).status, 201)
                daemon.call("PUT", "/v1/datasets/sets", {"backend": "lab", "path": "/data/sets"})
                daemon.call("POST", "/v1/datasets/sets/grants", {"subject_kind": "everyone"})
                self.assertEqual(daemon.stop(), 0)
                with contextlib.closing(sqlite3.connect(os.path.join(daemon.state, "homeport.db"))) as db:
                    self.assertEqual(db.execute(f"UPDATE {table} SET doc = '{{'").rowcount, 1)
                    db.commit()
                again = self.start_daemon(state=state)
                self.assertEqual(again.call("GET", "/v1/homes/alice").status, 200)
                findings = self.findings(again)
                self.assertIn("error: a row cannot be read: " + table, findings)
                self.assertEqual("is not in force" in findings, table != "grants", findings)
                again.stop()

    def test_hangup_reads_the_log_level_again(self):
        daemon = self.start_daemon()
        config = self.path("config-1.yaml")
        with open(config, encoding="utf-8") as f:
            text = f.read()
        self.write("config-1.yaml", text.replace("debug", "oddly"))
        daemon.send_signal(signal.SIGHUP)
        support.wait_until(lambda: "not read again" in daemon.log(), "the wrong file is reported")
        self.assertEqual(daemon.call("GET", "/v1/homes").status, 200)

    def certificate(self, name):
        """Writes NAME as the certificate in use, self-signed, as an admin's renewal would."""
        code, _, error = self.run_program(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.path("tls.key"),
            "-out", self.path("tls.crt"))
        self.assertEqual(code, 0, error)
        os.chmod(self.path("tls.key"), 0o600)

    def served_name(self, daemon):
        """Asks for /healthz over TLS, verified against the file, and gives the name in the certificate shown."""
        host, port = daemon.address.rsplit(":", 1)
        trust = ssl.create_default_context(cafile=self.path("tls.crt"))
        connection = http.client.HTTPSConnection(host, int(port), timeout=support.PATIENCE, context=trust)
        try:
            connection.request("GET", "/healthz")
            self.assertEqual(connection.getresponse().status, 200)
            return dict(item[0] for item in connection.sock.getpeercert()["subject"])["commonName"]
        finally:
            connection.close()

    def test_hangup_reads_the_certificate_again(self):
        self.certificate("first")
        listen = f"listen: {{tls: {{certificate: {self.path('tls.crt')}, key: {{file: {self.path('tls.key')}}}}}}}\n"
        daemon = self.start_daemon(config=listen + support.MEMORY_CONFIG, ready=False).wait_listening()
        self.assertEqual(self.served_name(daemon), "first")
        self.certificate("second")
        with self.assertRaises(ssl.SSLCertVerificationError):   # still the old one
            self.served_name(daemon)
        daemon.send_signal(signal.SIGHUP)
        def renewed():
            try:
                return self.served_name(daemon)
            except ssl.SSLCertVerificationError:
                return None
        self.assertEqual(support.wait_until(renewed, "the new certificate is served"), "second")
        # A broken renewal keeps what works, and says so.
        shutil.copy(self.path("tls.crt"), self.path("tls.crt.kept"))
        self.write("tls.crt", "no certificate\n")
        daemon.send_signal(signal.SIGHUP)
        support.wait_until(lambda: "certificate was not read again" in daemon.log(), "the broken file is reported")
        os.replace(self.path("tls.crt.kept"), self.path("tls.crt"))
        self.assertEqual(self.served_name(daemon), "second")

    def test_events_resume(self):
        daemon = self.start_daemon()
        daemon.call("PUT", "/v1/homes/alice", {"uid": 1001, "gid": 1001})
        host, port = daemon.address.rsplit(":", 1)
        import http.client
        connection = http.client.HTTPConnection(host, int(port), timeout=support.PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/events?after=0", headers={"Authorization": "Bearer " + daemon.token})
        response = connection.getresponse()
        self.assertEqual(response.getheader("Content-Type"), "text/event-stream")
        seen = []
        while len(seen) < 3:
            line = response.readline().decode()
            self.assertNotEqual(line, "")
            if line.startswith("data: "):
                seen.append(json.loads(line[6:])["seq"])
        self.assertEqual(seen, sorted(seen))
        daemon.call("PUT", "/v1/homes/bob", {"uid": 1002, "gid": 1002})
        line = ""
        while '"aliases"' not in line or int(json.loads(line[6:])["seq"]) <= seen[-1]:
            line = response.readline().decode()
            self.assertNotEqual(line, "")
            if not line.startswith("data: "):
                line = ""


class RefusedStartTest(support.E2ETest):
    def test_address_in_use(self):
        first = self.start_daemon()
        code, _, err = self.run_program(support.binary("homeportd"), "--state", self.path("other"), "--listen", first.address)
        self.assertEqual(code, 1)
        self.assertIn(first.address, err)
        self.assertIn("hint:", err)

    def test_check_config(self):
        homeportd = support.binary("homeportd")
        good = self.write("good.yaml", support.MEMORY_CONFIG)
        code, out, err = self.run_program(homeportd, "--check-config", good)
        self.assertEqual((code, out), (0, good + " is valid\n"), err)
        bad = self.write("bad.yaml", "listen: {port: 7}\nlog: {level: loud}\ndesired:\n  backends:\n  - name: a\n"
                                     "    kind: memory\n    pools: [{nam: x}]\n")
        code, out, err = self.run_program(homeportd, "--check-config", bad)
        self.assertEqual(code, 2)
        for line in ("line 1", "line 2", "line 7"):
            self.assertIn(line, err)
        self.assertEqual(out, "")
        code, _, err = self.run_program(homeportd, "--config", bad, "--state", self.path("s"))
        self.assertEqual(code, 2)
        self.assertIn("line 7", err)
        self.assertFalse(os.path.exists(self.path("s")))
        code, _, err = self.run_program(homeportd, "--check-config", self.path("absent.yaml"))
        self.assertEqual(code, 2)
        self.assertIn("absent.yaml", err)

    def test_wrong_options(self):
        homeportd = support.binary("homeportd")
        self.assertEqual(self.run_program(homeportd, "--nonsense")[0], 2)
        self.assertEqual(self.run_program(homeportd, "--listen", "nowhere", "--state", self.path("s"))[0], 2)
        code, out, _ = self.run_program(homeportd, "--version")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("homeportd "))
        self.assertEqual(self.run_program(homeportd, "--help")[0], 0)



if __name__ == "__main__":
    unittest.main()
