"""File systems that were made by hand, by PSO or written into a PersistentVolume: taken over in place, over the simulator."""
import json
import os
import stat
import subprocess
import unittest
import uuid

import flashblade_service
import support

WORLD = "*(rw,no_root_squash)"
CLOSED = "127.0.0.1(rw,no_root_squash) 10.20.0.0/16(rw,root_squash)"


class ArrayTest(flashblade_service.ArrayServiceTest):
    def config(self, version="4.1"):
        token = self.write("array-token", self.sim.ready["api_token"])
        os.chmod(token, 0o600)
        return f"""\
desired:
  backends:
  - name: fb1
    kind: flashblade
    mode: manage
    management:
      url: "https://{self.sim.ready['https']}"
      ca_file: {os.path.abspath(self.sim.ready['certificate'])}
      api_token: {{file: {token}}}
      timeout: 5s
    data: {{nfs_port: {self.sim.ready['nfs_port']}, mount_port: {self.sim.ready['mount_port']}}}
    client: {{version: "{version}"}}
    exports: {{homeport: [127.0.0.1], clients: [10.20.0.0/16]}}
    pools: [{{name: homes, layout: filesystem}}]
  - {{name: lab, kind: memory, pools: [{{name: homes}}]}}
  classes:
  - {{name: own, backend: fb1, pool: homes, layout: filesystem, default_quota: 1GiB, max_quota: 4GiB}}
  rules:
  - {{name: all, match: {{everyone: true}}, class: own}}
"""

    def foreign(self, name, uid=0, rules=WORLD, mode=0o700, **body):
        """A file system that Homeport did not make. v3/v4: its protocols."""
        nfs = {"v3_enabled": body.pop("v3", True), "v4_1_enabled": body.pop("v4", True)}
        if rules is not None:
            nfs["rules"] = rules
        nfs.update(body.pop("nfs", {}))
        item = self.make(name, nfs=nfs, **body)
        folder = self.path("data", "fs", name)
        if os.path.isdir(folder):
            os.chown(folder, uid, uid)
            os.chmod(folder, mode)
        return item

    def homeport(self, *arguments, code=0, daemon=None, text=None):
        daemon = daemon or self.daemon
        done = subprocess.run([support.binary("homeport"), *arguments], capture_output=True, text=True, check=False,
                              timeout=120, input=text if text is not None else "",
                              env={**os.environ, "HOMEPORT_URL": "http://" + daemon.address,
                                   "HOMEPORT_TOKEN": daemon.token})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def on_array(self, name):
        """What must stay as it is."""
        item = self.client.one("GET", "file-systems", names=name)
        return {key: item[key] for key in ("id", "name", "provisioned", "hard_limit_enabled", "nfs", "destroyed")}


