"""The JupyterHub module without a hub: its settings, its translations beside the service's own renderers, what it keeps on
disk, and the ready configurations under examples/jupyterhub."""
import asyncio
import datetime
import json
import logging
import os
import re
import shlex
import sys
import time
import types
import unittest
from unittest import mock

import yaml

import support

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXAMPLES = os.path.join(ROOT, "examples", "jupyterhub")
sys.path[:0] = [EXAMPLES, HERE]
import homeport_hub
from traitlets.config import Config

GOLDEN = os.path.join(ROOT, "tests", "golden", "render")


def setUpModule():
    logging.getLogger("homeport_hub").addHandler(logging.NullHandler())  # its warnings are looked for, not shown


def golden(name):
    with open(os.path.join(GOLDEN, "mountspec", name), encoding="utf-8") as f:
        return json.load(f)


def user(name="alice", groups=()):
    return types.SimpleNamespace(name=name, groups=[types.SimpleNamespace(name=g) for g in groups])


class SettingsTest(unittest.TestCase):
    good = {"url": "http://127.0.0.1:7717", "token_file": "/nowhere"}

    def load(self, c=None, **more):
        return homeport_hub.load(Config() if c is None else c, **{**self.good, **more})

    def test_mistakes_are_told_when_the_hub_starts(self):
        for more, words in (
                ({"url": "127.0.0.1:7717"}, "url"), ({"url": "http://user:pw@host"}, "url"), ({"url": "ftp://host"}, "url"),
                ({"token_file": None}, "token_file"), ({"pilot": {"people": []}}, "not people"),
                ({"pilot": {"users": "alice"}}, "list of names"), ({"platform": "vms"}, "platform 'vms' is not known"),
                ({"identity": "ldap"}, "identity"), ({"identity": {"home": "x"}}, "identity"),
                ({"volumes": "both"}, "inline or claims"), ({"deadline": 0}, "deadline"),
                ({"deadline": 20, "first_deadline": 10}, "deadline")):
            with self.subTest(more), self.assertRaisesRegex(ValueError, words), mock.patch.dict(os.environ):
                os.environ.pop("HOMEPORT_TOKEN", None)
                self.load(**more)
        c = Config()
        self.load(c)
        with self.assertRaisesRegex(RuntimeError, "twice"):
            self.load(c)

    def test_servers_that_can_reach_the_service_are_told_where_it_is(self):
        here, far = "http://127.0.0.1:7717", "https://homeport.example.org"
        for more, on_this_host, elsewhere in (
                ({}, here, None), ({"url": far + "/"}, far, far), ({"notebook_url": far}, far, far),
                ({"url": far, "notebook_url": ""}, None, None), ({"url": "http://localhost:1"}, "http://localhost:1", None)):
            with self.subTest(more):
                for platform, url in (("local", on_this_host), ("systemd", on_this_host), ("kubernetes", elsewhere), ("docker", elsewhere)):
                    told = homeport_hub.PLATFORMS[platform](self.load(hub="lab", **more)).service()
                    self.assertEqual(told, {"HOMEPORT_URL": url, "HOMEPORT_HUB": "lab"} if url else {}, platform)
        certified = self.load(url=far, ca_file="/etc/hub/ca.pem")
        self.assertEqual(homeport_hub.PLATFORMS["local"](certified).service()["HOMEPORT_CA_FILE"], "/etc/hub/ca.pem")
        self.assertNotIn("HOMEPORT_CA_FILE", homeport_hub.PLATFORMS["docker"](certified).service(), "no such file in a container")
        certified = self.load(url=far, ca_file="/etc/hub/ca.pem", notebook_ca_file="/usr/share/ca.pem")
        self.assertEqual(homeport_hub.PLATFORMS["docker"](certified).service()["HOMEPORT_CA_FILE"], "/usr/share/ca.pem")

    def test_the_failure_limit(self):
        with self.assertLogs("homeport_hub", "WARNING") as log:
            c = Config()
            self.load(c)
            self.assertEqual(c.Spawner.consecutive_failure_limit, 0)
            c = Config()
            c.KubeSpawner.consecutive_failure_limit = 5
            self.load(c)
            self.assertEqual(c.KubeSpawner.consecutive_failure_limit, 5)
            self.assertNotIn("consecutive_failure_limit", c.Spawner)
        self.assertRegex(log.output[0], "is set to 0")
        self.assertRegex(log.output[1], "the site sets .* to 5")
        with mock.patch.object(homeport_hub.jupyterhub, "version_info", (6, 0, 0)):
            c = Config()
            self.load(c)
            self.assertNotIn("consecutive_failure_limit", c.Spawner)

    def test_hooks_of_every_section_are_wrapped(self):
        def theirs(spawner):
            pass
        c = Config()
        c.Spawner.pre_spawn_hook = theirs
        c.MySpawner.pre_spawn_hook = theirs
        c.MySpawner.modify_pod_hook = theirs
        self.load(c)
        for hook in (c.Spawner.pre_spawn_hook, c.MySpawner.pre_spawn_hook, c.Spawner.post_stop_hook,
                     c.MySpawner.modify_pod_hook, c.KubeSpawner.modify_pod_hook):
            self.assertTrue(hook.homeport)
        self.assertNotIn("post_stop_hook", c.MySpawner)

    def test_pilot(self):
        def managed(who, **pilot):
            return self.load(pilot=pilot.get("pilot")).settings.in_pilot(who.name, homeport_hub.group_names(who))
        self.assertTrue(managed(user()))
        self.assertFalse(managed(user(), pilot={"users": [], "groups": []}))
        self.assertTrue(managed(user(), pilot={"users": ["alice"]}))
        self.assertTrue(managed(user(groups=["x", "y"]), pilot={"groups": ["y"]}))
        self.assertFalse(managed(user(groups=["x"]), pilot={"users": ["bob"], "groups": ["y"]}))

    def test_a_hub_from_6_gets_its_own_kind_of_refusal(self):
        class SpawnException(homeport_hub.web.HTTPError):  # as in JupyterHub 6.0
            def __init__(self, message, *, reason, log_message="", message_html="", status_code=400):
                self.message = message
                super().__init__(status_code, message, reason=reason)
        with mock.patch.object(homeport_hub.jupyterhub.spawner, "SpawnException", SpawnException, create=True):
            error = homeport_hub.spawn_error(507, "100 % <full>")
        self.assertIsInstance(error, SpawnException)
        self.assertEqual((error.status_code, error.message, error.jupyterhub_html_message), (507, "100 % <full>", "100 % &lt;full&gt;"))
        error = homeport_hub.spawn_error(507, "100 % <full>")
        error.reason = "error"  # as hubs before 6 do
        self.assertIsNone(error.reason)
        self.assertEqual(error.log_message % error.args, "100 % <full>")

    def test_identity_from_the_auth_state(self):
        state = {"user_attributes": {"uidNumber": [b"5001"], "gidNumber": ["100"], "none": []}, "ldap_groups": ["a", "b"]}
        async def identity(how, auth_state=state):
            settings = self.load(identity=how).settings
            return await homeport_hub.identity_of(settings, None, homeport_hub.Docker(types.SimpleNamespace(settings=settings)), auth_state)
        where = {"uid": "user_attributes.uidNumber", "gid": "user_attributes.gidNumber", "groups": "ldap_groups"}
        self.assertEqual(asyncio.run(identity(where)), ({"uid": 5001, "gid": 100}, ["a", "b"]))
        self.assertEqual(asyncio.run(identity(where, None)), (None, []))
        self.assertEqual(asyncio.run(identity({"uid": "user_attributes.none"})), (None, []))
        self.assertEqual(asyncio.run(identity("auto")), (None, []))
        async def function(spawner, auth_state):
            return {"uid": 7, "gids": range(20)}
        self.assertEqual(asyncio.run(identity(function)), ({"uid": 7, "gids": list(range(16))}, []))
        for wrong in ("alice", "-1", "1e3", True, "99999999999"):
            with self.subTest(wrong), self.assertRaisesRegex(homeport_hub.Refused, "not a number"):
                asyncio.run(identity({"uid": "uid"}, {"uid": wrong}))


