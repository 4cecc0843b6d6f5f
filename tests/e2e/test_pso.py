"""Coming from Pure Service Orchestrator: its values file, and volumes that somebody wrote by hand."""
import json
import os
import stat
import subprocess
import unittest

import flashblade_sim
import support
from test_flashblade_import import CLOSED, WORLD, ArrayTest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLE = os.path.join(ROOT, "examples", "pso", "values.yaml")
TOKEN = "T-c4925090-c9bf-4033-8537-d24ee5669135"


class ValuesTest(support.E2ETest):
    def convert(self, text, *more, code=0):
        """Needs no service: nothing says where one is."""
        file = self.write("values.yaml", text) if "\n" in text else text
        env = {k: v for k, v in os.environ.items() if not k.startswith("HOMEPORT_")}
        done = subprocess.run([support.binary("homeport"), "backend", "import-psovalues", file, "--secrets",
                               self.path("secrets"), *more], capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, env={**env, "HOMEPORT_BIN_DIR": os.environ["HOMEPORT_BIN_DIR"]})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def check(self, text):
        code, out, err = self.run_program(support.binary("homeportd"), "--check-config", self.write("made.yaml", text))
        self.assertEqual(code, 0, out + err + text)

    def secret(self, name):
        path = self.path("secrets", name)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding="ascii") as f:
            return f.read().strip()

    def test_the_sample_becomes_a_configuration(self):
        done = self.convert(SAMPLE, "--homeport", "127.0.0.1", "--clients", "127.0.0.0/8")
        self.check(done.stdout)
        self.assertIn("# left out: FlashArray 10.0.0.4: block storage", done.stdout)
        self.assertIn("left out: FlashArray 10.0.0.4", done.stderr)
        self.assertEqual(self.secret("fb-127-0-0-1.token"), "T-00000000-0000-4000-8000-000000000000")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("secrets")).st_mode), 0o700)
        for text in (done.stdout, done.stderr):
            self.assertNotIn("T-0000", text)
            self.assertNotIn("11111111-2222", text)
        for said in ("topology.purestorage.com/rack", "k8s-pvc-UUID", "layout: filesystem"):
            self.assertIn(said, done.stdout)

    def test_what_the_file_does_not_say_is_marked_and_still_a_configuration(self):
        done = self.convert("clusterID: prod\narrays:\n  FlashBlades:\n" + "".join(
            f"  - {{MgmtEndPoint: {host}, APIToken: {TOKEN}, {word}: 10.0.0.{n}, Labels: {{rack: {n}}}}}\n"
            for n, (host, word) in enumerate((("fb1.example.org", "NFSEndPoint"), ("10.0.0.6", "NfsEndPoint"),
                                              ("fd00::6", "nfsEndPoint")), 1)) + "strange: {key: value}\n")
        self.check(done.stdout)
        self.assertIn("# CHANGE exports.homeport", done.stdout)
        self.assertIn("not understood, and left out: strange", done.stderr)
        self.assertNotIn(TOKEN, done.stdout + done.stderr)
        self.assertEqual(sorted(os.listdir(self.path("secrets"))), ["fb-10-0-0-6.token", "fb-fd00--6.token", "fb1.token"])

    def test_tokens_are_not_overwritten_unasked(self):
        text = f"arrays:\n  FlashBlades:\n  - {{MgmtEndPoint: fb1, APIToken: {TOKEN}, NFSEndPoint: 10.0.0.7}}\n"
        self.convert(text)
        self.convert(text)  # the same again is fine
        other = text.replace(TOKEN, "T-other")
        refused = self.convert(other, code=4)
        self.assertIn("holds another token; nothing was written", refused.stderr)
        self.assertEqual(refused.stdout, "")
        self.assertEqual(self.secret("fb1.token"), TOKEN)
        self.convert(other, "--overwrite")
        self.assertEqual(self.secret("fb1.token"), "T-other")
        os.remove(self.path("secrets", "fb1.token"))
        os.symlink("/etc/passwd", self.path("secrets", "fb1.token"))
        self.assertIn("no plain file", self.convert(text, "--overwrite", code=6).stderr)

    def test_bad_input(self):
        for text, said, code in (("a: 1\nb: 2\n", "has no member 'arrays'", 2), ("arrays:\n\t- x\n", "line 2", 2),
                                 ("arrays: {FlashArrays: [{MgmtEndPoint: a, APIToken: b}]}\n", "no FlashBlade", 2)):
            self.assertIn(said, self.convert(text, code=code).stderr)
            self.assertFalse(os.path.exists(self.path("secrets")))
        self.convert(self.path("nowhere"), code=2)
        code, _, err = self.run_program(support.binary("homeport"), "backend", "import-psovalues", SAMPLE)
        self.assertEqual(code, 2)
        self.assertIn("--secrets", err)
        code, out, _ = self.run_program(support.binary("homeport"), "backend", "import-psovalues", "--help")
        self.assertEqual(code, 0)
        self.assertIn("--homeport", out)

    def test_json_is_the_same_document(self):
        done = self.convert(SAMPLE, "-o", "json", "--ca-file", "ca.pem")
        backend = json.loads(done.stdout)["desired"]["backends"][0]
        self.assertEqual(backend["management"]["url"], "https://127.0.0.1:8443")
        self.assertTrue(os.path.isabs(backend["management"]["ca_file"]))
        self.check(done.stdout)


