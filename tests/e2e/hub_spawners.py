"""Spawners that a hub of the tests loads. EmptySpawner starts nothing.

KubeSpawner, DockerSpawner, SystemdSpawner and TLJH's spawner are not in Debian. The classes of these names below are
stand-ins: they have the settings that homeport_hub touches and do with them what the real ones do (KubeSpawner 7.1,
DockerSpawner 14, SystemdSpawner 1.0.2, TLJH 2.0), with the real client libraries (python3-kubernetes, python3-docker)
where these build the request; what would be sent is written to a file instead. Where the real dockerspawner,
systemdspawner or tljh can be imported (HUB_PYTHONPATH), those are used in their place.
"""
import hashlib
import json
import os
import pwd
import subprocess

from jupyterhub.spawner import Spawner
from jupyterhub.utils import maybe_future
from traitlets import Any, Bool, Dict, Integer, List, Unicode

RECORDS = os.environ.get("HUB_RECORDS", "")


def record_path(user, server=""):
    return os.path.join(RECORDS, hashlib.sha256(f"{user}\0{server}".encode()).hexdigest()[:24] + ".json")


def record(spawner, what):
    with open(record_path(spawner.user.name, spawner.name) + ".tmp", "w", encoding="utf-8") as f:
        json.dump(what, f, default=str)
    os.replace(f.name, f.name[:-4])


def identity(spawner, auth_state):
    """A uid for every name, as a directory would give; "NAME--new" is NAME after a rename in the hub."""
    number = int(hashlib.sha256(spawner.user.name.partition("--")[0].encode()).hexdigest()[:8], 16)
    return {"uid": 100000 + number % 1000000000, "gid": 100000 + number % 1000000000}


def keep_spec(spawner, spec):
    """A platform for homeport_hub.load(): the server's mounts are only written down."""
    note("homeport")
    record(spawner, {"spec": spec})


def note(word):
    """One line in the order of things."""
    with open(os.path.join(RECORDS, "order"), "a", encoding="utf-8") as f:
        f.write(word + "\n")


class Nothing(Spawner):
    """What all of them share: nothing runs; Notebooks answers for every server."""

    running = False

    async def start(self):
        await self.begin()
        self.running = True
        return "127.0.0.1", int(os.environ["HUB_NOTEBOOKS"])

    async def begin(self):
        pass

    async def poll(self):
        return None if self.running else 0

    async def stop(self, now=False):
        self.running = False


class EmptySpawner(Nothing):
    pass


class KubeSpawner(Nothing):
    """get_pod_manifest() and _start() as far as storage goes."""

    volumes = Any([]).tag(config=True)
    volume_mounts = Any([]).tag(config=True)
    init_containers = List().tag(config=True)
    extra_containers = List().tag(config=True)
    profile_override = Dict().tag(config=True)
    modify_pod_hook = Any(None, allow_none=True).tag(config=True)
    storage_pvc_ensure = Bool(False).tag(config=True)
    namespace = Unicode("jhub").tag(config=True)
    uid = Any(None, allow_none=True).tag(config=True)
    supplemental_gids = List().tag(config=True)

    def _expand_all(self, src):
        if isinstance(src, list):
            return [self._expand_all(i) for i in src]
        if isinstance(src, dict):
            return {k: self._expand_all(v) for k, v in src.items()}
        return src.format(username=self.user.name) if isinstance(src, str) else src

    def get_pod_manifest(self):
        from kubernetes.client import models
        def listed(value):
            return [value[k] for k in sorted(value)] if isinstance(value, dict) else value
        def mounts(items):
            return [models.V1VolumeMount(name=i["name"], mount_path=i["mountPath"]) for i in items or []]
        def container(item):
            return models.V1Container(name=item["name"], volume_mounts=mounts(item.get("volumeMounts")))
        notebook = models.V1Container(
            name="notebook", env=[models.V1EnvVar(name=k, value=v) for k, v in self.get_env().items()],
            volume_mounts=mounts(self._expand_all(listed(self.volume_mounts))),
            security_context={"runAsUser": self.uid, "allowPrivilegeEscalation": False} if self.uid is not None else None)
        spec = models.V1PodSpec(
            containers=[notebook] + [container(i) for i in self.extra_containers],
            init_containers=[container(i) for i in self.init_containers] or None,
            security_context={"supplementalGroups": list(self.supplemental_gids)} if self.supplemental_gids else None)
        spec.volumes = [models.V1Volume(**{"name": v["name"], "nfs": v.get("nfs"),
                                           "persistent_volume_claim": v.get("persistentVolumeClaim")})
                        for v in self._expand_all(listed(self.volumes))]
        return models.V1Pod(metadata=models.V1ObjectMeta(name="jupyter-x"), spec=spec)

    async def progress(self):
        yield {"progress": 60, "message": "Scheduled on a node"}

    async def begin(self):
        from kubernetes.client import ApiClient
        for name, value in self.profile_override.items():  # load_user_options(): after the pre-spawn hook
            setattr(self, name, value)
        pod = self.get_pod_manifest()
        if self.modify_pod_hook:
            pod = await maybe_future(self.modify_pod_hook(self, pod))
        record(self, {"pod": ApiClient().sanitize_for_serialization(pod), "pvc": self.storage_pvc_ensure})