@unittest.skipUnless(os.geteuid() == 0, "the simulator's NFS server needs root")
class FromArrayTest(ArrayTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon(self.config())

    def plan(self, *arguments):
        text = self.homeport("home", "import", "--backend", "fb1", "--from-array", "--dry-run", "-o", "json",
                             *arguments).stdout
        return {e["path"]: e for e in json.loads(text)["entries"]}

    def verdicts(self, *arguments):
        return {path: (e["verdict"], e["reason"]) for path, e in self.plan(*arguments).items()}

    def test_homes_made_by_hand(self):
        self.foreign("pso-alice", 4101, provisioned=5 << 30, hard_limit_enabled=True)
        self.foreign("pso-bob", 4102, CLOSED)
        self.foreign("pso-carol", 4103, v3=False)
        self.foreign("pso-dora", 4104, v4=False)
        self.foreign("pso-left", 4105)
        self.foreign("pso-right", 4105)
        self.foreign("pso-root", 0)
        self.foreign("pso-off", 4106, v3=False, v4=False)
        self.foreign("pso-gone", 4107)
        self.client.one("PATCH", "file-systems",
                        {"destroyed": True, "nfs": {"v3_enabled": False, "v4_1_enabled": False}}, names="pso-gone")
        self.foreign("other", 4108)
        before = {name: self.on_array(name) for name in ("pso-alice", "pso-bob", "pso-carol")}
        plan = self.plan("--match", "pso-{user}")
        self.assertEqual({path: (e["verdict"], e["reason"]) for path, e in plan.items()}, {
            "/pso-alice": ("import", None), "/pso-bob": ("import", None), "/pso-carol": ("refused", "no-nfsv3"),
            "/pso-dora": ("refused", "no-nfsv4"), "/pso-left": ("refused", "uid-taken"),
            "/pso-right": ("refused", "uid-taken"), "/pso-root": ("refused", "system-owner"),
            "/pso-off": ("refused", "no-nfs"), "/other": ("unmatched", None)})
        self.assertIn("everybody on the network gets in: rules " + WORLD, plan["/pso-alice"]["remarks"])
        self.assertEqual(plan["/pso-bob"]["remarks"], ["it has no limit on the array"])
        shown = self.homeport("home", "import", "--backend", "fb1", "--from-array", "--match", "pso-{user}", "--dry-run",
                              "-o", "table").stdout
        self.assertIn("To be known", shown)
        self.assertEqual(self.daemon.call("GET", "/v1/homes").body["items"], [], "a look makes nothing")

        done = self.homeport("home", "import", "--backend", "fb1", "--from-array", "--match", "pso-{user}")
        self.assertIn("2 taken over", done.stdout)
        self.assertEqual({name: self.on_array(name) for name in before}, before, "nothing on the array was changed")
        root = os.stat(self.path("data", "fs", "pso-alice"))
        self.assertEqual((root.st_uid, stat.S_IMODE(root.st_mode)), (4101, 0o700))
        alice = self.daemon.call("GET", "/v1/homes/alice").body
        self.assertEqual((alice["path"], alice["layout"], alice["pool"], alice["imported"]),
                         ("/pso-alice", "filesystem", "homes", True))
        self.assertEqual(alice["quota"]["limit_bytes"], 5 << 30, "the array's own, not the class's")
        bob = self.daemon.call("GET", "/v1/homes/bob").body
        self.assertIsNone(bob["quota"]["limit_bytes"])
        spec = self.daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "alice"})
        self.assertEqual(spec.body["mounts"][0]["source"]["export"], "/pso-alice")
        marker = self.path("data", "fs", "hp-admin", "markers", alice["key"] + ".json")
        self.assertTrue(os.path.exists(marker))
        self.assertFalse(os.path.exists(self.path("data", "fs", "pso-alice", ".homeport")))
        self.assertEqual(self.verdicts("--match", "pso-{user}")["/pso-alice"], ("known", None))

        # Rights as for every import: nothing is limited or removed before an admin says so.
        self.assertIn("was not given", self.homeport("home", "resize", "bob", "2GiB", code=6).stderr)
        self.homeport("home", "rights", "bob", "--resize", "yes")
        self.homeport("home", "resize", "bob", "2GiB")
        self.assertEqual(self.on_array("pso-bob")["provisioned"], 2 << 30)
        self.assertIn("was not given", self.homeport("home", "retire", "bob", code=6).stderr)
        self.assertIn("never moves or removes", self.homeport("home", "rights", "bob", "--destroy", "yes", code=11).stderr)
        self.homeport("home", "release", "bob")
        self.assertEqual(self.on_array("pso-bob")["nfs"], before["pso-bob"]["nfs"])

    def test_a_file_system_that_is_replaced_is_noticed_and_left_alone(self):
        self.foreign("pso-alice", 4101)
        self.foreign("data-sets", 0, CLOSED, 0o755)
        self.homeport("home", "import", "--backend", "fb1", "--from-array", "--match", "pso-{user}")
        self.homeport("dataset", "import", "--backend", "fb1", "--from-array", "--match", "data-*")
        self.homeport("home", "rights", "alice", "--resize", "yes")
        self.sim.act("replace", file_system="pso-alice")
        self.sim.act("replace", file_system="data-sets")
        before = self.on_array("pso-alice")
        entry = self.plan("--match", "pso-{user}")["/pso-alice"]
        self.assertEqual((entry["verdict"], entry["reason"]), ("refused", "replaced"))
        self.assertIn(before["id"], entry["why"])
        refused = self.homeport("home", "resize", "alice", "3GiB", code=6).stderr
        self.assertIn("its id is " + before["id"], refused)
        self.assertIn("release the space and import it again", refused)
        listed = json.loads(self.homeport("dataset", "import", "--backend", "fb1", "--from-array", "--match", "data-*",
                                          "--dry-run", "-o", "json").stdout)["datasets"]
        self.assertEqual([(d["verdict"], d["reason"]) for d in listed], [("refused", "replaced")])
        doctor = self.homeport("doctor", code=6).stdout
        self.assertIn("file system pso-alice is another one now", " ".join(doctor.split()))
        self.assertEqual(self.on_array("pso-alice"), before, "nothing was touched")

    def test_volumes_of_pso_go_to_whom_the_hub_wrote_on_their_claims(self):
        volumes = []
        for number, user in enumerate(("alice", "bob@uni.example")):
            handle = f"pvc-{uuid.UUID(int=number + 1)}"
            self.foreign("k8s-" + handle, 4201 + number, CLOSED)
            claim = f"claim-{number}"
            volumes.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": handle}, "spec": {
                "accessModes": ["ReadWriteMany"], "capacity": {"storage": "10Gi"},
                "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "pure-file",
                "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "jhub", "name": claim},
                "csi": {"driver": "pure-csi", "volumeHandle": "k8s-" + handle, "volumeAttributes": {"backend": "file"}}}})
            volumes.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {
                "name": claim, "namespace": "jhub", "annotations": {"hub.jupyter.org/username": user}},
                "spec": {"volumeName": handle}, "status": {"phase": "Bound"}})
        dump = self.write("dump.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": volumes}))
        done = self.homeport("home", "import", "--backend", "fb1", "--from-array", "--from-kubernetes", dump)
        self.assertIn("2 taken over", done.stdout)
        homes = {h["name"]: h for h in self.daemon.call("GET", "/v1/homes").body["items"]}
        self.assertEqual({name: (h["path"], h["layout"]) for name, h in homes.items()}, {
            "alice": (f"/k8s-pvc-{uuid.UUID(int=1)}", "filesystem"),
            "bob@uni.example": (f"/k8s-pvc-{uuid.UUID(int=2)}", "filesystem")})

    def test_a_map_says_whose_each_file_system_is(self):
        self.foreign("lab7", 4301, CLOSED)
        self.foreign("lab8", 4302, CLOSED)
        whose = self.write("users.csv", "user,path,uid\nana,/lab7,4301\nben,lab8,4399\ncleo,/nothing,\ndan,/lab7/sub,\n")
        self.assertEqual(self.verdicts("--map", whose), {
            "/lab7": ("import", None), "/lab8": ("refused", "owner-differs"), "/nothing": ("refused", "missing"),
            "/lab7/sub": ("refused", "missing")})
        self.assertIn("1 taken over",
                      self.homeport("home", "import", "--backend", "fb1", "--from-array", "--map", whose).stdout)
        limits = self.write("limits.csv", "user,path,quota\nana,/lab8,5GiB\n")
        self.assertIn("keeps its own", self.homeport("home", "import", "--backend", "fb1", "--from-array", "--map", limits,
                                                     "--dry-run", code=2).stderr)

    def test_what_cannot_be_asked_is_refused_with_the_way_out(self):
        for words, said, code in (
                (("home", "import", "--backend", "lab", "--from-array", "--match", "{user}"), "kind memory", 11),
                (("home", "import", "--backend", "fb1", "--from-array", "--match", "{hub}/{user}"), "more than a file", 2),
                (("home", "import", "--backend", "fb1", "--from-array", "--base", "/x", "--match", "{user}"), "--base", 2),
                (("dataset", "import", "x", "--backend", "lab", "--from-array"), "kind memory", 11),
                (("dataset", "import", "x", "--backend", "fb1", "--from-array"), "has no file system 'x'", 3),
                (("dataset", "import", "--backend", "fb1", "--from-array"), "neither a name nor --match", 2),
                (("dataset", "import", "x", "--backend", "fb1"), "one of --export, --from-array and --from-pv", 2),
                (("dataset", "import", "--backend", "fb1", "--export", "/x"), "needs a name", 2),
                (("dataset", "import", "x", "--backend", "fb1", "--export", "/x", "--match", "y"), "--match goes with", 2)):
            with self.subTest(words=words):
                self.assertIn(said, self.homeport(*words, code=code).stderr)

    def test_datasets(self):
        self.foreign("Data-Climate", 1, WORLD, 0o755, provisioned=3 << 30)
        self.foreign("data-genomes", 1, CLOSED, 0o750)
        self.foreign("data-GENOMES2", 1, CLOSED, 0o755)
        self.foreign("data-genomes2", 1, CLOSED, 0o755)
        self.foreign("data-off", 1, v3=False, v4=False)
        before = {name: self.on_array(name) for name in ("Data-Climate", "data-genomes")}
        one = self.homeport("dataset", "import", "climate", "--backend", "fb1", "--from-array", "--match", "Data-Climate",
                            "--dry-run").stdout
        flat = " ".join(one.split())
        for said in ("is not enforced by the array", "everybody on the network gets in", "/Data-Climate"):
            self.assertIn(said, flat)
        self.homeport("dataset", "import", "climate", "--backend", "fb1", "--from-array", "--match", "Data-Climate")
        plan = json.loads(self.homeport("dataset", "import", "--backend", "fb1", "--from-array", "--match", "[Dd]ata-*",
                                        "--dry-run", "-o", "json").stdout)["datasets"]
        self.assertEqual({d["file_system"]: (d["dataset"], d["verdict"], d["reason"]) for d in plan}, {
            "Data-Climate": ("climate", "known", None), "data-genomes": ("data-genomes", "import", None),
            "data-GENOMES2": ("data-genomes2", "refused", "two-to-one"),
            "data-genomes2": ("data-genomes2", "refused", "two-to-one"),
            "data-off": ("data-off", "refused", "no-nfs")})
        self.homeport("dataset", "import", "--backend", "fb1", "--from-array", "--match", "data-genomes")
        datasets = {d["name"]: d for d in self.daemon.call("GET", "/v1/datasets").body["items"]}
        self.assertEqual({n: (d["path"], d["layout"], d["read_only"]) for n, d in datasets.items()}, {
            "climate": ("/Data-Climate", "filesystem", True), "data-genomes": ("/data-genomes", "filesystem", True)})
        self.assertEqual({name: self.on_array(name) for name in before}, before)
        several = self.homeport("dataset", "import", "x", "--backend", "fb1", "--from-array", "--match", "data-*", code=2)
        self.assertIn("file systems fit", several.stderr)
        self.homeport("dataset", "release", "climate")
        self.assertEqual(self.on_array("Data-Climate"), before["Data-Climate"])


