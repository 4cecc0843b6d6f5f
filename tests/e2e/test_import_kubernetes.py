"""Homes of a cluster, from a dump of its volumes and claims, on a real NFS server: preview, refusals, import, login."""
import json
import os
import subprocess
import unittest

import nfs_support
import support

SERVER = "nas.example.org"  # as the cluster's volumes name it


def volume(name, path, claim=None, policy="Retain", source=None, **spec):
    made = {"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": "cluster.local/nfs"}},
            "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "10Gi"}, "volumeMode": "Filesystem",
                     "persistentVolumeReclaimPolicy": policy, "storageClassName": "nfs-client",
                     **(source or {"nfs": {"server": SERVER, "path": path}}), **spec},
            "status": {"phase": "Bound" if claim else "Available"}}
    if claim:
        made["spec"]["claimRef"] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "jhub",
                                    "name": claim, "uid": "uid-" + claim}
    return made


def claim(name, volume_name, user=None, phase="Bound", labels=None, **annotations):
    made = {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "jhub", "uid": "uid-" + name, "annotations": dict(annotations),
                         "labels": labels or {"app": "jupyterhub", "component": "singleuser-storage",
                                              "heritage": "jupyterhub"}},
            "spec": {"accessModes": ["ReadWriteMany"], "volumeName": volume_name, "storageClassName": "nfs-client"},
            "status": {"phase": phase}}
    if user is not None:
        made["metadata"]["annotations"]["hub.jupyter.org/username"] = user
    return made


