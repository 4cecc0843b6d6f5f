"""A mount spec in the hands of a real Linux kernel: homes and a dataset of a real NFS server, mounted in a guest by the
lines that the renderers wrote, taken as they are. The real mount(8) and mount.nfs(8) read the fstab. Docker's local
driver calls mount(2) by itself, without mount.nfs, with what stands in `o` and `device`: `mount -i` does the same.
"""
import csv
import json
import os
import re
import shlex
import unittest

import kernel_guest
import nfs_support
import support

Step = kernel_guest.Step
USERS = {"alice": 3001, "bob": 3002}
# What stands in fstab has escapes, what Docker reads has quotes: a name that needs both.
DATASET = "iris, 2nd #edition"
DATASET_TEXT = "4.9,3.0,1.4,0.2,setosa"


def config(server, pool_directory, version, options):
    mount_port = f", mount_port: {server.mount_port}" if version == "3" else ""
    return f"""\
log: {{level: debug}}
desired:
  backends:
  - name: lab
    kind: nfs
    service: {{server: 127.0.0.1, nfs_port: {server.port}, mount_port: {server.mount_port}, timeout: 10s}}
    client: {{server: {kernel_guest.HOST}, version: "{version}", port: {server.port}{mount_port}}}
    pools: [{{name: homes, export: /homes, directory: {pool_directory}}}]
  classes:
  - {{name: std, backend: lab, default_quota: 10GiB, max_quota: 50GiB, mount_options: {json.dumps(options)}}}
  rules:
  - {{name: all, match: {{everyone: true}}, class: std}}
"""


def fstab_targets(text):
    """Where the lines mount to, homes first, as fstab(5) has it."""
    return [line.split()[1] for line in text.splitlines() if line and not line.startswith("#")]


def docker_volumes(text):
    """{target: {type, o, device}} of the arguments, by the rules of a shell and of CSV."""
    words = shlex.split(text.replace("\\\n", " "))
    volumes = {}
    for flag, value in zip(words, words[1:]):
        if flag == "--mount":
            fields = next(csv.reader([value]))
            plain = dict(f.partition("=")[::2] for f in fields if not f.startswith("volume-opt="))
            volumes[plain["target"]] = dict(f[len("volume-opt="):].partition("=")[::2] for f in fields
                                            if f.startswith("volume-opt="))
    return volumes


def expected_options(mount):
    """(what /proc/mounts must show, what it must not) for one mount of a spec."""
    source, nfs = mount["source"], mount["nfs"]
    shown = {f"vers={source['version']}", "proto=tcp", f"port={source['port']}", f"addr={source['server']}",
             "hard" if nfs["hard"] else "soft", mount["access"], f"sec={nfs['sec']}"}
    if source["version"] == "3":
        shown.add(f"mountport={source['mount_port']}")
    shown |= {f"{word}={nfs[word]}" for word in ("timeo", "retrans", "rsize", "wsize", "nconnect") if nfs[word]}
    flags = {"nolock", "noresvport", "noatime", "nosuid", "nodev", "noexec"}
    shown |= {word for word in flags if nfs[word]}
    return shown, {word for word in flags if not nfs[word]} | {"rw" if mount["access"] == "ro" else "ro"}


