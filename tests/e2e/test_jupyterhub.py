"""Homeport's JupyterHub module in a real JupyterHub (Debian's 3.0), asking a real homeportd.

The spawners start nothing (hub_spawners.EmptySpawner), but for NotebookOnNfsTest: real notebook servers, as real accounts,
on homes of a real NFS server. KubeSpawner, DockerSpawner, SystemdSpawner and TLJH's are not in Debian; what hub_spawners
says about the stand-ins in their place holds here.
"""
import concurrent.futures
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import hub_support
import kubernetes_support
import nfs_support
import support

LOAD = """
import homeport_hub
homeport_hub.BREAKER_PAUSE, homeport_hub.LOOK_LIMIT = 1.0, 2.0
homeport = homeport_hub.load(c, url={url!r}, token_file={token!r}, {more})
"""
HOSTILE = ["..", "a b", "a:b", "a,b", "-x", "x{0.__class__}", "$(id)", "%h", "a\\b", "new\nline", "root", "bob@ex.com",
           "a--b", "ünï", "'; drop table", "<b onclick=alert(1)>", "x" * 200]


class Stage(unittest.TestCase):
    """A daemon, a front before it and a hub, once for the class."""

    hub_config = ""
    options = "platform=hub_spawners.keep_spec, identity=hub_spawners.identity, deadline=4, first_deadline=20"

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="homeport-hub-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.daemon = cls.start_daemon()
        cls.token = cls.write_token("token", "main")
        cls.front = hub_support.Front(cls.daemon)
        cls.addClassCleanup(cls.front.close)
        cls.notebooks = hub_support.Notebooks()
        cls.addClassCleanup(cls.notebooks.close)
        cls.hub = cls.start_hub("hub", cls.hub_config + LOAD.format(url=cls.front.url, token=cls.token, more=cls.options))

    @classmethod
    def daemon_config(cls):
        return support.MEMORY_CONFIG

    @classmethod
    def start_daemon(cls):
        config = os.path.join(cls.directory, "homeportd.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(cls.daemon_config())
        daemon = support.Daemon(os.path.join(cls.directory, "state"), config, log_path=os.path.join(cls.directory, f"homeportd-{time.monotonic_ns()}.log"))
        cls.addClassCleanup(daemon.close)
        return daemon.wait_ready()

    @classmethod
    def write_token(cls, name, hub, realm=""):
        made = cls.daemon.call("POST", "/v1/tokens" + (f"?realm={realm}" if realm else ""), {"scope": "spawner", "hub": hub})
        path = os.path.join(cls.directory, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(made.body["token"] + "\n")
        return path

    @classmethod
    def start_hub(cls, name, config, environment=None):
        records = os.path.join(cls.directory, name + "-records")
        os.makedirs(records)
        hub = hub_support.Hub(os.path.join(cls.directory, name), config,
                              {"HUB_RECORDS": records, "HUB_NOTEBOOKS": str(cls.notebooks.port), **(environment or {})})
        hub.records = records
        cls.addClassCleanup(hub.close)
        return hub.wait_up()

    def setUp(self):
        self.front.mode, self.front.seen[:] = "pass", []

    def recorded(self, user, server="", hub=None):
        name = hashlib.sha256(f"{user}\0{server}".encode()).hexdigest()[:24] + ".json"
        path = os.path.join((hub or self.hub).records, name)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            return json.load(f)

    def spec(self, user, server="", hub=None):
        return self.recorded(user, server, hub)["spec"]

    def refused(self, user, status, words, options=None, hub=None):
        """The spawn is refused with that status and a text with those words."""
        got, text = (hub or self.hub).spawn(user, options=options)
        self.assertEqual(got, status, text)
        self.assertRegex(text, words)
        return text

    def started(self, user, server="", options=None, hub=None):
        status, text = (hub or self.hub).spawn(user, server, options)
        self.assertEqual(status, 201, text)


def problem(status, code, detail, retryable=False):
    return (status, "application/problem+json", json.dumps({
        "type": "about:blank", "title": "t", "status": status, "detail": detail, "code": code, "hint": None,
        "retryable": retryable, "request_id": None, "pointer": None, "upstream": None}).encode())


class PlatformTest(Stage):
    """What one kind of spawner is given. The specs are the daemon's, changed where a test needs odd ones."""

    def forge(self, user, change):
        answer = self.daemon.call("POST", "/v1/mountspecs?wait=20", {
            "hub": "main", "user": user, "identity": {"uid": self.ids(user), "gid": self.ids(user), "gids": [7001]}})
        self.assertEqual(answer.status, 200, answer)
        spec = answer.body
        change(spec)
        self.front.mode = (200, "application/json", json.dumps(spec).encode())
        return spec

    @staticmethod
    def ids(user):
        return 100000 + int(hashlib.sha256(user.encode()).hexdigest()[:8], 16) % 1000000000

    @staticmethod
    def dataset(name, access="ro", **source):
        """One more mount for a spec; name becomes part of both paths."""
        return {"id": "ds-" + hashlib.sha256(name.encode()).hexdigest()[:8], "kind": "dataset", "target": "/data/" + name,
                "access": access, "required": False, "parent": None, "mountpoint_ready": False, "quota": None, "lifetime": None,
                "source": {"type": "nfs", "server": "192.0.2.10", "export": "/export/" + name, "version": "4.1", "port": None,
                           "mount_port": None, "fs_id": None, **source},
                "nfs": {"transport": "tcp", "hard": True, "timeo": 600, "retrans": 2, "rsize": None, "wsize": None,
                        "nconnect": 4, "nolock": False, "noresvport": False, "noatime": False, "nosuid": True, "nodev": True,
                        "noexec": False, "sec": "sys"}}


class KubernetesTest(PlatformTest):
    options = ('identity=hub_spawners.identity, deadline=4, first_deadline=20, replaces=["/home/jovyan/work/"], '
               'pilot={"users": ["ann"], "groups": ["pilot"]}')
    hub_config = """
c.JupyterHub.spawner_class = hub_spawners.Kube
c.KubeSpawner.volumes = {"home": {"name": "volume-{username}", "persistentVolumeClaim": {"claimName": "claim-{username}"}},
                         "work": {"name": "work", "nfs": {"server": "192.0.2.1", "path": "/work"}},
                         "shared": {"name": "shared", "nfs": {"server": "192.0.2.1", "path": "/shared", "readOnly": True}}}
c.KubeSpawner.volume_mounts = {"home": {"name": "volume-{username}", "mountPath": "/home/jovyan"},
                               "work": {"name": "work", "mountPath": "/home/jovyan/work"},
                               "shared": {"name": "shared", "mountPath": "/shared"}}
c.KubeSpawner.init_containers = [{"name": "prepare", "volumeMounts": [{"name": "volume-{username}", "mountPath": "/home/jovyan/"}]}]
c.KubeSpawner.extra_containers = [{"name": "sidecar", "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}]
c.KubeSpawner.supplemental_gids = [100]
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.uid = 1000
c.KubeSpawner.environment = {"NB_UMASK": "0077", "SITE": "kept"}
async def site_hook(spawner, pod):
    pod.metadata.labels = {"site": "was here"}
    return pod
c.Kube.modify_pod_hook = site_hook
def profile(spawner):
    # A profile that gives volumes as a list wipes whatever a pre-spawn hook put there.
    if spawner.user.name == "ann":
        spawner.profile_override = {"volumes": [], "volume_mounts": []}
c.Kube.pre_spawn_hook = profile
"""

    @classmethod
    def daemon_config(cls):
        """With a cluster of its own, in which the service makes claims."""
        certificate = kubernetes_support.make_certificate(cls.directory, "cluster")
        rights = subprocess.run([support.binary("homeport"), "kubernetes", "rbac", "--namespace", "jhub"], capture_output=True,
                                text=True, check=True, timeout=support.PATIENCE).stdout
        cls.cluster = kubernetes_support.KubernetesApi(certificate, "of-the-account", kubernetes_support.Rules(rights, "homeport", "homeport"))
        cls.addClassCleanup(cls.cluster.stop)
        token = os.path.join(cls.directory, "cluster-token")
        with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write("of-the-account")
        return (f"kubernetes: {{server: \"{cls.cluster.url}\", ca_file: {certificate[0]}, token: {{file: {token}}}, namespaces: [jhub]}}\n"
                + support.MEMORY_CONFIG)

    def pod(self, user, hub=None):
        hub = hub or self.hub
        hub.add_user(user)
        self.started(user, hub=hub)
        hub.stop_server(user)
        made = self.recorded(user, hub=hub)
        pod = made["pod"]
        notebook = pod["spec"]["containers"][0]
        mounts = {m["mountPath"]: (m["name"], m.get("readOnly", False)) for m in notebook["volumeMounts"]}
        return made, {v["name"]: v for v in pod["spec"]["volumes"]}, mounts, notebook

    def test_a_pod_of_the_pilot_mounts_what_the_spec_says_whatever_the_profile_does(self):
        hostile = "{x}, 2nd #$(HOME) %h"
        def more(spec):
            spec["mounts"].append(self.dataset(hostile))
            spec["environment"]["MOTD"] = "$(PATH) {user}"
            spec["environment"]["JUPYTERHUB_API_TOKEN"] = "not yours to set"
        spec = self.forge("ann", more)
        made, volumes, mounts, notebook = self.pod("ann")
        home = spec["mounts"][0]
        self.assertEqual(volumes, {
            "homeport-home": {"name": "homeport-home", "nfs": {"server": "memory", "path": home["source"]["export"], "readOnly": False}},
            "homeport-" + spec["mounts"][1]["id"]: {"name": "homeport-" + spec["mounts"][1]["id"], "nfs": {
                "server": "192.0.2.10", "path": "/export/" + hostile, "readOnly": True}}})
        self.assertEqual(mounts, {"/home/jovyan": ("homeport-home", False),
                                  "/data/" + hostile: ("homeport-" + spec["mounts"][1]["id"], True)})
        environment = {e["name"]: e.get("value") for e in notebook["env"]}
        self.assertEqual(environment["MOTD"], "$$(PATH) {user}")
        self.assertEqual((environment["NB_UMASK"], environment["SITE"]), ("0022", "kept"))
        self.assertNotEqual(environment["JUPYTERHUB_API_TOKEN"], "not yours to set")
        self.assertEqual(len(environment), len(notebook["env"]), "no name twice")
        self.assertEqual(notebook["securityContext"], {"runAsUser": self.ids("ann"), "runAsGroup": self.ids("ann"),
                                                       "allowPrivilegeEscalation": False})
        self.assertEqual(made["pod"]["spec"]["securityContext"], {"supplementalGroups": [100, 7001]})
        self.assertEqual(made["pod"]["metadata"]["labels"], {"site": "was here"})
        self.assertEqual(made["pod"]["spec"]["initContainers"][0]["volumeMounts"],
                         [{"name": "homeport-home", "mountPath": "/home/jovyan", "readOnly": False}])
        self.assertIs(made["pvc"], False)
        self.assertRegex(self.hub.log(), "node's own mount options; not applied for ann: .*nconnect=4.*vers=4.1")

    def test_pilot_groups_come_and_go_and_all_others_keep_the_sites_storage(self):
        made, volumes, mounts, _ = self.pod("zed")
        site = (sorted(volumes), mounts, made["pvc"])
        self.assertEqual(site, (["shared", "volume-zed", "work"], {
            "/home/jovyan": ("volume-zed", False), "/home/jovyan/work": ("work", False), "/shared": ("shared", False)}, True))
        self.assertEqual(self.front.seen, [], "the service hears nothing of those who are not in the pilot")
        self.hub.call("POST", "/groups/pilot")
        self.hub.call("POST", "/groups/pilot/users", {"users": ["zed"]})
        made, volumes, mounts, _ = self.pod("zed")
        self.assertEqual(sorted(volumes), ["homeport-home", "shared"])
        self.assertEqual(mounts, {"/home/jovyan": ("homeport-home", False), "/shared": ("shared", False)})
        self.assertIs(made["pvc"], False)
        self.hub.call("DELETE", "/groups/pilot/users", {"users": ["zed"]})
        made, volumes, mounts, _ = self.pod("zed")
        self.assertEqual((sorted(volumes), mounts, made["pvc"]), site)

    def test_what_no_inline_volume_can_carry_is_refused(self):
        self.forge("ann", lambda spec: spec["mounts"].append(self.dataset("ports", port=12049)))
        self.hub.add_user("ann")
        self.refused("ann", 500, "port of its own")
        self.forge("ann", lambda spec: spec["mounts"][0].update(source={"type": "local", "host": "nas", "path": "/pool/x"}))
        self.refused("ann", 500, "single host")

    def test_claims_are_named_by_the_service(self):
        hub = self.start_hub("claims", self.hub_config + LOAD.format(url=self.front.url, token=self.token,
                                                                     more=self.options + ', volumes="claims"'))
        _, volumes, mounts, _ = self.pod("ann", hub)
        name = mounts["/home/jovyan"][0]
        self.assertRegex(name, "^nb-home-[0-9a-f]{10}$")
        self.assertEqual(volumes[name]["persistentVolumeClaim"], {"claimName": name, "readOnly": False})
        self.assertIn(name, [c["metadata"]["name"] for c in self.cluster.claims()], "no pod waits for a claim")
        self.front.mode = "drop"
        self.assertEqual(self.pod("ann", hub)[1], volumes, "the kept spec knows its claims")
        hub.close()

    def test_a_hook_set_after_load_is_noticed(self):
        late = """
async def late(spawner, pod):
    return pod
c.KubeSpawner.modify_pod_hook = late
c.Kube.modify_pod_hook = late
"""
        hub = self.start_hub("late", self.hub_config + LOAD.format(url=self.front.url, token=self.token, more=self.options) + late)
        hub.add_user("ann"), hub.add_user("zed")
        self.refused("ann", 500, "modify_pod_hook is set after Homeport's", hub=hub)
        self.started("zed", hub=hub)
        hub.close()


class DockerTest(PlatformTest):
    options = 'identity=hub_spawners.identity, deadline=4, first_deadline=20, pilot={"users": ["ann"]}, replaces=["/home/jovyan/work"]'
    hub_config = """
c.JupyterHub.spawner_class = hub_spawners.Docker
c.DockerSpawner.remove = True
c.DockerSpawner.volumes = {"user-{username}": "/home/jovyan", "work-{username}": {"bind": "/home/jovyan/work", "mode": "rw"},
                           "/srv/tools": "/tools"}
c.DockerSpawner.read_only_volumes = {"/srv/shared": "/shared"}
c.DockerSpawner.mounts = [{"type": "bind", "source": "/srv/{username}", "target": "/mine"}]
async def kwargs(spawner):
    return {"labels": {"site": "was here"}}
c.DockerSpawner.extra_create_kwargs = kwargs
c.DockerSpawner.extra_host_config = {"group_add": ["44"], "network_mode": "none"}
"""

    def container(self, user):
        self.hub.add_user(user)
        self.started(user)
        self.hub.stop_server(user)
        made = self.recorded(user)
        host = made["host_config"]
        return made, host, {m["Target"]: m for m in host.get("Mounts") or []}

    def test_a_container_of_the_pilot(self):
        hostile = "{x}, 2nd #edition"
        spec = self.forge("ann", lambda spec: spec["mounts"].extend([self.dataset(hostile), self.dataset("six", server="2001:db8::7")]))
        made, host, mounts = self.container("ann")
        export = spec["mounts"][0]["source"]["export"]
        home = mounts["/home/jovyan"]
        self.assertRegex(home["Source"], "^homeport-home-[0-9a-f]{12}$")
        self.assertEqual((home["Type"], home["ReadOnly"], home["VolumeOptions"]), ("volume", False, {
            "NoCopy": True, "DriverConfig": {"Name": "local", "Options": {"type": "nfs", "device": ":" + export, "o":
                "addr=memory,vers=4.2,proto=tcp,hard,timeo=600,retrans=2,nosuid,nodev,rw"}}}))
        self.assertTrue(mounts["/data/" + hostile]["ReadOnly"])
        self.assertEqual(mounts["/data/" + hostile]["VolumeOptions"]["DriverConfig"]["Options"]["device"], ":/export/" + hostile)
        self.assertIn("addr=2001:db8::7,vers=4.1,proto=tcp6,", mounts["/data/six"]["VolumeOptions"]["DriverConfig"]["Options"]["o"])
        self.assertEqual(mounts["/mine"]["Source"], "/srv/ann")
        self.assertEqual(sorted(host["Binds"]), ["/srv/shared:/shared:ro", "/srv/tools:/tools:rw"])
        self.assertEqual((made["user"], made["labels"]), (f"{self.ids('ann')}:{self.ids('ann')}", {"site": "was here"}))
        self.assertEqual(host["GroupAdd"], ["44", "7001"])
        self.assertEqual(made["environment"]["HOMEPORT_SPEC"], spec["spec_id"])
        # Docker keeps what it knows under a name: another mount, another name.
        self.forge("ann", lambda spec: spec["mounts"][0]["nfs"].update(timeo=100))
        self.assertNotEqual(self.container("ann")[2]["/home/jovyan"]["Source"], home["Source"])

    def test_all_others_keep_the_sites_storage(self):
        made, host, mounts = self.container("zed")
        self.assertEqual(sorted(mounts), ["/mine"])
        self.assertEqual(sorted(host["Binds"]), ["/srv/shared:/shared:ro", "/srv/tools:/tools:rw", "user-zed:/home/jovyan:rw",
                                                 "work-zed:/home/jovyan/work:rw"])
        self.assertNotIn("user", made)
        self.assertEqual(self.front.seen, [])

    def test_containers_that_are_kept_are_refused(self):
        hub = self.start_hub("kept", self.hub_config + "c.DockerSpawner.remove = False\n" +
                             LOAD.format(url=self.front.url, token=self.token, more=self.options))
        hub.add_user("ann")
        self.refused("ann", 500, "remove = True", hub=hub)
        hub.close()


class HostTest(PlatformTest):
    """SystemdSpawner and TLJH, with accounts that are really made on this host."""

    options = "deadline=4, first_deadline=20"
    hub_config = """
c.JupyterHub.spawner_class = hub_spawners.Systemd
c.SystemdSpawner.unit_extra_properties = {"BindPaths": "/srv/tools:/tools", "TasksMax": "{USERNAME}"}
"""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("making accounts needs root")
        super().setUpClass()
        cls.accounts = Accounts(cls)
        cls.tljh = cls.start_hub("tljh", "c.JupyterHub.spawner_class = hub_spawners.Tljh\n" +
                                 LOAD.format(url=cls.front.url, token=cls.token, more=cls.options))

    def local(self, spec, uid, name):
        """The spec's home is a directory of this host."""
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, uid, uid)
        spec["identity"].update(uid=uid, gid=uid)
        spec["mounts"][0]["source"] = {"type": "local", "host": os.uname().nodename, "path": path}
        return path

    def test_a_unit_binds_the_home_over_the_accounts_own(self):
        user, uid = self.accounts.add("unit")
        self.hub.add_user(user)
        paths = []
        def change(spec):
            paths.append(self.local(spec, uid, "home {of}: 'x'"))
            data = os.path.join(self.directory, "da:ta")
            os.makedirs(data, exist_ok=True)
            spec["mounts"].append(self.dataset("iris", type="local", host=os.uname().nodename, path=data))
            paths.append(data)
        for _ in range(2):  # SystemdSpawner formats its settings in place: the second start must find them unharmed
            self.forge(user, change)
            self.started(user)
            made = self.recorded(user)
            self.hub.stop_server(user)
            # What systemd reads: backslash quotes one character, blanks and ':' separate.
            words = [re.sub(r"\\(.)", r"\1", part) for bind in re.findall(r"(?:\\.|\S)+", made["properties"]["BindPaths"])
                     for part in re.findall(r"(?:\\.|[^:\\])+", bind)]
            home = pwd.getpwnam(user).pw_dir
            self.assertEqual(words, ["/srv/tools", "/tools", paths[0], home])
            self.assertEqual(made["properties"]["BindReadOnlyPaths"], paths[1].replace(":", "\\:") + ":/data/iris")
            self.assertEqual((made["uid"], made["properties"]["TasksMax"]), (uid, user))
            self.assertEqual((made["environment"]["NB_HOME"], made["environment"]["NB_DATASETS"]), (home, "/data/iris"))
        self.assertEqual(self.front.questions()[0]["identity"]["uid"], uid, "the account's own ids are the identity")

    def test_tljh_makes_the_account_first_with_homeports_uid(self):
        taken = {a.pw_uid for a in pwd.getpwall()}
        free = [u for u in range(62500 + os.getpid() % 500, 64000) if u not in taken]
        short, long = f"t{os.getpid()}", f"t{os.getpid()}-with-a-rather-long-name@example.org"
        for user, uid in ((short, free[0]), (long, free[1])):
            with self.subTest(user):
                name = "jupyter-" + user
                if len(name) >= 26:
                    name = name[:26] + "-" + hashlib.sha256(name.encode()).hexdigest()[:5]
                self.accounts.names[name] = uid
                path = []
                self.forge(user, lambda spec: path.append(self.local(spec, uid, "tljh-" + user)))
                self.tljh.add_user(user)
                self.started(user, hub=self.tljh)
                account = pwd.getpwnam(name)
                self.assertEqual((account.pw_uid, account.pw_gid, account.pw_dir), (uid, uid, path[0]))
                made = self.recorded(user, hub=self.tljh)
                self.assertEqual((made["uid"], made["working_dir"]), (uid, path[0]))
                self.assertNotIn("BindPaths", made["properties"], "the account's home is the home")
                self.tljh.stop_server(user)
                self.started(user, hub=self.tljh)
                self.tljh.stop_server(user)
                self.assertEqual(self.front.questions()[-1]["identity"], {"uid": uid, "gid": uid})
                self.forge(user, lambda spec: self.local(spec, free[5], "tljh-" + user))
                self.refused(user, 500, f"has uid {uid} on this host, and Homeport knows it with {free[5]}", hub=self.tljh)

    def test_tljh_refuses_what_cannot_be_an_account(self):
        self.tljh.add_user("a b")
        self.forge("a b", lambda spec: self.local(spec, 62400, "blank"))
        self.refused("a b", 400, "cannot be the name of an account", hub=self.tljh)
        user = f"sq{os.getpid()}"
        self.tljh.add_user(user)
        self.forge(user, lambda spec: (self.local(spec, 1000, "squash"), spec["identity"].update(mode="squash")))
        self.refused(user, 500, "identity squash", hub=self.tljh)
        self.forge(user, lambda spec: self.local(spec, 0, "root"))
        self.refused(user, 500, "uid of its own", hub=self.tljh)


class ScenarioTest(Stage):
    hub_config = """
async def theirs(spawner):
    hub_spawners.note("site before start")
    if spawner.user.name == "nobody":
        raise ValueError("the site's own reason")
def after(spawner):
    hub_spawners.note("site after stop")
    raise RuntimeError("a hook that fails")
c.Spawner.pre_spawn_hook = theirs
c.Spawner.post_stop_hook = after
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.daemon.call("PUT", "/v1/datasets/iris?wait=20", {"backend": "lab", "path": "/data/sets"})
        assert made.status == 201, made
        grant = {"subject_kind": "group", "subject": "course-a", "access": "ro"}
        assert cls.daemon.call("POST", "/v1/datasets/iris/grants", grant).status == 200
        cls.hub.add_user("healer")
        assert cls.hub.spawn("healer")[0] == 201
        cls.hub.stop_server("healer")

    def user(self, name):
        self.hub.add_user(name)
        return name

    def test_same_user_twice_same_digest_and_the_end_is_told(self):
        alice = self.user("alice")
        self.started(alice)
        first = self.spec(alice)
        self.hub.stop_server(alice)
        self.started(alice)
        self.assertEqual(self.spec(alice)["digest"], first["digest"])
        self.assertEqual(first["state"], "ready")
        self.assertEqual(self.front.releases(), [first["spec_id"]])
        self.hub.stop_server(alice)
        self.assertNotIn(hub_support.ADMIN, json.dumps(self.front.questions()))
        with open(self.token, encoding="ascii") as f:
            self.assertNotIn(f.read().strip(), self.hub.log())

    def test_hooks_of_the_site_run_too_and_in_order(self):
        self.user("chain"), self.user("nobody")
        order = os.path.join(self.hub.records, "order")
        if os.path.exists(order):
            os.unlink(order)
        self.started("chain")
        self.hub.stop_server("chain")
        status, _ = self.hub.spawn("nobody")  # the site refuses: Homeport is not even asked
        self.assertEqual(status, 500)
        with open(order, encoding="utf-8") as f:
            self.assertEqual(f.read().split("\n"), ["site before start", "homeport", "site after stop",
                                                    "site before start", "site after stop", ""])
        self.assertEqual([q["user"] for q in self.front.questions()], ["chain"])
        self.assertEqual(len(self.front.releases()), 1, "the end is told even when the site's own hook fails")

    def test_a_group_gives_and_takes_a_dataset(self):
        carol = self.user("carol")
        def datasets():
            self.started(carol)
            self.hub.stop_server(carol)
            return [m["target"] for m in self.spec(carol)["mounts"] if m["kind"] == "dataset"]
        self.assertEqual(datasets(), [])
        self.hub.call("POST", "/groups/course-a")
        self.assertEqual(self.hub.call("POST", "/groups/course-a/users", {"users": [carol]}).status, 200)
        self.assertEqual(len(datasets()), 1)
        # While the service is away the kept spec must not outlive the membership.
        self.assertEqual(self.hub.call("DELETE", "/groups/course-a/users", {"users": [carol]}).status, 200)
        self.outage("drop")
        self.assertEqual(datasets(), [])
        self.heal()
        self.assertEqual(datasets(), [])

    def test_a_group_of_a_strange_name_costs_nobody_the_home(self):
        self.user("dirk")
        self.hub.call("POST", "/groups/%2Fstaff%2Fall")
        self.hub.call("POST", "/groups/%2Fstaff%2Fall/users", {"users": ["dirk"]})
        self.started("dirk")
        self.hub.stop_server("dirk")

    def test_a_dataset_that_is_not_granted_is_refused_in_words(self):
        erin = self.user("erin")
        self.refused(erin, 403, "iris.* is not granted to erin", {"datasets": ["iris"]})
        self.refused(erin, 400, "list of names", {"datasets": {"iris": True}})
        self.refused(erin, 400, "^Name '../../etc'", {"datasets": ["../../etc"]})
        self.started(erin, options={"datasets": []})
        self.hub.stop_server(erin)

    def outage(self, mode):
        """Until heal(), or the test ends."""
        self.front.mode = mode
        self.addCleanup(self.heal)

    def heal(self):
        """After an outage: until the breaker lets somebody through again."""
        self.front.mode = "pass"
        def asks():
            self.started("healer")
            self.hub.stop_server("healer")
            return self.spec("healer")["state"] == "ready"
        support.wait_until(asks, "the service is asked again", 60)
        self.front.seen[:] = []

    def test_service_away_or_wrong_known_people_start_others_are_told(self):
        known, new = self.user("frida"), self.user("gustav")
        self.started(known)
        digest = self.spec(known)["digest"]
        self.hub.stop_server(known)
        other = dict(self.spec(known), subject=dict(self.spec(known)["subject"], user="mallory"))
        homeless = dict(self.spec(known), mounts=[])
        modes = {
            "drop": "drop",
            "not JSON": (200, "text/html", b"<html>Welcome to nginx</html>"),
            "cut short": (200, "application/json", b'{"schema": "mountspec/1", "subj'),
            "another document": (200, "application/json", b'{"hello": [1, 2, 3]}'),
            "a list": (200, "application/json", b"[]"),
            "deep": (200, "application/json", b"[" * 200000),
            "somebody else's spec": (200, "application/json", json.dumps(other).encode()),
            "no home in it": (200, "application/json", json.dumps(homeless).encode()),
            "redirect": (302, "text/html", b"moved"),
            "bad gateway": (502, "text/html", b"<h1>502 Bad Gateway</h1>"),
            "wrong token": problem(401, "unauthenticated", "the token is not known"),
            "starting": problem(503, "unavailable", "the service is starting", True),
        }
        for name, mode in modes.items():
            with self.subTest(name):
                self.outage(mode)
                self.started(known)
                self.assertEqual((self.spec(known)["digest"], self.spec(known)["state"]), (digest, "degraded"))
                self.hub.stop_server(known)
                self.refused(new, 503, "cannot be asked for your home right now")
                self.heal()
        self.assertTrue(self.hub.alive())
        self.started(new)
        self.hub.stop_server(new)

    def test_service_killed_and_back(self):
        known = self.user("hugo")
        self.started(known)
        self.hub.stop_server(known)
        self.daemon.kill()
        self.started(known)
        self.assertEqual(self.spec(known)["state"], "degraded")
        self.hub.stop_server(known)
        cls = type(self)
        cls.daemon = self.front.daemon = cls.start_daemon()
        self.heal()

    def test_a_hanging_service_holds_nobody_else_up(self):
        known, new = self.user("ida"), self.user("jan")
        self.started(known)
        self.hub.stop_server(known)
        self.outage("hang")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            spawns = [pool.submit(self.hub.spawn, user) for user in (known, new)]
            waits, began = [], time.monotonic()
            while not all(s.done() for s in spawns):
                asked = time.monotonic()
                self.assertEqual(self.hub.call("GET", "/").status, 200)
                waits.append(time.monotonic() - asked)
            self.assertEqual(spawns[0].result()[0], 201)
            self.assertEqual(spawns[1].result()[0], 503)
        # Were the hub blocked meanwhile, one of the others would have waited for most of that time.
        self.assertLess(max(waits), (time.monotonic() - began) / 4)
        self.assertEqual(self.spec(known)["state"], "degraded")
        self.hub.stop_server(known)

    def test_the_breaker_spares_a_service_that_fails(self):
        self.outage("drop")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            for status, text in pool.map(self.hub.spawn, [self.user(f"kim{i}") for i in range(40)]):
                self.assertEqual(status, 503, text)
        self.assertLess(len(self.front.questions()), 40, "after three failures in a row hardly anybody asks for a while")
        self.assertRegex(self.hub.log(), "failed 3 times in a row")
        self.heal()
        self.assertRegex(self.hub.log(), "answers again")

    def test_what_the_service_blocks_is_told_and_no_old_spec_is_used(self):
        lena = self.user("lena")
        self.started(lena)
        spec = self.spec(lena)
        self.hub.stop_server(lena)
        full = dict(spec, state="blocked", status_hint=507, notices=[
            {"code": "home-full", "level": "error", "text": "Home is 100 % full; free space <here>.", "url": None},
            {"code": "x", "level": "info", "text": "not this", "url": None}])
        self.front.mode = (507, "application/json", json.dumps(full).encode())
        text = self.refused(lena, 507, r"^Home is 100 % full; free space <here>\.$")
        events = self.hub.progress(lena)
        self.assertIn(text, events[-1]["message"])
        self.assertIn("free space &lt;here&gt;", events[-1]["html_message"])
        self.front.mode = problem(403, "forbidden", "the home is retired")
        self.refused(lena, 403, "^The home is retired")
        self.front.mode = problem(507, "over_quota", "the pool has no room")
        self.refused(lena, 507, "^The pool has no room")
        self.front.mode = "pass"
        paused = self.daemon.call("POST", "/v1/backends/lab/pause", {"text": "The NAS moves until 10 o'clock."})
        self.assertEqual(paused.status, 200, paused)
        try:
            self.refused(lena, 503, "The NAS moves until 10 o'clock.")
        finally:
            self.daemon.call("POST", "/v1/backends/lab/resume")
        self.started(lena)
        self.hub.stop_server(lena)

    def test_ten_refused_spawns_in_a_row_and_the_hub_lives(self):
        max_ = self.user("max")
        self.started(max_)
        self.hub.stop_server(max_)
        self.front.seen[:] = []
        self.front.mode = problem(507, "over_quota", "the home is full")
        for _ in range(10):
            self.refused(max_, 507, "The home is full")
        time.sleep(2.5)  # a hub that gives up does so two seconds later
        self.assertTrue(self.hub.alive())
        about = self.hub.call("GET", "/")
        self.assertEqual(about.status, 200)
        counts_refusals = int(about.body["version"].split(".")[0]) < 6
        self.assertEqual("consecutive_failure_limit is set to 0" in self.hub.log(), counts_refusals)
        self.assertEqual(self.front.releases(), [], "the end of a spawn that never started is no end of a session")

    def test_names_nobody_should_have(self):
        spaces_before = len(self.daemon.call("GET", "/v1/homes?limit=1000").body["items"])
        served = []
        for name in HOSTILE:
            with self.subTest(name):
                answer = self.hub.call("POST", "/users", {"usernames": [name]})
                self.assertEqual(answer.status, 201, answer)
                name = answer.body[0]["name"]
                if name == ".." or "\n" in name:
                    self.refused(name, 400, "^User name")
                    continue
                self.started(name)
                spec = self.spec(name)
                self.assertEqual(spec["subject"]["user"], name)
                self.assertRegex(spec["subject"]["user_key"], "^u-[0-9a-f]{16}$")
                self.assertRegex(spec["mounts"][0]["source"]["export"], r"^/[a-z0-9/-]+$")
                self.hub.stop_server(name)
                served.append(spec["subject"]["user_key"])
        self.assertEqual(len(set(served)), len(HOSTILE) - 2)
        self.assertEqual(len(self.daemon.call("GET", "/v1/homes?limit=1000").body["items"]), spaces_before + len(served))
        kept = os.path.join(self.hub.directory, "homeport-specs")
        self.assertEqual(os.stat(kept).st_mode & 0o777, 0o700)
        for name in os.listdir(kept):
            self.assertRegex(name, r"^[0-9a-f]{40}\.json$")
            self.assertEqual(os.stat(os.path.join(kept, name)).st_mode & 0o777, 0o600)
        self.assertTrue(self.hub.alive())

    def test_named_servers_share_the_home(self):
        nora = self.user("nora")
        self.started(nora)
        self.started(nora, "gpu")
        homes = {self.spec(nora, server)["mounts"][0]["source"]["export"] for server in ("", "gpu")}
        self.assertEqual(len(homes), 1)
        self.assertNotEqual(self.spec(nora)["spec_id"], self.spec(nora, "gpu")["spec_id"])
        self.hub.stop_server(nora, "gpu")
        self.assertEqual(self.front.releases(), [self.spec(nora, "gpu")["spec_id"]])
        self.hub.stop_server(nora)

    def test_a_rename_in_the_hub_takes_nobodys_home(self):
        olga = self.user("olga")
        self.started(olga)
        self.hub.stop_server(olga)
        before = self.daemon.call("GET", "/v1/homes/olga").body
        self.assertEqual(self.hub.call("PATCH", "/users/olga", {"name": "olga--new"}).status, 200)
        self.refused("olga--new", 409, "^Uid .* belongs to olga")
        self.hub.call("DELETE", "/users/olga--new")
        after = self.daemon.call("GET", "/v1/homes/olga").body
        self.assertEqual((after["state"], after["path"]), ("ready", before["path"]))

    def test_a_rename_in_the_hub_while_she_logs_in(self):
        """The question is on its way under the old name when the hub gives her another one."""
        runa = self.user("runa")
        self.front.mode = "hang"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            spawn = pool.submit(self.hub.spawn, runa)
            support.wait_until(self.front.questions, "the hook asks")
            self.assertEqual(self.hub.call("PATCH", "/users/runa", {"name": "runa--new"}).status, 200)
            self.front.mode = "pass"
            spawn.result(60)   # whatever the hub makes of it: she starts, or is told to try again
        self.assertTrue(self.hub.alive())
        homes = [h for h in self.daemon.call("GET", "/v1/homes?limit=1000").body["items"] if h["owner"]["names"][0].startswith("runa")]
        self.assertLessEqual(len(homes), 1, "never two homes of one person")
        self.hub.stop_server("runa--new")
        status, _ = self.hub.spawn("runa--new")
        if status != 201:   # her first home was made under the old name: held until an admin says who it is
            self.refused("runa--new", 409, "^Uid .* belongs to runa")
            renamed = self.daemon.call("POST", "/v1/users/runa/rename", {"name": "runa--new"})
            self.assertEqual(renamed.status, 200, renamed)
            self.started("runa--new")
        homes = [h for h in self.daemon.call("GET", "/v1/homes?limit=1000").body["items"] if h["owner"]["names"][0].startswith("runa")]
        self.assertEqual(len(homes), 1)
        self.assertEqual(self.spec("runa--new")["mounts"][0]["source"]["export"], homes[0]["source"]["export"])
        self.hub.stop_server("runa--new")

    def test_a_hub_of_another_realm_has_other_homes(self):
        self.started(self.user("petra"))
        self.hub.stop_server("petra")
        token = self.write_token("other-token", "other", "elsewhere")
        other = self.start_hub("other", LOAD.format(url=self.front.url, token=token, more=self.options + ', hub="other"'))
        other.add_user("petra")
        self.started("petra", hub=other)
        here, there = self.spec("petra"), self.spec("petra", hub=other)
        self.assertNotEqual(here["subject"]["user_key"], there["subject"]["user_key"])
        self.assertNotEqual(here["mounts"][0]["source"]["export"], there["mounts"][0]["source"]["export"])
        other.close()


class FirstLoginsTest(Stage):
    """Everybody's first login at once, on a real NFS server whose answers are late and some of whose connections break."""

    options = "platform=timed, identity=hub_spawners.identity, deadline=60, first_deadline=300"
    hub_config = """
import time
began = {}
def before(spawner):
    began[spawner.user.name] = time.monotonic()
c.Spawner.pre_spawn_hook = before
def timed(spawner, spec):
    hub_spawners.record(spawner, {"spec": spec, "took": time.monotonic() - began[spawner.user.name]})
"""
    people = 200

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("the real NFS server of this test needs root")
        cls.nfs = nfs_support.NfsServer("/homes")
        cls.addClassCleanup(cls.nfs.close)
        cls.relay = hub_support.SlowRelay(cls.nfs.port, (0.005, 0.05), lossy=100)
        cls.addClassCleanup(cls.relay.close)
        super().setUpClass()

    @classmethod
    def daemon_config(cls):
        return nfs_support.config(cls.nfs, "storm").replace(f"nfs_port: {cls.nfs.port}", f"nfs_port: {cls.relay.port}", 1)

    def test_exactly_one_home_each(self):
        names = [f"s{i:03}" for i in range(self.people)]
        self.assertEqual(self.hub.call("POST", "/users", {"usernames": names + ["first"]}).status, 201)
        # What the first one sees while it waits.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            shown = pool.submit(self.watch, "first")
            self.started("first")
            self.assertRegex(shown.result()[0]["message"], "Server requested")
        with concurrent.futures.ThreadPoolExecutor(self.people) as pool:
            shown = [pool.submit(self.watch, name) for name in names[-5:]]
            spawns = dict(zip(names, pool.map(self.hub.spawn, names)))
        self.assertEqual({n: s for n, s in spawns.items() if s[0] != 201}, {})
        self.assertGreater(self.relay.cut, 0, "no connection broke: the test does not test what it says")
        homes = self.daemon.call("GET", "/v1/homes?limit=1000").body["items"]
        self.assertEqual(sorted(h["name"] for h in homes), sorted(names + ["first"]))
        folder = os.path.join(self.nfs.directories["/homes"], "storm")
        self.assertEqual(len(os.listdir(folder)), self.people + 1, "one directory each, and nothing left over")
        uids = set()
        for name in names:
            export = self.spec(name)["mounts"][0]["source"]["export"]
            status = os.stat(os.path.join(self.nfs.directories["/homes"], os.path.relpath(export, "/homes")))
            self.assertEqual((status.st_uid, status.st_mode & 0o7777), (self.spec(name)["identity"]["uid"], 0o700))
            uids.add(status.st_uid)
        self.assertEqual(len(uids), self.people)
        took = sorted(self.recorded(name)["took"] for name in names)
        print(f"first logins: median {took[len(took) // 2]:.1f} s, p95 {took[len(took) * 95 // 100]:.1f} s, "
              f"{self.relay.cut} connections broken", file=sys.stderr)
        messages = [event["message"] for one in shown for event in one.result()]
        self.assertTrue(any("Making your home" in m for m in messages), messages)
        self.assertTrue(any("Server ready" in m for m in messages), messages)

    def watch(self, user):
        """What the spawn page of that user shows, from the moment there is something to show."""
        def events():
            return self.hub.progress(user)
        return support.wait_until(events, f"{user} is starting")


class Accounts:
    """Accounts of this machine for one test class, with ids nobody has."""

    def __init__(self, case):
        self.case, self.names = case, {}
        case.addClassCleanup(self.remove)

    def add(self, word):
        taken = {a.pw_uid for a in pwd.getpwall()}
        uid = next(u for u in range(61200 + os.getpid() % 500, 64000) if u not in taken)
        name = f"hp{os.getpid()}{word}"
        home = os.path.join(self.case.directory, "login-" + word)
        subprocess.run(["useradd", "--uid", str(uid), "--user-group", "--home-dir", home, "--create-home", name],
                       check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.names[name] = uid
        return name, uid

    def remove(self):
        for name in self.names:
            subprocess.run(["userdel", "--force", name], check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class NotebookOnNfsTest(Stage):
    """Real notebook servers, each as its own account of this host, on homes that this host has mounted over NFS."""

    hub_config = """
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = ["/usr/bin/jupyterhub-singleuser"]
c.Spawner.default_url = "/tree"
c.Spawner.http_timeout = 60
c.Spawner.environment = {"JUPYTERHUB_SINGLEUSER_APP": "notebook.notebookapp.NotebookApp", "SITE": "kept"}
"""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("the real NFS server and the accounts of this test need root")
        cls.nfs = nfs_support.NfsServer("--no-cache", "/homes", "/data:ro")
        cls.addClassCleanup(cls.nfs.close)
        os.makedirs(os.path.join(cls.nfs.directories["/data"], "iris"))
        with open(os.path.join(cls.nfs.directories["/data"], "iris", "iris.csv"), "w", encoding="ascii") as f:
            f.write("5.1,3.5,1.4,0.2,setosa\n")
        mounts = tempfile.mkdtemp(prefix="homeport-mounts-")
        cls.addClassCleanup(os.rmdir, mounts)
        cls.homes, cls.data = os.path.join(mounts, "homes"), os.path.join(mounts, "data")
        os.chmod(mounts, 0o755)
        for directory, export in ((cls.homes, "/homes"), (cls.data, "/data")):
            mount = hub_support.FuseMount(cls.nfs, export, directory)
            cls.addClassCleanup(os.rmdir, directory)
            cls.addClassCleanup(mount.close)
            setattr(cls, export[1:] + "_mount", mount)
        cls.options = (f"deadline=6, first_deadline=60, notebook_url='http://127.0.0.1:1', "
                       f"host_mounts={{'127.0.0.1:/homes': {cls.homes!r}, '127.0.0.1:/data': {cls.data!r}}}")
        super().setUpClass()
        os.chmod(cls.directory, 0o755)
        made = cls.daemon.call("PUT", "/v1/datasets/iris?wait=20", {"backend": "lab", "path": "/data/iris"})
        assert made.status == 201, made
        grant = {"subject_kind": "everyone", "access": "ro"}
        answer = cls.daemon.call("POST", "/v1/datasets/iris/grants", grant)
        assert answer.status == 200, answer
        accounts = Accounts(cls)
        cls.alice, cls.alice_uid = accounts.add("alice")
        cls.bob, cls.bob_uid = accounts.add("bob")
        for name, uid in accounts.names.items():
            cls.hub.add_user(name)
        made = cls.daemon.call("PUT", f"/v1/homes/{cls.bob}?wait=20", {"uid": cls.bob_uid, "gid": cls.bob_uid})
        assert made.status == 201, made

    @classmethod
    def daemon_config(cls):
        return nfs_support.config(cls.nfs, "people")

    def on_the_server(self, user, *parts):
        path = self.daemon.call("GET", f"/v1/homes/{user}").body["path"]
        return os.path.join(self.nfs.directories["/homes"], os.path.relpath(path, "/homes"), *parts)

    def notebook(self, user, method, path, body=None):
        """As the person's browser: through the hub's proxy, with a token of that person."""
        token = self.hub.call("POST", self.hub.user_path(user) + "/tokens").body["token"]
        return self.hub.request(method, f"/user/{user}/api/contents/{path}", body, token=token, port=self.hub.proxy_port)

    def environment_of(self, user):
        pid = self.hub.call("GET", self.hub.user_path(user)).body["servers"][""]["state"]["pid"]
        with open(f"/proc/{pid}/environ", encoding="utf-8") as f:
            return dict(line.split("=", 1) for line in f.read().split("\0") if "=" in line)

    def as_uid(self, uid, *command):
        return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def test_1_a_notebook_writes_into_its_home(self):
        self.started(self.alice)
        written = self.notebook(self.alice, "PUT", "hello.txt", {"type": "file", "format": "text", "content": "written in a notebook"})
        self.assertEqual(written.status, 201, written)
        path = self.on_the_server(self.alice, "hello.txt")
        with open(path, encoding="ascii") as f:
            self.assertEqual(f.read(), "written in a notebook")
        self.assertEqual(os.stat(path).st_uid, self.alice_uid)
        home = os.stat(os.path.dirname(path))
        self.assertEqual((home.st_uid, home.st_mode & 0o7777), (self.alice_uid, 0o700))
        environment = self.environment_of(self.alice)
        self.assertEqual(environment["SITE"], "kept")
        self.assertEqual(environment["HOMEPORT_URL"], "http://127.0.0.1:1")
        self.assertRegex(environment["HOMEPORT_DIGEST"], "^sha256:[0-9a-f]{64}$")
        self.assertTrue(environment["NB_HOME"].startswith(self.homes + "/people/"), environment["NB_HOME"])
        self.assertEqual(self.as_uid(self.alice_uid, "cat", environment["NB_DATASETS"] + "/iris.csv").stdout, "5.1,3.5,1.4,0.2,setosa\n")
        self.assertIn("Permission denied", self.as_uid(self.bob_uid, "cat", environment["NB_HOME"] + "/hello.txt").stderr)
        self.hub.stop_server(self.alice)
        self.started(self.alice)
        again = self.notebook(self.alice, "GET", "hello.txt")
        self.assertEqual(again.body["content"], "written in a notebook", again)
        self.assertEqual(self.environment_of(self.alice)["HOMEPORT_DIGEST"], environment["HOMEPORT_DIGEST"])
        self.hub.stop_server(self.alice)

    def test_2_a_home_of_somebody_else_is_not_entered(self):
        home = self.on_the_server(self.bob)
        mounted = os.path.join(self.homes, "people", os.path.basename(home))
        def give_to(uid):
            os.chown(home, uid, uid)  # the mount keeps attributes for a second
            support.wait_until(lambda: os.stat(mounted).st_uid == uid, "the mount shows the owner")
        give_to(self.alice_uid)
        try:
            self.refused(self.bob, 503, f"belongs to uid {self.alice_uid}, and your account has uid {self.bob_uid}")
        finally:
            give_to(self.bob_uid)

    def test_3_a_storage_that_hangs_is_told_and_holds_nobody_up(self):
        self.nfs.order("pause")
        try:
            self.refused(self.bob, 503, "does not answer")
            self.assertEqual(self.hub.call("GET", "/").status, 200)
        finally:
            self.nfs.order("resume")
        def back():
            return self.hub.spawn(self.bob)[0] == 201
        support.wait_until(back, "bob starts again", 60)
        self.hub.stop_server(self.bob)

    def test_4_what_is_not_mounted_is_not_an_empty_home(self):
        self.homes_mount.close()
        self.refused(self.bob, 503, f"{self.homes} is not mounted on this host")
        self.assertTrue(self.hub.alive())


if __name__ == "__main__":
    unittest.main()