class KubernetesImportTest(nfs_support.NfsTest):
    exports = ("--no-cache", "/export", "/homes", "/k8s-pvc-aa11", "/k8s-pvc-bb22")

    def setUp(self):
        super().setUp()
        self.base = f"/export/{self._testMethodName}"
        self.folder = os.path.join(self.nfs.directories["/export"], self._testMethodName)
        os.makedirs(self.folder)
        config = nfs_support.config(self.nfs, self._testMethodName).replace(
            'client: {version: "3",', f'client: {{server: {SERVER}, version: "3",')
        self.daemon = self.start_daemon(config)

    def home(self, name, uid):
        nfs_support.standing_home(os.path.join(self.folder, name), uid, 0o700)
        return f"{self.base}/{name}"

    def dump(self, *objects):
        return self.write("dump.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def run_import(self, dump, *arguments, code=0):
        done = subprocess.run([support.binary("homeport"), "home", "import", "--backend", "lab", "--from-kubernetes", dump,
                               *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=120, env={**os.environ, "HOMEPORT_URL": "http://" + self.daemon.address,
                                                "HOMEPORT_TOKEN": self.daemon.token})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def plan(self, dump, *arguments, code=0):
        return json.loads(self.run_import(dump, "--dry-run", "-o", "json", *arguments, code=code).stdout)

    def homes(self):
        return {h["name"]: h["path"] for h in self.daemon.call("GET", "/v1/homes").body["items"]}

    def test_a_cluster(self):
        alice = self.home("jhub-claim-alice-pvc-1", 4101)
        bob = self.home("static/bob", 4102)
        mail = self.home("jhub-claim-carol-40x-2eorg-pvc-3", 4103)
        self.home("taken", 4104)
        dump = self.dump(
            volume("pvc-1", alice, "claim-alice"), claim("claim-alice", "pvc-1", "alice"),
            volume("pv-bob", None, "claim-bob", source={"csi": {
                "driver": "nfs.csi.k8s.io", "volumeHandle": "nas#x", "volumeAttributes": {
                    "server": SERVER, "share": self.base, "subdir": "static/bob"}}}),
            claim("claim-bob", "pv-bob", "bob"),
            volume("pvc-3", mail + "/", "claim-carol-40x-2eorg"), claim("claim-carol-40x-2eorg", "pvc-3"),
            volume("pvc-4", None, "hub-db-dir", source={"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0a"}}),
            claim("hub-db-dir", "pvc-4", labels={"app": "jupyterhub", "component": "hub"}),
            volume("pvc-5", self.base + "/none", "claim-dora"), claim("claim-dora", "pvc-5", "dora"),
            volume("pvc-6", self.base + "/../../etc", "claim-eve"), claim("claim-eve", "pvc-6", "eve"),
            volume("pvc-7", self.base + "/taken", "claim-fred"), claim("claim-fred", "pvc-7", "../fred"),
            volume("pvc-8", self.base + "/taken", "claim-gone"),
            claim("claim-waiting", "", "gina", phase="Pending"))
        plan = self.plan(dump)
        self.assertEqual({e["user"]: (e["verdict"], e["reason"], e["volume"]) for e in plan["entries"]}, {
            "alice": ("import", None, "pvc-1"), "bob": ("import", None, "pv-bob"),
            "carol@x.org": ("import", None, "pvc-3"), "dora": ("refused", "missing", "pvc-5")})
        self.assertEqual({(o["volume"], o["reason"]) for o in plan["left_out"]}, {
            ("pvc-4", "not-nfs"), ("pvc-6", "odd-path"), ("pvc-7", "odd-name"), ("pvc-8", "claim-gone"),
            (None, "claim-pending")})
        self.assertEqual(plan["to_patch"], [])
        self.assertEqual(self.homes(), {}, "a look makes nothing")
        done = self.run_import(dump)
        self.assertIn("3 homes: 3 taken over", done.stdout)
        self.assertIn("ebs.csi.aws.com", done.stdout)
        self.assertEqual(self.homes(), {"alice": alice, "bob": bob, "carol@x.org": mail})
        self.assertEqual(os.lstat(os.path.join(self.folder, "static/bob")).st_uid, 4102)
        spec = self.daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": "carol@x.org",
                                                           "identity": {"uid": 4103, "gid": 4103}})
        self.assertEqual(spec.status, 200, spec)
        self.assertEqual(spec.body["mounts"][0]["source"]["export"], mail)
        # Again: what is taken over is known.
        self.assertEqual({e["verdict"] for e in self.plan(dump)["entries"] if e["user"] != "dora"}, {"known"})
        self.assertIn("0 homes: 0 taken over", self.run_import(dump).stdout)

    def test_kubernetes_would_delete_them(self):
        kept, other = self.home("kept", 4201), self.home("other", 4202)
        dump = self.dump(volume("pvc-kept", kept, "claim-kept"), claim("claim-kept", "pvc-kept", "kept"),
                         volume("pvc-other", other, "claim-other", policy="Delete"),
                         claim("claim-other", "pvc-other", "other"))
        command = "kubectl patch pv 'pvc-other' -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'"
        for arguments in ((), ("--dry-run",)):
            done = self.run_import(dump, *arguments, code=6)
            self.assertIn("\n" + command + "\n", done.stdout, "a whole line that can be copied")
            self.assertIn("1 volume has another reclaim policy than Retain", done.stderr)
            self.assertNotIn("pvc-kept'", done.stdout)
            self.assertEqual(self.homes(), {})
        self.assertEqual(self.plan(dump, code=6)["to_patch"], [{"volume": "pvc-other", "command": command}])
        # A shell reads the command as it is meant.
        words = subprocess.run(["sh", "-c", 'kubectl() { printf "%s\\n" "$@"; }\n' + command], capture_output=True,
                               text=True, check=True).stdout.splitlines()
        self.assertEqual(words[:4], ["patch", "pv", "pvc-other", "-p"])
        self.assertEqual(json.loads(words[4]), {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        self.assertIn("1 home: 1 taken over", self.run_import(dump, "--only-retained").stdout)
        self.assertEqual(self.homes(), {"kept": kept})
        patched = self.dump(volume("pvc-kept", kept, "claim-kept"), claim("claim-kept", "pvc-kept", "kept"),
                            volume("pvc-other", other, "claim-other"), claim("claim-other", "pvc-other", "other"))
        self.run_import(patched)
        self.assertEqual(sorted(self.homes()), ["kept", "other"])

    def test_filesystems_of_an_array(self):
        for export, uid in (("/k8s-pvc-aa11", 4301), ("/k8s-pvc-bb22", 4302)):
            os.chown(self.nfs.directories[export], uid, uid)
            os.chmod(self.nfs.directories[export], 0o700)

        def pso(name, handle, **attributes):
            return {"csi": {"driver": "pure-csi", "volumeHandle": handle, "volumeAttributes": attributes}}

        dump = self.dump(
            volume("pvc-aa11", None, "claim-ann", source=pso("pvc-aa11", "k8s-pvc-aa11", backend="file")),
            claim("claim-ann", "pvc-aa11", "ann"),
            volume("pvc-bb22", None, "claim-ben", source=pso("pvc-bb22", "k8s-pvc-bb22", backend="file")),
            claim("claim-ben", "pvc-bb22", "ben"),
            volume("pvc-cc33", None, "claim-cem", source=pso("pvc-cc33", "k8s-pvc-cc33", backend="block")),
            claim("claim-cem", "pvc-cc33", "cem"),
            volume("pvc-dd44", None, "claim-dan", source=pso("pvc-dd44", "k8s-pvc-dd44", backend="file")),
            claim("claim-dan", "pvc-dd44", "dan"),
            volume("pv-pool", "/homes", "claim-eva"), claim("claim-eva", "pv-pool", "eva"))
        # Somebody's home in the pool, so that it is one.
        self.assertEqual(self.daemon.call("PUT", "/v1/homes/zoe?wait=20", {"uid": 4399, "gid": 4399}).status, 201)
        os.chown(self.nfs.directories["/homes"], 4305, 4305)
        self.addCleanup(os.chown, self.nfs.directories["/homes"], 0, 0)
        plan = self.plan(dump)
        self.assertEqual({e["path"]: (e["verdict"], e["reason"], e["uid"]) for e in plan["entries"]}, {
            "/k8s-pvc-aa11": ("import", None, 4301), "/k8s-pvc-bb22": ("import", None, 4302),
            "/homes": ("refused", "overlaps", 0)})
        self.assertEqual({o["volume"]: o["reason"] for o in plan["left_out"]},
                         {"pvc-cc33": "block-volume", "pvc-dd44": "not-exported"})
        self.run_import(dump)
        homes = self.homes()
        homes.pop("zoe")
        self.assertEqual(homes, {"ann": "/k8s-pvc-aa11", "ben": "/k8s-pvc-bb22"})
        for export in ("/k8s-pvc-aa11", "/k8s-pvc-bb22"):
            self.assertEqual(os.listdir(self.nfs.directories[export]), [], "nothing of ours in a directory a user owns")
        owners = [marker["path"] for marker in self.markers_on_disk().values() if marker["imported"]]
        self.assertEqual(sorted(owners), ["/k8s-pvc-aa11", "/k8s-pvc-bb22"])

    def test_another_server_and_its_other_name(self):
        alice = self.home("alice", 4401)
        source = {"nfs": {"server": "filer-2.example.org", "path": alice}}
        dump = self.dump(volume("pv-a", None, "claim-a", source=source), claim("claim-a", "pv-a", "alice"))
        left_out = self.plan(dump)["left_out"]
        self.assertEqual([o["reason"] for o in left_out], ["other-server"])
        self.assertIn(SERVER, left_out[0]["why"])
        self.assertEqual(self.plan(dump, "--server", "FILER-2.example.org.")["entries"][0]["verdict"], "import")

    def test_what_cannot_be_meant(self):
        dump = self.dump(volume("pv-a", self.base, "claim-a"), claim("claim-a", "pv-a", "alice"))
        self.run_import(dump, "--match", "{user}", "--base", "/export", code=2)
        self.run_import(dump, "--base", "/export", code=2)
        for text in ("", "kind: List\nitems: [\n", "a: &a [x,x]\n"):
            self.run_import(self.write("bad.yaml", text), code=2)
        self.run_import(os.path.join(self.folder, "nowhere.yaml"), code=2)
        done = subprocess.run([support.binary("homeport"), "home", "import", "--backend", "lab", "--base", "/x", "--match",
                               "{user}", "--only-retained"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("go with --from-kubernetes", done.stderr)


if __name__ == "__main__":
    unittest.main()