class KernelMountTest(nfs_support.NfsTest):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("the real NFS server of this test needs root")
        kernel_guest.require()
        super().setUpClass()

    def setUp(self):
        super().setUp()
        folder = os.path.join(self.nfs.directories["/data"], DATASET)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "iris.csv"), "w", encoding="ascii") as f:
            f.write(DATASET_TEXT + "\n")

    def test_version_4_1(self):
        self.mounts_by_a_kernel("4.1", {})

    def test_version_4_2_with_every_option(self):
        self.mounts_by_a_kernel("4.2", {"timeo": 300, "retrans": 4, "rsize": 65536, "wsize": 131072, "nconnect": 2,
                                        "noresvport": True, "noatime": True, "noexec": True})

    def test_version_3_with_locks(self):
        self.mounts_by_a_kernel("3", {})

    def test_version_3_without_locks_soft(self):
        self.mounts_by_a_kernel("3", {"hard": False, "timeo": 100, "nolock": True, "nosuid": False, "nodev": False})

    def cli(self, daemon, *arguments):
        code, out, err = self.run_program(support.binary("homeport"), "--url", "http://" + daemon.address,
                                          "--token-file", self.path("spawner-token"), *arguments)
        self.assertEqual(code, 0, err)
        return out

    def make_homes(self, version, options):
        """A service with two homes, a dataset for alice, and a spawner's token in a file."""
        daemon = self.start_daemon(config(self.nfs, self.pool, version, options))
        for user, uid in USERS.items():
            made = daemon.call("PUT", f"/v1/homes/{user}?wait=20", {"uid": uid, "gid": uid})
            self.assertEqual(made.status, 201, made)
        imported = daemon.call("PUT", "/v1/datasets/iris?wait=20", {"backend": "lab", "path": "/data/" + DATASET})
        self.assertEqual(imported.status, 201, imported)
        grant = {"subject_kind": "user", "subject": "alice", "access": "ro"}
        self.assertEqual(daemon.call("POST", "/v1/datasets/iris/grants", grant).status, 200)
        token = daemon.call("POST", "/v1/tokens", {"scope": "spawner", "hub": "main"}).body["token"]
        with open(os.open(self.path("spawner-token"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(token)
        return daemon

    def take_specs(self, daemon):
        """self.specs, and self.rendered[format], by user; rendered by the service and, the same, without it."""
        self.specs = {user: json.loads(self.cli(daemon, "spec", "get", user, "--hub", "main")) for user in USERS}
        self.rendered = {"fstab": {}, "docker-run": {}}
        for user, spec in self.specs.items():
            file = self.write(f"{user}.json", json.dumps(spec))
            for form, texts in self.rendered.items():
                texts[user] = self.cli(daemon, "spec", "get", user, "--hub", "main", "--format", form)
                self.assertEqual(self.cli(daemon, "spec", "render", "--spec", file, "--format", form), texts[user])
        self.assertEqual([m["kind"] for m in self.specs["alice"]["mounts"]], ["home", "dataset"])
        self.assertEqual([m["kind"] for m in self.specs["bob"]["mounts"]], ["home"])

    def mounts_by_a_kernel(self, version, options):
        self.pool = self.id().rsplit(".", 1)[1]
        self.take_specs(self.make_homes(version, options))
        # Docker's first: a host with nothing but Docker has no rpc.statd, which mount.nfs starts.
        places = {"docker": self.docker_places(), "fstab": self.fstab_places()}
        # The kernel's lock service for version 3 must be known to an rpcbind; mount(2) is refused otherwise.
        needs_rpcbind = version == "3" and not options.get("nolock")
        steps = [Step("prepare", "/usr/sbin/rpcbind" if needs_rpcbind else "true")]
        for name, (mounting, targets) in places.items():
            steps += mounting + self.steps_of_users(name, targets) + [
                Step(f"{name}-unmount", " && ".join("/usr/bin/umount " + shlex.quote(t) for t in targets.values()))]
        self.done = kernel_guest.run(self.path("guest"), {"etc/fstab": "".join(self.rendered["fstab"].values())}, steps)
        self.assert_done("prepare")
        for name, (mounting, targets) in places.items():
            with self.subTest(name):
                for step in mounting:
                    self.assert_done(step.name)
                self.check_mount_table(name, targets)
                self.check_users(name)
                self.assert_done(f"{name}-unmount")
        self.check_server()

    def fstab_places(self):
        """(steps that mount, {(user, mount id): target})."""
        steps, targets = [], {}
        for user, text in self.rendered["fstab"].items():
            for mount, target in zip(self.specs[user]["mounts"], fstab_targets(text), strict=True):
                targets[user, mount["id"]] = target
                steps.append(Step(f"fstab-mount-{user}-{mount['id']}", f"mkdir -p {target} && /usr/bin/mount {target}"))
        return steps, targets

    def docker_places(self):
        steps, targets = [], {}
        for user, text in self.rendered["docker-run"].items():
            volumes = docker_volumes(text)
            for mount in self.specs[user]["mounts"]:
                volume = volumes.pop(mount["target"])
                target = f"/volumes/{user}-{mount['id']}"
                targets[user, mount["id"]] = target
                mounting = ["/usr/bin/mount", "-i", "-t", volume["type"], "-o", volume["o"], volume["device"], target]
                steps.append(Step(f"docker-mount-{user}-{mount['id']}", f"mkdir -p {target} && {shlex.join(mounting)}"))
            self.assertEqual(volumes, {})
        return steps, targets

    def steps_of_users(self, name, targets):
        home, other, data = (targets[key] for key in (("alice", "home"), ("bob", "home"), ("alice", "ds-iris")))
        def act(user, what, command):
            ids = self.specs[user]["identity"]
            own = f"/usr/bin/setpriv --reuid {ids['uid']} --regid {ids['gid']} --clear-groups "
            return Step(f"{name}-{user}-{what}", own + "/bin/sh -c " + shlex.quote(command))
        steps = [
            Step(f"{name}-table", "cat /proc/mounts"),
            act("alice", "writes", f"echo by {name} >{home}/{name}.txt && cat {home}/{name}.txt"),
            act("alice", "owns", f"stat -c %u:%g {home}/{name}.txt && stat -c %u:%g:%a {home}"),
            act("bob", "lists-alice", f"ls {home}"),
            act("bob", "reads-alice", f"cat {home}/{name}.txt"),
            act("bob", "writes-to-alice", f"echo no >{home}/theirs"),
            act("bob", "writes", f"echo bob >{other}/{name}.txt && cat {other}/{name}.txt"),
            act("alice", "lists-bob", f"ls {other}"),
            act("alice", "reads-data", f"cat {data}/iris.csv"),
            act("alice", "writes-to-data", f"echo no >{data}/new"),
            Step(f"{name}-root-writes-to-data", f"echo no >{data}/new"),
        ]
        return steps

    def assert_done(self, name):
        step = self.done[name]
        self.assertEqual(step.code, 0, f"{step.command}\n{step.output}")
        return step.output

    def assert_refused(self, name, why):
        step = self.done[name]
        self.assertNotEqual(step.code, 0, f"{step.command}\n{step.output}")
        self.assertIn(why, step.output)

    def check_mount_table(self, name, targets):
        table = {}
        for line in self.assert_done(f"{name}-table").splitlines():
            plain = [re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), field) for field in line.split()]
            device, target, kind, options = plain[:4]
            table[target] = (device, kind, set(options.split(",")))
        for (user, mount_id), target in targets.items():
            mount = next(m for m in self.specs[user]["mounts"] if m["id"] == mount_id)
            self.assertIn(target, table)
            device, kind, options = table[target]
            self.assertEqual(device.partition(":")[2], mount["source"]["export"])
            self.assertEqual(kind, "nfs" if mount["source"]["version"] == "3" else "nfs4")
            shown, hidden = expected_options(mount)
            self.assertEqual((shown - options, hidden & options), (set(), set()), options)

    def check_users(self, name):
        self.assertEqual(self.assert_done(f"{name}-alice-writes"), f"by {name}")
        self.assertEqual(self.assert_done(f"{name}-alice-owns"), "3001:3001\n3001:3001:700")
        self.assertEqual(self.assert_done(f"{name}-bob-writes"), "bob")
        self.assertEqual(self.assert_done(f"{name}-alice-reads-data"), DATASET_TEXT)
        for what in ("bob-lists-alice", "bob-reads-alice", "bob-writes-to-alice", "alice-lists-bob"):
            self.assert_refused(f"{name}-{what}", "ermission denied")
        self.assert_refused(f"{name}-alice-writes-to-data", "Read-only file system")
        self.assert_refused(f"{name}-root-writes-to-data", "Read-only file system")

    def check_server(self):
        """What the guest wrote lies in the homes, with their owners, and nothing else does."""
        for user, uid in USERS.items():
            home = self.specs[user]["mounts"][0]["source"]["export"]
            folder = self.nfs.directories["/homes"] + home.removeprefix("/homes")
            self.assertEqual(sorted(os.listdir(folder)), ["docker.txt", "fstab.txt"])
            self.assertEqual({os.lstat(os.path.join(folder, n)).st_uid for n in os.listdir(folder)}, {uid})
        self.assertEqual(os.listdir(os.path.join(self.nfs.directories["/data"], DATASET)), ["iris.csv"])


if __name__ == "__main__":
    unittest.main()