class TranslationTest(support.E2ETest):
    """Beside the service's own renderers, on the golden specs."""

    def render(self, name, *arguments):
        code, out, err = self.run_program(support.binary("homeport"), "spec", "render", "--spec",
                                          os.path.join(GOLDEN, "mountspec", name), *arguments)
        return out if code == 0 else None

    def test_docker_volumes_say_what_docker_run_says(self):
        compared = 0
        for name in sorted(os.listdir(os.path.join(GOLDEN, "mountspec"))):
            rendered = self.render(name, "--format", "docker-run")
            if rendered is None:
                continue
            wanted = [re.findall(r'"?volume-opt=(?:o|device)=((?:[^",]|""|,(?=[a-z]+=|hard|soft|no|r[ow]))*)"?(?:,|$)', word)
                      for word in shlex.split(rendered.replace("\\\n", " ")) if "volume-opt=type=nfs" in word]
            mounts = [homeport_hub.docker_mount(m) for m in golden(name)["mounts"] if m["source"]["type"] == "nfs"]
            self.assertEqual(len(wanted), len(mounts), name)
            for mount, words in zip(mounts, wanted):
                options = mount["driver_config"]["Options"]
                with self.subTest(name=name, target=mount["target"]):
                    self.assertEqual(options["o"], words[0])
                    compared += 1
        self.assertGreater(compared, 5)

    def test_what_an_inline_volume_loses_is_what_the_service_names(self):
        compared = 0
        for name in sorted(os.listdir(os.path.join(GOLDEN, "mountspec"))):
            _, _, refusal = self.run_program(support.binary("homeport"), "spec", "render", "--spec",
                                             os.path.join(GOLDEN, "mountspec", name), "--format", "kubespawner")
            if "no mount options" not in refusal:
                continue  # refused for ports, or a local source, before its options are looked at
            named = set(re.findall(r"\b(?:nfs\.[a-z]+|source\.version)\b", refusal))
            lost = [{"source.version" if w.startswith("vers=") else "nfs." + w.split("=")[0] for w in homeport_hub.lost_inline(m)}
                    for m in golden(name)["mounts"] if m["source"]["type"] == "nfs"]
            self.assertIn(named, lost, name)
            compared += 1
        self.assertGreater(compared, 0)


