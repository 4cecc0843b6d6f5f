"""People from a real LDAP server: logins by a hub that knows only names, also while the directory is away."""
import json
import os
import subprocess
import unittest

import support

PEOPLE = {"alice": (5001, 6000), "bob": (5002, 6000), "daemon": (33, 33), "twin": (5001, 6000)}
GROUPS = {"staff": (6000, []), "course-a": (6001, ["alice"]),
          **{f"g{i}": (7000 + i, ["bob"]) for i in range(20)}}


def ldif():
    out = ["dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n",
           "dn: ou=groups,dc=example,dc=org\nobjectClass: organizationalUnit\nou: groups\n"]
    for name, (uid, gid) in PEOPLE.items():
        out.append(f"dn: uid={name},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nsn: x\n"
                   f"uid: {name}\ncn: {name}\nuidNumber: {uid}\ngidNumber: {gid}\nhomeDirectory: /home/{name}\n")
    for name, (gid, members) in GROUPS.items():
        out.append(f"dn: cn={name},ou=groups,dc=example,dc=org\nobjectClass: posixGroup\ncn: {name}\n"
                   f"gidNumber: {gid}\n" + "".join(f"memberUid: {m}\n" for m in members))
    return "\n".join(out)


class LdapServer:
    """OpenLDAP through the program slapd-for-tests. close() ends it and removes its files."""

    def __init__(self):
        self.process = subprocess.Popen([support.binary("slapd-for-tests")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(ldif() + "\n.\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the LDAP server did not start")
        self.told = json.loads(line)

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer.startswith("failed"):
            raise AssertionError(f"the LDAP server, told to {line}: {answer}")
        return answer

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(support.PATIENCE)
        self.process.stdout.close()


class IdentityTest(support.E2ETest):
    def setUp(self):
        super().setUp()
        self.ldap = LdapServer()
        self.addCleanup(self.ldap.close)

    def config(self, more="", order="[static, ldap, assigned]", cache="", ca=None):
        told = self.ldap.told
        password = self.write("ldap-password", told["password"] + "\n")
        os.chmod(password, 0o600)
        return support.MEMORY_CONFIG + f"""\
identity:
  order: {order}
  static: {{service-account: {{uid: 4001, gid: 4001, groups: [robots]}}}}
  ldap:
    urls: [{told['ldaps']}]
    base: {told['suffix']}
    bind_dn: {told['bind_dn']}
    bind_password: {{file: {password}}}
    tls: {{ca_file: {ca or told['ca_file']}}}
    timeout: 2s
    retry_after: 1s
  assigned: {{from: 200000, to: 200099}}
{cache}"""

    def login(self, daemon, user, **more):
        return daemon.call("POST", "/v1/mountspecs?wait=20", {"hub": "main", "user": user, **more})

    def test_a_hub_that_knows_only_names(self):
        daemon = self.start_daemon(self.config())
        alice = self.login(daemon, "alice")
        self.assertEqual(alice.status, 200, alice)
        self.assertEqual((alice.body["identity"]["uid"], alice.body["identity"]["gid"]), (5001, 6000))
        self.assertEqual(alice.body["identity"]["supplemental_gids"], [6001])
        self.assertIn("course-a", alice.body["subject"]["groups"])
        # A cold login asks at most twice, a warm one not at all.
        self.assertLessEqual(int(self.ldap.order("searches")), 2)
        for _ in range(10):
            self.assertEqual(self.login(daemon, "alice").status, 200)
        self.assertLessEqual(int(self.ldap.order("searches")), 2)

        robot = self.login(daemon, "service-account")
        self.assertEqual(robot.body["identity"]["uid"], 4001, robot)
        guest = self.login(daemon, "guest")  # nobody knows guest
        self.assertEqual(guest.body["identity"]["uid"], 200000, guest)
        self.assertEqual(self.login(daemon, "guest").body["identity"]["uid"], 200000)

        _, shown, _ = self.run_program(support.binary("homeport"), "user", "show", "alice",
                                       env=self.cli_environment(daemon))
        for words in ("ids from", "ldap", "course-a", "6001"):
            self.assertIn(words, shown)

    def cli_environment(self, daemon):
        return {**os.environ, "HOMEPORT_URL": f"http://{daemon.address}", "HOMEPORT_TOKEN": daemon.admin_token(),
                "HOME": self.path()}

    def test_more_groups_than_nfs_carries_is_a_notice(self):
        daemon = self.start_daemon(self.config())
        bob = self.login(daemon, "bob")
        self.assertEqual(bob.status, 200, bob)
        self.assertEqual(len(bob.body["identity"]["supplemental_gids"]), 16)
        self.assertIn("too-many-groups", [n["code"] for n in bob.body["notices"]])
        self.assertEqual(len([g for g in bob.body["subject"]["groups"] if g.startswith("g")]), 20)

    def test_uids_that_no_person_has_and_a_uid_twice(self):
        daemon = self.start_daemon(self.config())
        daemon_user = self.login(daemon, "daemon")
        self.assertEqual(daemon_user.status, 422, daemon_user)
        self.assertIn("ldap gives daemon uid 33, which belongs to the system", daemon_user.text)
        self.assertEqual(self.login(daemon, "alice").status, 200)
        twin = self.login(daemon, "twin")
        self.assertEqual(twin.status, 409, twin)
        self.assertIn("homeport user rename", twin.body["hint"])
        findings = [f["what"] for f in daemon.call("GET", "/v1/doctor").body["findings"]]
        self.assertTrue(any(f.startswith("twin is kept out") for f in findings), findings)
        # The admin's word: it is the same person.
        code, _, problem = self.run_program(support.binary("homeport"), "user", "rename", "alice", "twin",
                                            env=self.cli_environment(daemon))
        self.assertEqual(code, 0, problem)
        after = self.login(daemon, "twin")
        self.assertEqual(after.status, 200, after)
        self.assertEqual(self.login(daemon, "alice").body["mounts"], after.body["mounts"])

    def test_the_directory_is_killed_and_comes_back(self):
        daemon = self.start_daemon(self.config(cache="  cache: {ttl: 1s, negative_ttl: 0s, stale: 0s}\n"))
        self.assertEqual(self.login(daemon, "alice").status, 200)
        self.ldap.order("stop")
        # Known people get in, also after a restart of the service; nobody new gets a uid that may not be theirs.
        daemon.stop()
        daemon = self.start_daemon(self.config(cache="  cache: {ttl: 1s, negative_ttl: 0s, stale: 0s}\n"))
        alice = self.login(daemon, "alice")
        self.assertEqual(alice.status, 200, alice)
        self.assertEqual(alice.body["identity"]["supplemental_gids"], [6001])
        bob = self.login(daemon, "bob")
        self.assertEqual(bob.status, 503, bob)
        self.assertIn("ldap", bob.text)
        findings = [f["what"] for f in daemon.call("GET", "/v1/doctor").body["findings"]]
        self.assertTrue(any(f.startswith("identity source ldap") for f in findings), findings)
        self.ldap.order("start")
        back = support.wait_until(lambda: (lambda a: a if a.status == 200 else None)(self.login(daemon, "bob")),
                                  "the directory is asked again")
        self.assertEqual(back.body["identity"]["uid"], 5002)

    def test_a_hanging_directory_keeps_nobody_known_waiting(self):
        daemon = self.start_daemon(self.config(cache="  cache: {ttl: 1s, negative_ttl: 0s, stale: 0s}\n"))
        self.assertEqual(self.login(daemon, "alice").status, 200)
        self.ldap.order("pause")
        try:
            def kept():
                answer = self.login(daemon, "alice")
                self.assertEqual(answer.status, 200, answer)
                return "identity_kept" in daemon.log()
            support.wait_until(kept, "alice is answered with what is kept")
            # Others do not notice.
            self.assertEqual(daemon.call("GET", "/v1/homes").status, 200)
            self.assertEqual(self.login(daemon, "carol").status, 503)
        finally:
            self.ldap.order("resume")

    def test_a_wrong_ca_is_said_by_the_doctor_and_refuses_new_people(self):
        daemon = self.start_daemon(self.config(ca=self.ldap.told["ca_file"].replace("ca.pem", "other-ca.pem")))
        alice = self.login(daemon, "alice")
        self.assertEqual(alice.status, 503, alice)
        self.assertIn("certificate", alice.body["hint"])
        findings = daemon.call("GET", "/v1/doctor").body["findings"]
        self.assertTrue(any("no TLS that can be trusted" in f["what"] and "certificate" in f["hint"] for f in findings),
                        findings)

    def test_a_wrong_section_is_named_with_its_lines(self):
        config = self.write("bad.yaml", support.MEMORY_CONFIG + "identity:\n  order: [assigned, request]\n  nss: {timeout: 1h}\n")
        code, _, problems = self.run_program(support.binary("homeportd"), "--check-config", config)
        self.assertEqual(code, 2)
        for words in ("/identity/order", "there is no identity.assigned", "/identity/nss", "line "):
            self.assertIn(words, problems)


if __name__ == "__main__":
    unittest.main()
