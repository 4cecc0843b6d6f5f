"""The Linux kernel's own NFS server, in a guest: the one that most sites have. Its exports are filesystems in memory."""
import os
import shutil
import tempfile
import unittest

import kernel_guest
import support

EXPORTS = {"/homes": "rw,no_root_squash", "/standing": "rw,no_root_squash", "/data": "ro,no_root_squash",
           "/squashed": "rw,root_squash", "/everybody": "rw,all_squash,anonuid=2000,anongid=2000"}


class LinuxServerTest(support.E2ETest):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("a server takes changes from low ports only, and so this test needs root")
        kernel_guest.require()
        cls.scratch = tempfile.mkdtemp(prefix="homeport-guest-")
        try:
            cls.nfs = kernel_guest.NfsServer(os.path.join(cls.scratch, "guest"), EXPORTS)
        except BaseException:
            shutil.rmtree(cls.scratch)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.nfs.close()
        shutil.rmtree(cls.scratch)

    def setUp(self):
        super().setUp()
        self.pool = self._testMethodName
        self.daemon = self.start_daemon(self.config("/homes"))

    def config(self, export, class_members="default_quota: 10GiB"):
        return f"""\
log: {{level: debug}}
desired:
  backends:
  - name: lab
    kind: nfs
    service: {{server: 127.0.0.1, nfs_port: {self.nfs.port}, mount_port: {self.nfs.mount_port}, timeout: 5s}}
    client: {{version: "4.2", port: {self.nfs.port}}}
    pools: [{{name: homes, export: {export}, directory: {self.pool}}}]
  classes:
  - {{name: std, backend: lab, {class_members}}}
  rules:
  - {{name: all, match: {{everyone: true}}, class: std}}
"""

    def cli(self, *arguments, code=0):
        done, out, err = self.run_program(
            support.binary("homeport"), *arguments,
            env={"HOMEPORT_URL": "http://" + self.daemon.address, "HOMEPORT_TOKEN": self.daemon.admin_token(),
                 "PATH": os.environ["PATH"], "HOME": self.directory})
        self.assertEqual(done, code, out + err)
        return out + err

    def call(self, status, method, target, body=None):
        answer = self.daemon.call(method, target, body)
        self.assertEqual(answer.status, status, answer)
        return answer.body

    def make(self, user, uid):
        return self.call(201, "PUT", f"/v1/homes/{user}?wait=20", {"uid": uid, "gid": uid})

    def facts(self, path):
        """uid:gid:mode, as the server itself has it."""
        return self.nfs.shell(f"stat -c %u:%g:%a '{path}'").strip()

    def test_the_life_of_a_home(self):
        self.assertIn("management:  ok\ndata:        ok", self.cli("backend", "probe", "lab"))
        home = self.make("alice", 3001)
        other = self.make("bob", 3002)
        self.assertEqual((self.facts(home["path"]), self.facts(other["path"])), ("3001:3001:700", "3002:3002:700"))
        self.assertEqual(self.facts("/homes/.homeport"), "0:0:700")
        # What nobody expects in a home: a link out of it, odd names, more entries than one answer holds.
        self.nfs.shell(f"cd {home['path']} && mkdir -p a/b /data/kept && ln -s /data/kept a/out && touch 'a/b/$(id)' a/b/-rf && "
                       "i=0; while [ $i -lt 700 ]; do echo $i >a/b/file-with-a-long-name-$i; i=$((i+1)); done; "
                       "touch /data/kept/stays")
        self.call(200, "POST", "/v1/homes/alice/retire?wait=20")
        self.assertNotIn(os.path.basename(home["path"]), self.nfs.shell(f"ls /homes/{self.pool}"))
        self.call(200, "POST", "/v1/homes/alice/undelete?wait=20")
        self.assertEqual(self.facts(home["path"]), "3001:3001:700")
        self.assertEqual(self.nfs.shell(f"ls {home['path']}/a/b | wc -l").strip(), "702")
        self.call(200, "POST", "/v1/homes/alice/retire?wait=20")
        self.cli("home", "purge", "alice", "--yes-purge", "alice", "--wait=60")
        self.assertEqual(self.nfs.shell("ls /homes/.homeport/trash"), "")
        self.assertEqual(self.nfs.shell("ls /data/kept"), "stays\n")
        self.assertEqual(self.facts(other["path"]), "3002:3002:700")

    def test_the_server_restarts_and_an_export_is_withdrawn(self):
        self.make("carol", 3003)
        self.nfs.shell("rpc.nfsd 0; rpc.nfsd 8")
        self.make("dave", 3004)
        self.nfs.shell("exportfs -u '*:/homes'")
        try:
            said = self.cli("home", "ensure", "erin", "--uid", "3005", "--gid", "3005", "--wait=5", code=20)
            self.assertIn("goes on", said)
        finally:
            self.nfs.shell("exportfs -a")
        self.cli("backend", "probe", "lab")
        self.cli("home", "ensure", "erin", "--uid", "3005", "--gid", "3005", "--wait=60")

    def test_exports_and_a_dataset(self):
        listed = self.cli("backend", "exports", "lab")
        for export in EXPORTS:
            self.assertIn(export, listed)
        self.nfs.shell("mkdir -p /data/iris && echo 5.1,3.5 >/data/iris/iris.csv")
        looked = self.cli("dataset", "import", "iris", "--backend", "lab", "--export", "/data/iris", "--dry-run")
        self.assertRegex(looked, r"entries: +1\b")
        self.assertRegex(looked, r"clients can write: +no")
        self.cli("dataset", "import", "iris", "--backend", "lab", "--export", "/data/iris")
        self.assertEqual(self.facts("/data/iris"), "0:0:755")

    def test_homes_that_stand_are_taken_over_untouched(self):
        self.nfs.shell("mkdir -p /standing/old/frank /standing/old/grace && chown 3006:3006 /standing/old/frank && "
                       "chown 3007:3007 /standing/old/grace && chmod 750 /standing/old/frank && echo x >/standing/old/frank/f")
        before = self.nfs.shell("find /standing/old -exec stat -c '%n %u %g %a %y' {} +")
        self.cli("home", "import", "--backend", "lab", "--base", "/standing/old", "--match", "{user}")
        self.assertEqual(self.nfs.shell("find /standing/old -exec stat -c '%n %u %g %a %y' {} +"), before)
        spec = self.call(200, "POST", "/v1/mountspecs",
                         {"hub": "main", "user": "frank", "identity": {"uid": 3006, "gid": 3006}})
        self.assertEqual(spec["mounts"][0]["source"]["export"], "/standing/old/frank")

    def test_a_copy_keeps_modes_that_a_change_of_owner_takes_away(self):
        source = tempfile.mkdtemp(prefix="homeport-copy-")
        self.addCleanup(shutil.rmtree, source)
        tool = os.path.join(source, "heidi", "tool")
        os.makedirs(os.path.dirname(tool))
        with open(tool, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n")
        for path in (os.path.dirname(tool), tool):
            os.chown(path, 3008, 3008)
        os.chmod(tool, 0o6755)
        self.cli("home", "import", "--backend", "lab", "--copy", "--from", source)
        home = self.call(200, "GET", "/v1/homes/heidi")
        self.assertEqual(self.facts(home["path"] + "/tool"), "3008:3008:6755")

    def test_squashed_exports_are_told_apart_with_the_line_to_change(self):
        for export in ("/squashed", "/everybody"):
            with self.subTest(export):
                self.daemon.stop()
                self.daemon = self.start_daemon(self.config(export), state="state" + export.replace("/", "-"))
                said = self.cli("backend", "probe", "lab", code=6)
                self.assertIn("management:  bad", said)
                self.assertIn(export, said)
                self.assertIn("no_root_squash", said)
                # A directory that takes everybody's files shows whose they become.
                self.nfs.shell(f"mkdir -p {export}/.homeport && chmod 777 {export}/.homeport")
                said = " ".join(self.cli("backend", "probe", "lab", code=6 if export == "/squashed" else 0).split())
                self.assertIn("root is uid 65534 there (root_squash)" if export == "/squashed" else
                              "everybody is uid 2000 there (all_squash)", said)


if __name__ == "__main__":
    unittest.main()