class SessionTest(unittest.TestCase):
    def test_what_was_set_is_taken_back_when_somebody_leaves_the_pilot(self):
        async def progress():
            yield {"message": "theirs"}
        theirs = {"SITE": "kept"}
        spawner = types.SimpleNamespace(environment=theirs, notebook_dir="", progress=progress)
        session = homeport_hub.session_of(spawner)
        async def shown():
            return [event["message"] async for event in spawner.progress()]
        for _ in range(2):
            session.begin(spawner, True)
            session.set(spawner, "environment", {"OURS": "1"})
            session.set(spawner, "environment", {"OURS": "2"})
            session.set(spawner, "notebook_dir", "/home")
            session.messages.say("ours")
            session.messages.close()
            self.assertEqual(asyncio.run(shown()), ["ours", "theirs"])
        session.begin(spawner, False)
        self.assertIs(spawner.environment, theirs)
        self.assertEqual(spawner.notebook_dir, "")
        self.assertEqual(asyncio.run(shown()), ["theirs"])
        self.assertIs(homeport_hub.session_of(spawner), session)


class PostStopTest(support.E2ETest):
    def test_the_end_of_a_server_that_an_earlier_hub_started_is_told_by_what_was_kept(self):
        homeport = homeport_hub.load(Config(), url="http://127.0.0.1:7717", token_file="/nowhere", cache_dir=self.path("kept"))
        said = []
        async def call(method, path, body, limit):
            said.append(path)
            raise homeport_hub.Trouble("and nobody minds")
        homeport.service.call = call
        def stop(name, **session):
            spawner = types.SimpleNamespace(user=user(name), name="", log=logging.getLogger("homeport_hub"), _log_name=name)
            homeport_hub.session_of(spawner).__dict__.update(session)
            asyncio.run(homeport.post_stop(spawner))
        kept = KeptSpecsTest()
        asyncio.run(homeport.cache.put(kept.question(), kept.spec(), None))
        stop("bob")
        self.assertEqual(said, [])
        stop("alice", question=kept.question())  # asked, refused: nothing started
        self.assertEqual(said, [])
        stop("alice")
        self.assertEqual(said, ["/v1/mountspecs/ms-1/release"])