class Kube(KubeSpawner):
    """A site's own subclass."""


try:
    from dockerspawner import DockerSpawner
except ImportError:
    class DockerSpawner(Spawner):
        """create_object()."""

        start = stop = poll = None  # Docker's below

        volumes = Dict().tag(config=True)
        read_only_volumes = Dict().tag(config=True)
        mounts = List(Dict()).tag(config=True)
        remove = Bool(False).tag(config=True)
        extra_create_kwargs = Any({}).tag(config=True)
        extra_host_config = Any({}).tag(config=True)

        def format_volume_name(self, template, spawner):
            return template.format(username=self.user.name, servername=self.name, raw_username=self.user.name)

        def _render_templates(self, thing):
            if isinstance(thing, str):
                try:
                    return thing.format(username=self.user.name)
                except (ValueError, KeyError):
                    return thing
            if isinstance(thing, dict):
                return {self._render_templates(k): self._render_templates(v) for k, v in thing.items()}
            return [self._render_templates(i) for i in thing] if isinstance(thing, list) else thing

        def _binds(self, volumes, mode):
            out = {}
            for source, to in volumes.items():
                where = to["bind"] if isinstance(to, dict) else to
                out[self.format_volume_name(source, self)] = {"bind": self.format_volume_name(where, self), "mode": mode}
            return out

        async def create_object(self):
            from docker.types import Mount
            def called(value):
                return value(self) if callable(value) else value
            kwargs = {"environment": self.get_env(),
                      **self._render_templates(await maybe_future(called(self.extra_create_kwargs)))}
            mounts = [Mount(**{k: self.format_volume_name(v, self) if isinstance(v, str) else v for k, v in m.items()})
                      for m in self.mounts]
            host = {"binds": {**self._binds(self.volumes, "rw"), **self._binds(self.read_only_volumes, "ro")},
                    "mounts": mounts, **self._render_templates(await maybe_future(called(self.extra_host_config)))}
            kwargs["host_config"] = self.client.create_host_config(**host)
            return await self.docker("create_container", **kwargs)


class Docker(Nothing, DockerSpawner):
    """Creates the container on paper."""

    port = Integer(8888)

    @property
    def client(self):
        import docker
        return docker.APIClient(base_url="http://127.0.0.1:1", version="1.41")

    async def docker(self, method, *args, **kwargs):
        assert method == "create_container", method
        record(self, kwargs)

    async def get_command(self):
        return None

    async def begin(self):
        await self.create_object()


try:
    import systemdspawner.systemd
    from systemdspawner import SystemdSpawner
    REAL_SYSTEMD = True
except ImportError:
    REAL_SYSTEMD = False

    class SystemdSpawner(Nothing):
        """start(), up to what is handed to systemd-run."""

        username_template = Unicode("{USERNAME}").tag(config=True)
        dynamic_users = Bool(False).tag(config=True)
        unit_extra_properties = Dict().tag(config=True)

        def _expand_user_vars(self, string):
            return string.format(USERNAME=self.user.name, USERID=self.user.id)

        async def begin(self):
            account = pwd.getpwnam(self._expand_user_vars(self.username_template))
            for name, value in self.unit_extra_properties.items():
                self.unit_extra_properties[name] = self._expand_user_vars(value)
            record(self, {"uid": account.pw_uid, "gid": account.pw_gid, "working_dir": account.pw_dir,
                          "properties": dict(self.unit_extra_properties), "environment": self.get_env()})


try:
    from tljh.user_creating_spawner import UserCreatingSpawner
except ImportError:
    class UserCreatingSpawner(SystemdSpawner):
        """TLJH's: makes what account there is not, with whatever uid comes next."""

        async def begin(self):
            name = "jupyter-" + self.user.name
            if len(name) >= 26:
                name = f"{name[:26]}-{hashlib.sha256(name.encode()).hexdigest()[:5]}"
            self.username_template = name
            try:
                pwd.getpwnam(name)
            except KeyError:
                subprocess.check_call(["useradd", "--create-home", name])
            await super().begin()


if REAL_SYSTEMD:
    async def _start_transient_service(unit_name, cmd, args, working_dir, environment_variables=None, properties=None,
                                       uid=None, gid=None, slice=None):
        record(_start_transient_service.spawner, {"uid": uid, "gid": gid, "working_dir": working_dir,
                                                  "properties": properties, "environment": environment_variables})

    async def _no(*args, **kwargs):
        return False

    systemdspawner.systemd.start_transient_service = _start_transient_service
    systemdspawner.systemd.service_running = systemdspawner.systemd.service_failed = _no

    class _OnPaper:
        async def start(self):
            _start_transient_service.spawner = self
            await maybe_future(super().start())
            self.running = True
            return "127.0.0.1", int(os.environ["HUB_NOTEBOOKS"])

        async def poll(self):
            return None

        async def stop(self, now=False):
            pass

    class Systemd(_OnPaper, SystemdSpawner):
        pass

    class Tljh(_OnPaper, UserCreatingSpawner):
        pass
else:
    Systemd, Tljh = SystemdSpawner, UserCreatingSpawner