@unittest.skipUnless(os.geteuid() == 0, "the simulator's NFS server needs root")
class DoctorTest(ArrayTest):
    def findings(self, daemon):
        answer = daemon.call("GET", "/v1/doctor").body["findings"]
        return {f["what"]: f for f in answer if "lets everybody" in f["what"] or "could not be looked" in f["what"]}

    def test_exports_that_are_open_to_the_world_are_named_with_their_fix(self):
        self.client.one("POST", "nfs-export-policies", {"enabled": True, "rules": [
            {"client": "*", "permission": "rw", "access": "root-squash"}]}, names="everybody")
        self.client.one("POST", "nfs-export-policies", {"enabled": True, "rules": [
            {"client": "*", "permission": "ro", "access": "root-squash"}]}, names="readers")
        self.foreign("default", rules=None)                  # the array's own default
        self.foreign("writers", rules="10.0.0.1(ro) *(rw,root_squash)")
        self.foreign("root-readers", rules="*(ro,no_root_squash)")
        self.foreign("readers", rules="*(ro,root_squash)")
        self.foreign("closed", rules=CLOSED)
        self.foreign("off", rules=WORLD, v3=False, v4=False)
        self.foreign("by-policy", rules=None, nfs={"export_policy": {"name": "everybody"}})
        self.foreign("by-good-policy", rules=None, nfs={"export_policy": {"name": "readers"}})
        daemon = self.start_daemon(self.config())
        found = self.findings(daemon)
        named = sorted(what.split("file system ")[1].split()[0] for what in found)
        self.assertEqual(named, ["by-policy", "default", "root-readers", "writers"])
        for what, finding in found.items():
            self.assertEqual(finding["level"], "warning")
            fix = "export policy everybody" if "by-policy" in what else "for example: " + CLOSED
            self.assertIn(fix, finding["hint"])
        for name in ("default", "root-readers", "writers"):
            self.client.one("PATCH", "file-systems", {"nfs": {"rules": CLOSED}}, names=name)
        self.client.one("PATCH", "file-systems", {"nfs": {"export_policy": {"name": "readers"}}}, names="by-policy")
        self.assertEqual(self.findings(daemon), {})

    def test_more_than_one_page_is_looked_at(self):
        self.sim.set(max_page=3)
        for number in range(10):
            self.foreign(f"fs-{number}", rules=WORLD)
        daemon = self.start_daemon(self.config())
        self.assertEqual(len(self.findings(daemon)), 10)

    def test_an_array_that_does_not_answer_is_a_finding(self):
        daemon = self.start_daemon(self.config())
        self.sim.fault(path="*", status=503)
        found = self.findings(daemon)
        self.assertEqual(len(found), 1, found)
        self.assertIn("the exports of backend fb1 could not be looked at", list(found)[0])

    def test_homeport_makes_no_world_open_export(self):
        config = self.config().replace("clients: [10.20.0.0/16]", 'clients: ["*"]')
        code, _, err = self.run_program(support.binary("homeportd"), "--check-config", self.write("open.yaml", config))
        self.assertNotEqual(code, 0)
        self.assertIn("would let everybody on the network in", err)
        self.client.one("POST", "nfs-export-policies", {"enabled": True, "rules": [
            {"client": "*", "permission": "rw", "access": "root-squash"}]}, names="everybody")
        config = self.config().replace("clients: [10.20.0.0/16]", "policy: everybody")
        daemon = self.start_daemon(config)
        answer = daemon.call("PUT", "/v1/homes/alice?wait=20", {"uid": 4001, "gid": 4001})
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertIn("lets everybody in", answer.text)
        self.assertEqual([i["name"] for i in self.client.items("GET", "file-systems") if i["name"].startswith("hp-h-")], [])


if __name__ == "__main__":
    unittest.main()