class KeptSpecsTest(support.E2ETest):
    def question(self, **more):
        return {"hub": "main", "user": "alice", "server": "", "groups": ["a"], "purpose": "interactive", **more}

    def spec(self):
        source = {"type": "nfs", "server": "nas", "export": "/h/x", "version": "4.2"}
        return {"schema": "mountspec/1", "spec_id": "ms-1", "digest": "sha256:1", "state": "ready", "notices": [], "environment": {},
                "identity": {"mode": "native", "uid": 5, "gid": 5}, "subject": {"hub": "main", "user": "alice", "server": ""},
                "mounts": [{"id": "home", "kind": "home", "target": "/h", "access": "rw", "source": source},
                           {"id": "ds-a", "kind": "dataset", "target": "/d", "access": "ro", "source": source}]}

    def test_only_the_hubs_own_user_can_read_and_write_them(self):
        folder = self.path("kept")
        os.mkdir(folder, 0o777)
        os.chmod(folder, 0o777)
        cache = homeport_hub.SpecCache(folder, 3600)
        asyncio.run(cache.put(self.question(), self.spec(), None))
        file = os.path.join(folder, os.listdir(folder)[0])
        self.assertEqual((os.stat(folder).st_mode & 0o777, os.stat(file).st_mode & 0o777), (0o700, 0o600))
        def read(max_age=3600):
            return asyncio.run(homeport_hub.SpecCache(folder, max_age).get(self.question()))
        self.assertEqual(read()["spec"], self.spec())
        self.assertIsNone(read(-1), "too old")
        os.chmod(file, 0o666)
        self.assertIsNone(read(), "somebody else could have written it")
        os.chmod(file, 0o600)
        for text in ("", "{", "[]", '{"saved_at": "x"}', '{"saved_at": 9e99, "question": {}, "spec": {"mounts": 5}}'):
            with open(file, "w", encoding="ascii") as f:
                f.write(text)
            self.assertIsNone(read(), text)
        os.unlink(file)
        os.symlink("/etc/passwd", file)
        self.assertIsNone(read())

    def test_a_spec_that_does_not_change_is_not_written_again(self):
        cache = homeport_hub.SpecCache(self.path("kept"), 3600)
        asyncio.run(cache.put(self.question(), self.spec(), None))
        with mock.patch.object(cache, "_write") as write:
            asyncio.run(cache.put(self.question(), self.spec(), None))
            self.assertFalse(write.called)
            asyncio.run(cache.put(self.question(groups=["b"]), self.spec(), None))
            self.assertTrue(write.called)

    def test_a_directory_that_cannot_be_written_costs_nothing_but_a_line(self):
        cache = homeport_hub.SpecCache("/proc/nowhere", 3600)
        with self.assertLogs("homeport_hub", "WARNING"):
            asyncio.run(cache.put(self.question(), self.spec(), None))
        self.assertEqual(asyncio.run(cache.get(self.question()))["spec"], self.spec())

    def test_what_still_holds(self):
        entry = {"question": self.question(), "spec": self.spec(), "saved_at": time.time()}
        def kinds(**more):
            spec = homeport_hub.kept_spec(entry, self.question(**more))
            return spec and [m["kind"] for m in spec["mounts"]]
        self.assertEqual(kinds(), ["home", "dataset"])
        self.assertEqual(kinds(groups=["a", "b"]), ["home", "dataset"])
        self.assertEqual(kinds(groups=[]), ["home"])
        self.assertEqual(kinds(wanted={"datasets": []}), ["home"])
        self.assertEqual(kinds(identity={"uid": 5, "gid": 5}), ["home", "dataset"])
        self.assertIsNone(kinds(identity={"uid": 6, "gid": 6}), "another person may have the name now")
        entry["question"]["account_created"] = "2026-03-01T08:00:00.000Z"
        self.assertEqual(kinds(account_created="2026-03-01T08:00:00.000Z"), ["home", "dataset"])
        again = {"account_created": "2026-11-18T08:00:00.000Z"}
        self.assertIsNone(kinds(**again), "an account that was made again may be somebody else's")
        self.assertEqual(kinds(identity={"uid": 5, "gid": 5}, **again), ["home", "dataset"], "the same uid vouches")
        entry["spec"]["identity"]["mode"] = "squash"
        self.assertIsNone(kinds(identity={"uid": 5, "gid": 5}, **again), "everybody's uid vouches for nobody")
        entry["spec"]["identity"]["mode"] = "native"
        self.assertEqual(self.spec(), entry["spec"], "what is kept is not changed")

    def test_when_the_account_was_made(self):
        def made(**user):
            return homeport_hub.account_created(types.SimpleNamespace(**user))
        self.assertEqual(made(created=datetime.datetime(2026, 3, 1, 8, 0, 0, 123456)), "2026-03-01T08:00:00.123Z")
        berlin = datetime.timezone(datetime.timedelta(hours=1))
        self.assertEqual(made(created=datetime.datetime(2026, 3, 1, 9, 0, 0, tzinfo=berlin)), "2026-03-01T08:00:00.000Z")
        self.assertIsNone(made(created=None))
        self.assertIsNone(made())


