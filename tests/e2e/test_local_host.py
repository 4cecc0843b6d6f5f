"""Notebooks on the storage's own host: a real NFS server's files, bound where they lie instead of mounted over the network.
The binds are really made, in a mount namespace of their own. Needs root, as the server does."""
import csv
import json
import os
import shlex
import subprocess
import sys
import types
import unittest

import nfs_support
import support

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "jupyterhub"))
import homeport_hub

ODD = "data sets, {old}: #1 \"x\" \\ 100%"   # a directory's name as people give them


class LocalHostTest(nfs_support.NfsTest):
    exports = ("/homes", "/data")

    def setUp(self):
        super().setUp()
        self.host = os.uname().nodename
        odd = os.path.join(self.nfs.directories["/data"], ODD)
        os.makedirs(odd, exist_ok=True)
        with open(os.path.join(odd, "readme"), "w", encoding="ascii") as f:
            f.write("shared\n")

    def config(self, local=True):
        text = nfs_support.config(self.nfs, self._testMethodName)
        if not local:
            return text
        paths = ", ".join(f"{{export: {export}, path: {json.dumps(folder)}}}" for export, folder in
                          self.nfs.directories.items())
        remote = f'client: {{version: "3", port: {self.nfs.port}, mount_port: {self.nfs.mount_port}}}'
        self.assertIn(remote, text)
        return text.replace(remote, f"client: {{local: {{host: {self.host}, paths: [{paths}]}}}}")

    def start(self):
        self.daemon = self.start_daemon(self.config())
        for name, path in (("odd", "/data/" + ODD), ("iris", "/data/iris")):
            answer = self.daemon.call("PUT", f"/v1/datasets/{name}?wait=20", {"backend": "lab", "path": path})
            self.assertIn(answer.status, (200, 201), answer)
            self.daemon.call("POST", f"/v1/datasets/{name}/grants", {"subject_kind": "everyone", "access": "ro"})
        return self.spec()

    def spec(self, user="alice", uid=3001):
        answer = self.daemon.call("POST", "/v1/mountspecs?wait=20",
                                  {"hub": "main", "user": user, "identity": {"uid": uid, "gid": uid}})
        self.assertEqual(answer.status, 200, answer)
        return answer.body

    def render(self, spec, *options, code=0):
        done = subprocess.run([support.binary("homeport"), "spec", "render", "--spec", self.write("spec.json", json.dumps(spec)),
                               *options], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def in_mounts(self, script, *arguments):
        """Runs a shell script where mounts are nobody else's."""
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", *arguments],
                              capture_output=True, text=True, check=False, timeout=60)

    def test_the_spec_names_directories_of_this_host(self):
        spec = self.start()
        mounts = {m["id"]: m for m in spec["mounts"]}
        self.assertEqual(set(mounts), {"home", "ds-iris", "ds-odd"})
        for mount in mounts.values():
            self.assertEqual((mount["source"]["type"], mount["source"]["host"], mount["nfs"]), ("local", self.host, None))
        home = mounts["home"]["source"]["path"]
        self.assertTrue(home.startswith(os.path.join(self.nfs.directories["/homes"], self._testMethodName, "hp-h-")), home)
        status = os.lstat(home)
        self.assertEqual((status.st_uid, status.st_mode & 0o7777), (3001, 0o700))
        self.assertEqual(mounts["ds-odd"]["source"]["path"], os.path.join(self.nfs.directories["/data"], ODD))
        self.assertEqual(self.spec()["digest"], spec["digest"], "the same question, the same answer")

    def test_fstab_lines_bind(self):
        spec = self.start()
        root = "/srv/homeport"  # where the renderer puts mounts; in the namespace, /srv is a directory of its own
        lines = self.render(spec, "--format", "fstab")
        self.assertIn(f"# only on host {self.host}", lines)
        table = self.write("fstab", lines)
        places = [os.path.join(root, spec["subject"]["user_key"], m["id"]) for m in spec["mounts"]]
        script = """
            mount -t tmpfs tmpfs /srv
            table="$1"; shift
            mkdir -p "$@"
            mount --all --fstab "$table"
            setpriv --reuid 3001 --regid 3001 --clear-groups sh -c 'echo mine > "$1/own.txt"' sh "$1"
            if setpriv --reuid 3002 --regid 3002 --clear-groups ls "$1" 2> /dev/null; then echo open to others; exit 1; fi
            cat "$3/readme"
            if touch "$3/new" 2> /dev/null; then echo the dataset takes writes; exit 1; fi
            """
        ids = [m["id"] for m in spec["mounts"]]
        ordered = [places[ids.index(one)] for one in ("home", "ds-iris", "ds-odd")]
        done = self.in_mounts(script, table, *ordered)
        self.assertEqual((done.returncode, done.stdout), (0, "shared\n"), done)
        home = next(m for m in spec["mounts"] if m["id"] == "home")["source"]["path"]
        status = os.lstat(os.path.join(home, "own.txt"))
        self.assertEqual((status.st_uid, status.st_gid), (3001, 3001), "written into the home that the server exports")
        self.assertFalse(os.path.ismount(ordered[0]), "and nowhere but in that namespace")

    def test_docker_gets_binds(self):
        spec = self.start()
        words = shlex.split(self.render(spec, "--format", "docker-run").replace("\\\n", ""))
        found = {}
        for word, value in zip(words, words[1:]):
            if word == "--mount":
                fields = dict((f.split("=", 1) + [""])[:2] for f in next(csv.reader([value])))
                found[fields["target"]] = (fields["type"], fields["source"], "readonly" in fields)
        self.assertEqual(found, {m["target"]: ("bind", m["source"]["path"], m["access"] == "ro") for m in spec["mounts"]})
        # What docker does with them, without docker.
        for target, (_, source, _) in found.items():
            self.assertTrue(os.path.isdir(source), f"{target}: {source}")

    def test_a_pod_is_refused_in_words(self):
        spec = self.start()
        told = self.render(spec, "--format", "kubespawner", code=11)
        self.assertIn("local source is on one host", told)
        answer = self.daemon.call("GET", f"/v1/mountspecs/{spec['spec_id']}?format=kubespawner")
        self.assertEqual((answer.status, answer.body["code"]), (501, "unsupported"), answer)
        self.assertIn("serve the space over NFS", answer.text)

    def test_the_digest_covers_host_and_path(self):
        spec = self.start()
        for member in ("host", "path"):
            other = json.loads(json.dumps(spec))
            other["mounts"][0]["source"][member] += "x"
            self.assertIn("digest", self.render(other, "--format", "fstab", code=2))

    def test_back_to_nfs_is_another_spec(self):
        spec = self.start()
        self.daemon.stop()
        self.daemon = self.start_daemon(self.config(local=False))
        remote = self.spec()
        self.assertNotEqual(remote["digest"], spec["digest"])
        self.assertEqual(remote["mounts"][0]["source"]["type"], "nfs")
        self.assertTrue(remote["mounts"][0]["source"]["export"].startswith(f"/homes/{self._testMethodName}/hp-h-"))
        self.daemon.stop()
        self.daemon = self.start_daemon(self.config())
        self.assertEqual(self.spec()["digest"], spec["digest"])

    def test_the_hub_module_binds(self):
        """What the module gives each spawner for the service's own spec."""
        spec = self.start()
        homeport_hub.check_spec(spec, {"hub": "main", "user": "alice", "server": ""})
        for mount in spec["mounts"]:
            given = homeport_hub.docker_mount(mount)
            self.assertEqual((given["type"], given["read_only"]), ("bind", mount["access"] == "ro"))
            self.assertEqual(given["source"].format(), mount["source"]["path"], "braces survive DockerSpawner's str.format")
        host = homeport_hub.OnHost(types.SimpleNamespace(settings=types.SimpleNamespace(host_mounts=None, host_root=None)))
        self.assertEqual({m["id"]: host.host_path(m) for m in spec["mounts"]},
                         {m["id"]: (m["source"]["path"], None) for m in spec["mounts"]})
        # SystemdSpawner: systemd's own quoting (systemd.exec(5)) of both sides of a bind.
        path = spec["mounts"][-1]["source"]["path"]
        self.assertNotRegex(homeport_hub.bind_word(path), r"(?<!\\)[ :\"']")
        elsewhere = json.loads(json.dumps(spec["mounts"][0]))
        elsewhere["source"]["host"] = "another"
        with self.assertRaisesRegex(homeport_hub.Refused, "lies on host another"):
            host.host_path(elsewhere)
        kubernetes = homeport_hub.Kubernetes(types.SimpleNamespace(settings=types.SimpleNamespace(volumes="inline")))
        with self.assertRaisesRegex(homeport_hub.Refused, "single host"):
            kubernetes._volume(spec["mounts"][0], None)


if __name__ == "__main__":
    unittest.main()