def volume(name, source, **spec):
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteMany"], "capacity": {"storage": "50Gi"}, **source, **spec}}


def pure(handle, **attributes):
    return {"csi": {"driver": "pure-csi", "volumeHandle": handle, "volumeAttributes": {"backend": "file", **attributes}}}


@unittest.skipUnless(os.geteuid() == 0, "the simulator's NFS server needs root")
class FromPvTest(ArrayTest):
    def setUp(self):
        super().setUp()
        config = self.config().replace("pools: [{name: homes}]}", """pools: [{name: homes}],
     exports: [{path: /data, files: [{path: sets/a.csv, content: "1,2"}]}]}""")
        self.daemon = self.start_daemon(config)

    def file(self, *documents):
        return self.write("pv.yaml", "".join("---\n" + json.dumps(d) + "\n" for d in documents))

    def datasets(self):
        return {d["name"]: (d["backend"], d["path"], d["layout"])
                for d in self.daemon.call("GET", "/v1/datasets").body["items"]}

    def test_psos_volume_import_form(self):
        self.foreign("climate", 1, WORLD, 0o755, provisioned=2 << 40, hard_limit_enabled=True)
        before = self.on_array("climate")
        pv = self.file(volume("pv-climate", pure("climate"), persistentVolumeReclaimPolicy="Delete",
                              claimRef={"kind": "PersistentVolumeClaim", "name": "climate"}))
        looked = " ".join(self.homeport("dataset", "import", "climate", "--from-pv", pv, "--dry-run").stdout.split())
        for said in ("its reclaim policy is Delete", "kubectl patch pv 'pv-climate'", "claimRef names no namespace",
                     "names no storageClassName", "lets everybody who claims it write", "name no nfsvers",
                     "50Gi is made up: the array's limit is 2TiB", "everybody on the network gets in"):
            self.assertIn(said, looked)
        self.assertEqual(self.datasets(), {})
        done = self.homeport("dataset", "import", "climate", "--from-pv", pv)
        self.assertIn("its reclaim policy is Delete", done.stderr)
        self.assertEqual(self.datasets(), {"climate": ("fb1", "/climate", "filesystem")})
        self.assertEqual(self.on_array("climate"), before)

    def test_nfs_volumes_are_found_by_their_server(self):
        self.foreign("genomes", 1, CLOSED, 0o755)
        os.makedirs(self.path("data", "fs", "genomes", "human"))
        pv = self.file(
            {"kind": "StorageClass", "metadata": {"name": "x"}},
            volume("whole", {"nfs": {"server": "127.0.0.1", "path": "/genomes"}}),
            volume("part", {"csi": {"driver": "nfs.csi.k8s.io", "volumeHandle": "y", "volumeAttributes": {
                "server": "127.0.0.1", "share": "/genomes", "subDir": "human"}}}))
        several = self.homeport("dataset", "import", "one", "--from-pv", pv, code=2).stderr
        self.assertIn("several volumes (whole, part)", several)
        self.homeport("dataset", "import", "human", "--from-pv", pv, "--volume", "part")
        self.assertEqual(self.datasets(), {"human": ("fb1", "/genomes/human", "directory")})
        self.homeport("dataset", "release", "human")
        plan = json.loads(self.homeport("dataset", "import", "--from-pv", pv, "--volume", "whole", "-o", "json").stdout)
        self.assertEqual([(d["dataset"], d["verdict"]) for d in plan["datasets"]], [("whole", "imported")])
        self.assertEqual(self.datasets(), {"whole": ("fb1", "/genomes", "filesystem")})

    def test_what_cannot_be_a_dataset_is_said(self):
        self.foreign("x", 1, CLOSED, 0o755)
        for source, more, said, code in (
                ({"nfs": {"server": "nas.elsewhere", "path": "/x"}}, (), "no backend is that server", 6),
                ({"nfs": {"server": "nas.elsewhere", "path": "/x"}}, ("--backend", "fb1"), "this backend is", 6),
                (pure("gone"), (), "exports no filesystem gone", 3),
                (pure("x", backend="block"), (), "block volume", 6),
                ({"hostPath": {"path": "/x"}}, (), "disk of one node", 6),
                ({"nfs": {"server": "127.0.0.1", "path": "/x/../y"}}, (), "path", 6)):
            with self.subTest(source=source, more=more):
                pv = self.file(volume("pv-x", source))
                self.assertIn(said, self.homeport("dataset", "import", "x", "--from-pv", pv, *more, code=code).stderr)
        elsewhere = self.file(volume("pv-x", {"nfs": {"server": "nas.elsewhere", "path": "/x"}}))
        self.homeport("dataset", "import", "x", "--from-pv", elsewhere, "--backend", "fb1", "--server", "nas.elsewhere")
        self.assertEqual(self.datasets(), {"x": ("fb1", "/x", "filesystem")})
        claim = self.file({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}})
        self.assertIn("holds no PersistentVolume", self.homeport("dataset", "import", "x", "--from-pv", claim, code=2).stderr)
        self.assertIn("--server says", self.homeport("dataset", "import", "x", "--from-pv", elsewhere, "--server", "a",
                                                     code=2).stderr)


if __name__ == "__main__":
    unittest.main()