class AnswerTest(unittest.TestCase):
    def test_paths_of_answers_are_looked_at(self):
        spec = KeptSpecsTest.spec(None)
        question = {"hub": "main", "user": "alice", "server": ""}
        homeport_hub.check_spec(spec, question)
        for where, value in (("target", "relative"), ("target", "/a/../etc"), ("target", "/a\nb"), ("id", "Not An Id"), ("access", "rwx")):
            wrong = json.loads(json.dumps(spec))
            wrong["mounts"][0][where] = value
            with self.subTest(value), self.assertRaises(homeport_hub.Trouble):
                homeport_hub.check_spec(wrong, question)
        with self.assertRaises(homeport_hub.Refused):
            homeport_hub.mount_options({"id": "x", "access": "rw", "source": {"server": "nas,soft", "version": "3"}, "nfs": {}})

    def test_host_paths(self):
        settings = types.SimpleNamespace(host_mounts={"nas:/e": "/mnt/e", "nas:/e/deep/": "/deep", "all:/": "/all"}, host_root=None)
        host = homeport_hub.OnHost(types.SimpleNamespace(settings=settings))
        def at(server, export):
            return host.host_path({"id": "home", "source": {"type": "nfs", "server": server, "export": export}})
        self.assertEqual(at("nas", "/e/x"), ("/mnt/e/x", "/mnt/e"))
        self.assertEqual(at("nas", "/e"), ("/mnt/e", "/mnt/e"))
        self.assertEqual(at("nas", "/e/deep/x"), ("/deep/x", "/deep"))
        self.assertEqual(at("all", "/x/y"), ("/all/x/y", "/all"))
        self.assertEqual(at("nas", "/elsewhere"), (None, None), "/e is no prefix of /elsewhere")
        with self.assertRaisesRegex(homeport_hub.Refused, "lies on host other"):
            host.host_path({"id": "home", "source": {"type": "local", "host": "other", "path": "/x"}})

    def test_messages_reach_every_page_also_late_ones(self):
        async def show():
            messages = homeport_hub.Messages()
            async def page():
                return [event["message"] async for event in messages.follow()]
            early = asyncio.ensure_future(page())
            await asyncio.sleep(0)
            messages.say("one\r\n<b>two</b>", 5)
            await asyncio.sleep(0)
            messages.say("x" * 5000)
            messages.close()
            return await early, await page()
        early, late = asyncio.run(show())
        self.assertEqual(early, late)
        self.assertEqual(early[0], "one <b>two</b>")
        self.assertEqual(len(early[1]), 600)


