"""flashblade-sim --data: file systems are real directories that mount over NFS from a real NFS-Ganesha. Needs root."""
import os
import subprocess
import unittest

import flashblade_sim
import support


class DataTest(flashblade_sim.SimulatorTest):
    def setUp(self):
        super().setUp()
        self.data = os.path.join(self.directory, "data")
        os.chmod(self.directory, 0o755)
        self.sim = self.start("--data", self.data)
        self.client = flashblade_sim.Client(self.sim)

    def url(self, path, version=3):
        ready = self.sim.ready
        return f"nfs://127.0.0.1{path}?version={version}&nfsport={ready['nfs_port']}&mountport={ready['mount_port']}"

    def nfs(self, program, *words):
        """The output, or None where it failed."""
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=support.PATIENCE)
        return done.stdout if done.returncode == 0 else None

    def put(self, name, text, fs="a"):
        file = self.write(name, text)
        self.assertIsNotNone(self.nfs("nfs-cp", file, self.url(f"/{fs}/{name}")))

    def get(self, path, version=3):
        return self.nfs("nfs-cat", self.url(path, version))

    def test_a_file_system_mounts_with_both_versions(self):
        self.make("a")
        self.put("hello", "world\n")
        for version in (3, 4):
            with self.subTest(version=version):
                self.assertEqual(self.get("/a/hello", version), "world\n")
                self.assertIn("hello", self.nfs("nfs-ls", self.url("/a", version)))
        self.assertIsNone(self.nfs("nfs-ls", self.url("/none")))

    def test_usage_is_that_of_the_files(self):
        self.make("a")
        self.put("f", "x" * 1000)
        root = os.path.join(self.data, "fs", "a")
        os.chown(os.path.join(root, "f"), 3001, 3002)
        support.wait_until(lambda: self.client.one("GET", "file-systems", names="a")["space"]["virtual"] == 1000, "it is measured")
        self.assertEqual([(u["user"]["id"], u["usage"]) for u in self.client.items("GET", "usage/users", file_system_names="a")],
                         [(3001, 1000)])

    def test_snapshots_can_be_read_and_restored(self):
        self.make("a")
        self.put("f", "one\n")
        os.chmod(os.path.join(self.data, "fs", "a"), 0o710)
        self.client.one("POST", "file-system-snapshots", {"suffix": "s1"}, source_names="a")
        with open(os.path.join(self.data, "fs", "a", "f"), "w", encoding="ascii") as f:
            f.write("two, longer\n")
        self.put("g", "new\n")
        for version in (3, 4):
            self.assertEqual(self.get("/a/.snapshot/s1/f", version), "one\n")
        self.client.one("POST", "file-systems", {"source": {"name": "a.s1"}}, names="a", overwrite="true",
                        discard_non_snapshotted_data="true")
        self.assertEqual((self.get("/a/f"), self.get("/a/g")), ("one\n", None))
        self.assertEqual(os.stat(os.path.join(self.data, "fs", "a")).st_mode & 0o777, 0o710)
        self.client.one("POST", "file-systems", {"source": {"name": "a.s1"}}, names="copy", include_snapshot="true")
        self.assertEqual(self.get("/copy/f"), "one\n")

    def test_the_snapshot_directory_can_be_hidden(self):
        self.make("a", snapshot_directory_enabled=False)
        self.put("f", "one\n")
        self.client.one("POST", "file-system-snapshots", {"suffix": "s1"}, source_names="a")
        self.assertIsNone(self.get("/a/.snapshot/s1/f"))
        self.client.one("PATCH", "file-systems", {"snapshot_directory_enabled": True}, names="a")
        self.assertEqual(self.get("/a/.snapshot/s1/f"), "one\n")
        self.client.one("PATCH", "file-system-snapshots", {"destroyed": True}, names="a.s1")
        self.client.call("DELETE", "file-system-snapshots", names="a.s1")
        self.assertIsNone(self.get("/a/.snapshot/s1/f"))

    def test_destroyed_files_are_out_of_reach_until_they_are_recovered(self):
        self.make("a")
        self.put("f", "kept\n")
        self.client.one("POST", "file-system-snapshots", {"suffix": "s1"}, source_names="a")
        self.client.one("PATCH", "file-systems", {"destroyed": True}, names="a")
        self.assertIsNone(self.get("/a/f", version=4))
        self.nfs("nfs-ls", self.url("/"))  # a v3 mount alone does not make the server look at its root again
        self.assertIsNone(self.get("/a/f"))
        self.client.one("PATCH", "file-systems", {"destroyed": False}, names="a")
        self.assertEqual(self.get("/a/f"), "kept\n")
        self.client.one("PATCH", "file-systems", {"name": "b"}, names="a")
        self.assertEqual(self.get("/b/.snapshot/s1/f"), "kept\n")
        self.client.one("PATCH", "file-systems", {"destroyed": True}, names="b")
        self.client.call("DELETE", "file-systems", names="b")
        self.assertEqual(os.listdir(os.path.join(self.data, "fs")), [])
        self.assertEqual(os.listdir(os.path.join(self.data, "destroyed")), [])
        self.assertEqual(self.sim.control("GET", "/state")["failed_data_steps"], 0)

    def test_the_server_ends_with_the_simulator(self):
        with open(os.path.join(self.data, "run", "ganesha.pid"), encoding="ascii") as f:
            pid = int(f.read())
        os.kill(pid, 0)
        self.assertEqual(self.sim.stop(), 0)
        support.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "NFS-Ganesha has ended")


if __name__ == "__main__":
    unittest.main()