class ExamplesTest(unittest.TestCase):
    """Every ready configuration is run as its platform runs it, with a spawner of the right name."""

    def loaded(self, c, spawner_class):
        """What load() was given, after checking that its hooks are in place for that spawner."""
        hooks = c.Spawner.pre_spawn_hook, c.Spawner.post_stop_hook, c.KubeSpawner.modify_pod_hook
        self.assertTrue(all(hook.homeport for hook in hooks))
        homeport = hooks[0].__closure__ and next(cell.cell_contents for cell in hooks[0].__closure__
                                                 if isinstance(cell.cell_contents, homeport_hub.Homeport))
        spawner = type(spawner_class, (), {})()
        self.assertNotIsInstance(homeport_hub.platform_of(homeport, spawner), homeport_hub.Unsupported)
        return homeport.settings

    def execute(self, code, name, **names):
        c = Config()
        modules = set(sys.modules)
        with mock.patch.object(sys, "path", list(sys.path)):
            exec(compile(code, name, "exec"), {"c": c, "__file__": name, "get_config": lambda: c, **names})
        self.assertLessEqual({m for m in set(sys.modules) - modules if "spawner" in m.lower()}, set())
        return c

    def read(self, *parts):
        with open(os.path.join(EXAMPLES, *parts), encoding="utf-8") as f:
            return f.read()

    def test_z2jh(self):
        values = yaml.safe_load(self.read("z2jh", "values.yaml"))
        hub = values["hub"]
        self.assertEqual(hub["consecutiveFailureLimit"], 0)
        (name, code), = hub["extraConfig"].items()
        self.assertGreater(name, "zz", "the chart runs them in the order of their names")
        c = Config()
        c.Spawner.consecutive_failure_limit = hub["consecutiveFailureLimit"]
        exec(compile(code, name, "exec"), {"c": c})
        settings = self.loaded(c, "KubeSpawner")
        secret, = hub["extraVolumes"]
        mount, = hub["extraVolumeMounts"]
        self.assertEqual(secret["name"], mount["name"])
        self.assertEqual(secret["secret"]["defaultMode"], 0o440)
        self.assertEqual(os.path.dirname(settings.token_file), mount["mountPath"])
        role = hub["loadRoles"]["homeport"]
        self.assertEqual((role["services"], role["scopes"], list(hub["services"])), (["homeport"], ["list:users", "read:users"], ["homeport"]))
        asked, = values["singleuser"]["networkPolicy"]["egress"]
        asking, = hub["networkPolicy"]["ingress"]
        self.assertEqual((asked["to"], asked["ports"][0]["port"], asking["ports"][0]["port"]), (asking["from"], 7717, 8081))
        file, = hub["extraFiles"].values()
        self.assertEqual(os.path.basename(file["mountPath"]), "homeport_hub.py")
        self.assertIn(f"--set-file hub.extraFiles.{list(hub['extraFiles'])[0]}.stringData=", self.read("z2jh", "values.yaml"))

    def test_dockerspawner(self):
        c = self.execute(self.read("dockerspawner", "jupyterhub_config.py"), os.path.join(EXAMPLES, "dockerspawner", "jupyterhub_config.py"))
        settings = self.loaded(c, "DockerSpawner")
        self.assertIs(c.DockerSpawner.remove, True)
        self.assertEqual(sorted(settings.replaces), sorted(c.DockerSpawner.volumes.values()))

    def test_tljh(self):
        c = self.execute(self.read("tljh", "homeport.py"), "/opt/tljh/config/jupyterhub_config.d/homeport.py")
        settings = self.loaded(c, "UserCreatingSpawner")
        self.assertIn("nas1.example.org:/export/homes", settings.host_mounts)

    def test_local(self):
        c = self.execute(self.read("local", "jupyterhub_config.py"), os.path.join(EXAMPLES, "local", "jupyterhub_config.py"))
        self.loaded(c, "LocalProcessSpawner")

    def test_every_one_says_how_to_install_import_operate_and_leave(self):
        for folder in ("z2jh", "dockerspawner", "tljh", "local"):
            text = self.read(folder, "README.md")
            for heading in ("## Install", "## Import existing homes", "## Operate", "## Leave"):
                self.assertIn(heading, text, folder)
            for link in re.findall(r"\]\(([^)]+)\)", text):
                self.assertTrue(os.path.exists(os.path.join(EXAMPLES, folder, link)), link)

    def test_the_table_of_settings_is_whole(self):
        code = homeport_hub.load.__code__
        named = set(re.findall(r"^\| `([a-z_]+)` \|", self.read("README.md"), re.M))
        self.assertEqual(named, set(code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]) - {"c"})


if __name__ == "__main__":
    unittest.main()
