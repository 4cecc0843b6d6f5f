"""Homeport in a JupyterHub (3 to 6): every server starts with the home and the datasets that Homeport names for its user.

In jupyterhub_config.py, after everything else that sets hooks:

    import homeport_hub
    homeport_hub.load(c, url="http://127.0.0.1:7717", token_file="/etc/homeport/spawner-token", hub="main",
                      pilot={"users": ["alice"], "groups": ["homeport-pilot"]})

It needs nothing but the standard library and what JupyterHub brings. README.md beside it lists the settings of load().

What it keeps to, since a hub must not fall over with its storage:
  - Nothing blocks the hub's event loop: requests are asynchronous, files and mounts are looked at in threads.
  - A known home gets `deadline` seconds with one retry, a first home `first_deadline` with progress on the spawn page.
    A service that fails again and again is left alone for a while (circuit breaker).
  - The last good spec of each server is kept on disk and used while the service is away. A spec that the service itself
    blocks (storage down, home full, no right) is never replaced by an old one.
  - A refusal is text on the spawn page, never a bare error; no token is ever logged.
  - Hooks that the site has already run too. Whoever is not in the pilot is left alone altogether.
"""
import asyncio
import datetime
import grp
import hashlib
import html
import importlib
import json
import logging
import os
import posixpath
import pwd
import re
import socket
import stat
import threading
import time
from urllib.parse import quote, urlsplit

import jupyterhub
import jupyterhub.spawner
from jupyterhub.utils import maybe_future
from tornado import web
from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from traitlets.config import Application, Config

__version__ = "0.1.0"

MAX_ANSWER = 4 << 20         # bytes; a spec has a few thousand
MAX_TEXT = 600               # characters of one text on the spawn page
BREAKER_FAILURES = 3         # in a row, then the service is left alone …
BREAKER_PAUSE = 15.0         # … for so many seconds
RELEASE_LIMIT = 2.0          # seconds that a stopping server waits for the hint "session over"
LOOK_LIMIT = 5.0             # seconds that looking at a mounted directory may take
SAVE_EVERY = 3600.0          # an unchanged spec is written again no more often
MAX_GIDS = 16                # AUTH_SYS, RFC 5531 appendix A


def load(c, *, url, token_file=None, hub="main", pilot=None, platform="auto", identity="auto", deadline=10,
         first_deadline=120, cache_dir="homeport-specs", cache_max_age=7 * 86400, ca_file=None,
         datasets_option="datasets", host_mounts=None, host_root=None, replaces=(), volumes="inline",
         notebook_url=None, notebook_ca_file=None, contact=""):
    """Puts Homeport's hooks into the configuration `c`, around those that are there. Gives the Homeport object.

    Raises ValueError or RuntimeError for settings that can never work, so that the hub's start says so.
    """
    settings = Settings(url=url, token_file=token_file, hub=hub, pilot=pilot, platform=platform, identity=identity,
                        deadline=deadline, first_deadline=first_deadline, cache_dir=cache_dir,
                        cache_max_age=cache_max_age, ca_file=ca_file, datasets_option=datasets_option,
                        host_mounts=host_mounts, host_root=host_root, replaces=replaces, volumes=volumes,
                        notebook_url=notebook_url, notebook_ca_file=notebook_ca_file, contact=contact)
    homeport = Homeport(settings)
    _chain(c, "pre_spawn_hook", "Spawner", homeport.around_pre_spawn)
    _chain(c, "post_stop_hook", "Spawner", homeport.around_post_stop)
    _chain(c, "modify_pod_hook", "KubeSpawner", homeport.around_modify_pod)
    _guard_failure_limit(c)
    return homeport


# ---------------------------------------------------------------------------------------------------------------------
# Configuration


def _log():
    """The hub's own log where there is one."""
    return Application.instance().log if Application.initialized() else logging.getLogger("homeport_hub")


class Settings:
    """What load() was given, checked."""

    def __init__(self, **given):
        self.__dict__.update(given)
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError(f"homeport_hub: url {self.url!r} is not http(s)://HOST[:PORT]")
        self.url = self.url.rstrip("/")
        self.is_loopback = parts.hostname in ("localhost", "::1") or parts.hostname.startswith("127.")
        if parts.scheme == "http" and not self.is_loopback:
            _log().warning("homeport_hub: %s is plain HTTP to another machine: who listens there learns the token", self.url)
        if not self.token_file and not os.environ.get("HOMEPORT_TOKEN"):
            raise ValueError("homeport_hub: name a token_file (or set HOMEPORT_TOKEN): the token of scope spawner for this hub")
        unknown = set(self.pilot or {}) - {"users", "groups"}
        if unknown:
            raise ValueError(f"homeport_hub: pilot knows users and groups, not {', '.join(sorted(map(str, unknown)))}")
        for part, names in (self.pilot or {}).items():
            if isinstance(names, str):
                raise ValueError(f"homeport_hub: pilot[{part!r}] is a list of names, not one text")
        if not callable(self.platform) and self.platform not in ("auto", *PLATFORMS):
            raise ValueError(f"homeport_hub: platform {self.platform!r} is not known: auto, {', '.join(PLATFORMS)} or a function")
        if not (callable(self.identity) or isinstance(self.identity, dict) or self.identity in ("auto", "account", None)):
            raise ValueError("homeport_hub: identity is auto, account, None, a dict of auth state members, or a function")
        if isinstance(self.identity, dict) and set(self.identity) - {"uid", "gid", "gids", "groups"}:
            raise ValueError("homeport_hub: identity maps uid, gid, gids and groups to members of the auth state")
        if self.volumes not in ("inline", "claims"):
            raise ValueError("homeport_hub: volumes is inline or claims")
        if not 0 < self.deadline <= self.first_deadline:
            raise ValueError("homeport_hub: 0 < deadline <= first_deadline does not hold")
        self.cache_dir = os.path.abspath(self.cache_dir) if self.cache_dir else None

    def in_pilot(self, user, groups):
        if self.pilot is None:
            return True
        return user in self.pilot.get("users", ()) or not set(groups).isdisjoint(self.pilot.get("groups", ()))


def _chain(c, name, section, around):
    """Wraps the hook `name` wherever the configuration has one (c.Spawner, c.KubeSpawner, a class of the site's own: the
    most special one wins, so all are wrapped), and sets it in `section` where there is none."""
    for key in set(c) | {section}:
        part = c[key]
        if not isinstance(part, Config) or (name not in part and key != section):
            continue
        there = part[name] if name in part else None
        if getattr(there, "homeport", False):
            raise RuntimeError("homeport_hub: load() was called twice; call it once")
        wrapped = around(there)
        wrapped.homeport = True
        part[name] = wrapped


def _guard_failure_limit(c):
    """Up to 5.x every failed spawn counts, refusals in words too, and at the limit the hub ends itself: an outage of the
    storage would take the hub down for everybody."""
    if jupyterhub.version_info[0] >= 6:
        return
    limits = [c[key]["consecutive_failure_limit"] for key in c
              if isinstance(c[key], Config) and "consecutive_failure_limit" in c[key]]
    if not limits:
        c.Spawner.consecutive_failure_limit = 0
        _log().warning("homeport_hub: Spawner.consecutive_failure_limit is set to 0: before JupyterHub 6 it counts every "
                       "refused spawn, and would end the hub when the storage is away")
    elif any(limits):
        _log().warning("homeport_hub: the site sets Spawner.consecutive_failure_limit to %s: before JupyterHub 6 so many "
                       "refused spawns in a row end the hub; 0 keeps it up", max(limits))


# ---------------------------------------------------------------------------------------------------------------------
# Failures


class Refused(Exception):
    """The user is told `text`; the spawn ends with this HTTP status."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


class Trouble(Exception):
    """The service is away, slow, or answers nothing usable: try again, then fall back."""


class _Refusal(web.HTTPError):
    """HTTPError whose text survives: hubs before 6 set `reason` on whatever a hook raises, and the page then shows a
    general sentence instead of the text."""

    @property
    def reason(self):
        return None

    @reason.setter
    def reason(self, value):
        pass


def spawn_error(status, text):
    """What to raise from a hook so that the page, the progress bar and the API all show `text`."""
    policy_error = getattr(jupyterhub.spawner, "SpawnException", None)  # from 6: not counted as a failure of the hub
    error = policy_error(text, reason="homeport", status_code=status) if policy_error else _Refusal(status, text)
    error.jupyterhub_message = text
    error.jupyterhub_html_message = html.escape(text)
    return error


def plain(text):
    """Somebody else's text, fit for a page and a log line."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(text)).strip()
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT - 1] + "…"


# ---------------------------------------------------------------------------------------------------------------------
# The service


class Service:
    """Requests to homeportd: token, deadlines, circuit breaker. All on the hub's event loop."""

    def __init__(self, settings):
        self._settings = settings
        self._client = None
        self._failures = 0
        self._answered_at = 0.0
        self._closed_until = 0.0
        self._warned_of_mode = False

    def _token(self):
        path = self._settings.token_file
        if not path:
            return os.environ.get("HOMEPORT_TOKEN", "")
        try:
            with open(path, encoding="ascii") as f:  # each time: a rotated token needs no restart
                mode, token = os.fstat(f.fileno()).st_mode, f.read(4096).strip()
        except (OSError, UnicodeDecodeError) as e:
            raise Trouble(f"the token file {path} cannot be read: {e.__class__.__name__}") from None
        if mode & stat.S_IROTH and not self._warned_of_mode:
            self._warned_of_mode = True
            _log().warning("homeport_hub: everybody on this machine can read %s; make it mode 0600", path)
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise Trouble(f"the token file {path} holds no token")
        return token

    async def call(self, method, path, body, limit):
        """(status, what the JSON body holds, None for no body) within `limit` seconds. Raises Trouble, nothing else."""
        now = time.monotonic()
        if self._failures >= BREAKER_FAILURES:
            if now < self._closed_until:
                raise Trouble("the storage service failed several times just now and is left alone for a moment")
            self._closed_until = now + BREAKER_PAUSE  # this request tries; the others wait for how it goes
        try:
            answer = await self._fetch(method, path, body, limit)
        except Trouble:
            if self._answered_at > now:
                raise  # it has answered others since: busy, here or there, but not away
            self._failures += 1
            if self._failures == BREAKER_FAILURES:
                self._closed_until = time.monotonic() + BREAKER_PAUSE
                _log().error("homeport_hub: %s failed %d times in a row; kept specs are used, next try in %.0f s",
                             self._settings.url, self._failures, BREAKER_PAUSE)
            raise
        if self._failures >= BREAKER_FAILURES:
            _log().warning("homeport_hub: %s answers again", self._settings.url)
        self._failures = 0
        self._answered_at = time.monotonic()
        return answer

    async def _fetch(self, method, path, body, limit):
        headers = {"Authorization": "Bearer " + self._token(), "Accept": "application/json",
                   "User-Agent": f"homeport-hub/{__version__}"}
        if method == "POST":  # without a body of length 0, Tornado would announce chunks and send none
            headers["Content-Type"], body = "application/json", b"" if body is None else json.dumps(body)
        request = HTTPRequest(self._settings.url + path, method=method, headers=headers, body=body, follow_redirects=False,
                              connect_timeout=connect_limit(limit), request_timeout=limit, ca_certs=self._settings.ca_file)
        if self._client is None:
            # Our own: the shared one lets ten requests through at a time, and may be another implementation.
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_clients=1000, max_body_size=MAX_ANSWER)
        try:
            response = await asyncio.wait_for(self._client.fetch(request, raise_error=False), limit + 1)
        except asyncio.CancelledError:
            raise
        except Exception as e:  # whatever goes wrong below means the same: no answer
            raise Trouble(f"{self._settings.url} does not answer ({plain(e) or e.__class__.__name__})") from None
        if response.code == 204 and not response.body:
            return response.code, None
        try:
            return response.code, json.loads(response.body)
        except (ValueError, RecursionError):
            raise Trouble(f"{self._settings.url} answers {response.code} with something that is not JSON") from None


def connect_limit(limit):
    """Half of the time there is: a hub that starts a whole class at once is slow to look at its own connections."""
    return max(min(limit, 3.0), min(limit / 2, 30.0))


def check_spec(spec, question):
    """Raises Trouble unless `spec` is a mount spec for this question: what is mounted as somebody's home is not taken on
    trust from whatever answers at that address."""
    try:
        ours = spec["schema"] == "mountspec/1" and spec["subject"]["user"] == question["user"] \
            and spec["subject"]["hub"] == question["hub"] and spec["subject"]["server"] == question["server"]
        shaped = spec["state"] in ("ready", "degraded", "blocked") and isinstance(spec["spec_id"], str) \
            and isinstance(spec["digest"], str) and isinstance(spec["notices"], list) \
            and isinstance(spec["identity"], dict) and all(isinstance(v, str) for v in spec["environment"].values())
        homes = [m for m in spec["mounts"] if _check_mount(m)["kind"] == "home"]
    except (KeyError, TypeError, AttributeError):
        raise Trouble("the service answers a document that is not a mount spec") from None
    if not ours:
        raise Trouble("the service answers a mount spec that was not asked for")
    if not shaped or (spec["state"] != "blocked" and len(homes) != 1):
        raise Trouble("the service answers a mount spec without a home")


def _check_mount(mount):
    source, target = mount["source"], mount["target"]
    paths = [target, source["export"] if source["type"] == "nfs" else source["path"]]
    if not all(p.startswith("/") and ".." not in p.split("/") and not re.search(r"[\x00-\x1f\x7f]", p) for p in paths):
        raise Trouble("the service answers a mount spec with a path that cannot be mounted")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", mount["id"]) or mount["access"] not in ("ro", "rw"):
        raise TypeError
    return mount


class SpecCache:
    """The last good spec of each server, in memory and in files that only the hub's own user can read."""

    def __init__(self, directory, max_age):
        self._directory, self._max_age = directory, max_age
        self._known = {}

    @staticmethod
    def key(question):
        """A name for a file; what people are called never becomes part of a path."""
        text = json.dumps([question["hub"], question["user"], question["server"]])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]

    async def get(self, question):
        """{question, spec, rendering, saved_at}, or None where there is none or it is too old."""
        key = self.key(question)
        entry = self._known.get(key)
        if entry is None and self._directory:
            entry = await _in_thread(lambda: self._read(key))
        if entry is None or time.time() - entry["saved_at"] > self._max_age:
            return None
        try:
            check_spec(entry["spec"], question)
        except Trouble:
            return None
        self._known[key] = entry
        return entry

    async def put(self, question, spec, rendering):
        key, now = self.key(question), time.time()
        old = self._known.get(key)
        entry = {"question": question, "spec": spec, "rendering": rendering, "saved_at": now}
        fresh = old and old["spec"]["digest"] == spec["digest"] and old["question"] == question \
            and now - old["saved_at"] < SAVE_EVERY
        if fresh:
            entry["saved_at"] = old["saved_at"]
        self._known[key] = entry
        if fresh or not self._directory:
            return
        try:
            await _in_thread(lambda: self._write(key, entry))
        except OSError as e:
            _log().warning("homeport_hub: the spec cannot be kept in %s: %s", self._directory, e)

    def _read(self, key):
        try:
            fd = os.open(os.path.join(self._directory, key + ".json"), os.O_RDONLY | os.O_NOFOLLOW)
            with open(fd, encoding="utf-8") as f:
                status = os.fstat(fd)
                if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                    return None  # not our writing
                entry = json.load(f)
        except (OSError, ValueError):
            return None
        good = isinstance(entry, dict) and isinstance(entry.get("saved_at"), (int, float)) \
            and isinstance(entry.get("question"), dict) and isinstance(entry.get("spec"), dict)
        return entry if good else None

    def _write(self, key, entry):
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        if os.stat(self._directory).st_uid == os.geteuid():
            os.chmod(self._directory, 0o700)
        path = os.path.join(self._directory, key + ".json")
        temporary = f"{path}.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w",
                      encoding="utf-8") as f:
                json.dump(entry, f)
            os.replace(temporary, path)
        except OSError:
            try:
                os.unlink(temporary)
            except OSError:
                pass
            raise


def _in_thread(work):
    return asyncio.get_running_loop().run_in_executor(None, work)


# ---------------------------------------------------------------------------------------------------------------------
# The hooks


class Messages:
    """What the spawn page shows while the hook works; any number of pages may follow."""

    def __init__(self):
        self._events, self._open, self._more = [], True, asyncio.Event()

    def say(self, text, percent=None):
        event = {"message": plain(text)}
        if percent is not None:
            event["progress"] = percent
        self._events.append(event)
        self._wake()

    def close(self):
        self._open = False
        self._wake()

    def _wake(self):
        more, self._more = self._more, asyncio.Event()
        more.set()

    async def follow(self):
        at = 0
        while True:
            more = self._more
            while at < len(self._events):
                at += 1
                yield dict(self._events[at - 1])
            if not self._open:
                return
            await more.wait()


class Session:
    """What one spawner was given. A hub may start a spawner object more than once: what was set is taken back first."""

    def __init__(self):
        self.managed = False
        self.spec = None
        self.question = None
        self.rendering = None
        self.messages = Messages()
        self.shown = False
        self._originals = {}

    def set(self, spawner, name, value):
        if name not in self._originals:
            self._originals[name] = getattr(spawner, name)
        setattr(spawner, name, value)

    def begin(self, spawner, managed):
        for name, value in self._originals.items():
            setattr(spawner, name, value)
        self._originals = {}
        self.managed, self.spec, self.question, self.rendering = managed, None, None, None
        self.messages.close()
        self.messages = Messages()
        if not managed:
            self.messages.close()
        elif not self.shown:
            self._show(spawner)

    def _show(self, spawner):
        """Our messages first, then whatever the spawner shows by itself."""
        theirs, self.shown = spawner.progress, True

        async def progress():
            async for event in self.messages.follow():
                yield event
            events = theirs()
            try:
                async for event in events:
                    yield event
            finally:
                if hasattr(events, "aclose"):
                    await events.aclose()

        spawner.progress = progress


def session_of(spawner):
    session = getattr(spawner, "_homeport_session", None)
    if session is None:
        session = spawner._homeport_session = Session()
    return session


class Homeport:
    """The hooks of one hub."""

    def __init__(self, settings):
        self.settings = settings
        self.service = Service(settings)
        self.cache = SpecCache(settings.cache_dir, settings.cache_max_age)

    # What goes into the configuration: the site's own hook and ours.

    def around_pre_spawn(self, theirs):
        async def pre_spawn_hook(spawner):
            if theirs is not None:
                await maybe_future(theirs(spawner))
            await self.pre_spawn(spawner)
        return pre_spawn_hook

    def around_post_stop(self, theirs):
        async def post_stop_hook(spawner):
            try:
                if theirs is not None:
                    await maybe_future(theirs(spawner))
            finally:
                await self.post_stop(spawner)
        return post_stop_hook

    def around_modify_pod(self, theirs):
        async def modify_pod_hook(spawner, pod):
            if theirs is not None:
                pod = await maybe_future(theirs(spawner, pod))
            return self.modify_pod(spawner, pod)
        return modify_pod_hook

    async def pre_spawn(self, spawner):
        session = session_of(spawner)
        groups = group_names(spawner.user)
        session.begin(spawner, self.settings.in_pilot(spawner.user.name, groups))
        if not session.managed:
            return
        try:
            platform = platform_of(self, spawner)
            await platform.check(spawner)
            session.question = await self._question(spawner, platform, groups)
            session.spec, session.rendering = await self._spec(spawner, session)
            for notice in session.spec["notices"]:
                if isinstance(notice, dict) and notice.get("text"):
                    session.messages.say(notice["text"])
            await platform.apply(spawner, session)
            spawner.log.info("homeport_hub: %s gets spec %s (%s)", spawner._log_name, session.spec["spec_id"],
                             session.spec["state"])
        except Refused as refused:
            session.spec = None
            raise self._shown(refused.status, refused.text) from None
        except Exception:
            session.spec = None
            spawner.log.exception("homeport_hub: preparing storage for %s failed", spawner._log_name)
            raise self._shown(500, "Your storage could not be prepared: an error in the hub, not in your files. "
                              "The hub's log tells an admin more.") from None
        finally:
            session.messages.close()

    def _shown(self, status, text):
        return spawn_error(status, plain(text + (" " + self.settings.contact if self.settings.contact else "")))

    def modify_pod(self, spawner, pod):
        session = session_of(spawner)
        if not session.managed and self.settings.in_pilot(spawner.user.name, group_names(spawner.user)) \
                or session.managed and session.spec is None:
            raise self._shown(500, "Your server would start without your home: a hook of this hub is set after Homeport's. "
                              "An admin moves homeport_hub.load() to the end of the configuration.")
        if session.managed:
            try:
                Kubernetes(self).edit_pod(spawner, pod, session)
            except Refused as refused:
                raise self._shown(refused.status, refused.text) from None
        return pod

    async def post_stop(self, spawner):
        """A hint, no more: the service looks at the hub's list of servers itself. Also called when the spawn never got
        as far as a spec; then there is nothing to say."""
        try:
            session = session_of(spawner)
            spec_id, session.spec = session.spec and session.spec["spec_id"], None
            if spec_id is None and session.question is None and self.settings.in_pilot(
                    spawner.user.name, group_names(spawner.user)):
                entry = await self.cache.get({"hub": self.settings.hub, "user": spawner.user.name, "server": spawner.name})
                spec_id = entry and entry["spec"]["spec_id"]  # started before this hub did
            if spec_id:
                await self.service.call("POST", f"/v1/mountspecs/{quote(spec_id, safe='')}/release", None, RELEASE_LIMIT)
        except Exception as e:
            spawner.log.debug("homeport_hub: the end of %s could not be told: %s", spawner._log_name, plain(e))

    async def _question(self, spawner, platform, groups):
        auth_state = None
        if callable(self.settings.identity) or isinstance(self.settings.identity, dict):
            auth_state = await maybe_future(spawner.user.get_auth_state())
        identity, more_groups = await identity_of(self.settings, spawner, platform, auth_state)
        question = {"hub": self.settings.hub, "user": spawner.user.name, "server": spawner.name or "",
                    "groups": askable(set(groups) | set(more_groups)), "purpose": "interactive"}
        if identity:
            question["identity"] = identity
        created = account_created(spawner.user)
        if created:
            question["account_created"] = created
        datasets = wanted_datasets(spawner.user_options, self.settings.datasets_option)
        if datasets is not None:
            question["wanted"] = {"datasets": datasets}
        return question

    async def _spec(self, spawner, session):
        """(spec, rendering) from the service, or from what was kept."""
        question = session.question
        try:
            spec = await self._ask(session)
            rendering = await self._rendering(spawner, spec, question)
        except Trouble as trouble:
            entry = await self.cache.get(question)
            spec = entry and kept_spec(entry, question)
            if spec is None:
                spawner.log.error("homeport_hub: no spec for %s: %s", spawner._log_name, trouble)
                raise Refused(503, "The storage service cannot be asked for your home right now. Your files are safe; "
                              "please try again in a few minutes.") from None
            spawner.log.warning("homeport_hub: %s gets the spec kept at %s: %s", spawner._log_name,
                                time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["saved_at"])), trouble)
            session.messages.say("The storage service is away; you get your home as it was the last time.")
            return spec, entry.get("rendering")
        await self.cache.put(question, spec, rendering)
        return spec, rendering

    async def _ask(self, session):
        began, limit, attempts, first = time.monotonic(), self.settings.deadline, 0, False
        while True:
            left = began + limit - time.monotonic()
            try:
                if left <= 0.1:
                    raise Trouble("no usable answer in time")
                wait = max(0, int(min(5 if first else 2, left / 2)))
                asked = time.monotonic()
                status, body = await self.service.call("POST", f"/v1/mountspecs?wait={wait}", session.question,
                                                       min(left, wait + self.settings.deadline / 2))
                if status != 202:
                    return spec_in(status, body, session.question)
            except Trouble:
                attempts += 1
                if not first and attempts > 1 or left <= 0.1:
                    if first:
                        raise Refused(503, "Your home is still being made. That goes on by itself; please try again in a "
                                      "few minutes.") from None
                    raise
                await asyncio.sleep(min(1.0 if first else 0.3, max(left, 0)))
                continue
            if not first:
                first, limit = True, self.settings.first_deadline
                session.messages.say("Making your home: this happens once, and may take a minute or two.", 5)
            else:
                seconds = int(time.monotonic() - began)
                session.messages.say(f"Still making your home ({seconds} s).", min(30, 5 + seconds // 4))
            if time.monotonic() - asked < 0.5:
                await asyncio.sleep(0.5)  # a service that does not wait is not asked in a tight loop

    async def _rendering(self, spawner, spec, question):
        """KubeSpawner with claims: their names are the service's to say."""
        if self.settings.volumes != "claims" or not getattr(spawner, "namespace", None):
            return None
        entry = await self.cache.get(question)
        if entry and entry["spec"]["digest"] == spec["digest"] and entry.get("rendering"):
            return entry["rendering"]
        path = f"/v1/mountspecs/{quote(spec['spec_id'], safe='')}?format=kubespawner&namespace={quote(spawner.namespace, safe='')}"
        status, body = await self.service.call("GET", path, None, self.settings.deadline / 2)
        if status != 200 or not isinstance(body, dict) or not isinstance(body.get("volumes"), dict):
            raise Trouble(f"the service does not render the spec for KubeSpawner: {problem_text(body) or status}")
        return body


def spec_in(status, body, question):
    """The spec of an answer. Raises Refused with the service's own words, or Trouble."""
    if isinstance(body, dict) and "schema" in body:
        check_spec(body, question)
        if body["state"] != "blocked" and status == 200:
            return body
        words = [n["text"] for n in body["notices"] if isinstance(n, dict) and n.get("level") == "error" and n.get("text")]
        raise Refused(status if 400 <= status < 600 else 503, " ".join(words) or "Your home cannot be used right now.")
    text = problem_text(body)
    if text is None:
        raise Trouble(f"the service answers {status} with something it never says")
    if status == 401 or status == 429 or status >= 500 and status != 507 or body.get("retryable") is True:
        raise Trouble(f"the service answers {status}: {text}")
    raise Refused(status if 400 <= status < 600 else 503, text)


def problem_text(body):
    """What a problem (RFC 9457) says, with its hint; None for anything else."""
    if not isinstance(body, dict) or not isinstance(body.get("detail"), str):
        return None
    hint = body.get("hint")
    text = body["detail"] + (f" ({hint})" if isinstance(hint, str) and hint else "")
    return plain(text[:1].upper() + text[1:])


def kept_spec(entry, question):
    """The kept spec as far as it still holds for this question; None where it does not."""
    asked, spec = entry["question"], dict(entry["spec"])
    uid = (question.get("identity") or {}).get("uid")
    native = spec["identity"].get("mode") == "native"
    if native and uid is not None and uid != spec["identity"].get("uid"):
        return None
    before, now = asked.get("account_created"), question.get("account_created")
    if before and now and before != now and not (native and uid is not None):
        return None  # the account was deleted and made again: whose it is now is the service's to say
    if not set(asked.get("groups", ())) <= set(question["groups"]) or asked.get("wanted") != question.get("wanted"):
        # What somebody may see beside the home is the service's to say.
        spec["mounts"] = [m for m in spec["mounts"] if m["kind"] == "home"]
    spec["state"] = "degraded"
    spec["notices"] = []
    return spec


def account_created(user):
    """When the hub made this account, in UTC; None where it does not say. A name that was deleted and made again may be
    somebody else's, and the service tells them apart by this."""
    created = getattr(user, "created", None)
    if not isinstance(created, datetime.datetime):
        return None
    if created.tzinfo is not None:
        created = created.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return created.isoformat(timespec="milliseconds") + "Z"


def group_names(user):
    return [getattr(group, "name", group) for group in getattr(user, "groups", ())]


def askable(groups):
    """Sorted, without names that Homeport knows no group by ("/staff", as some directories write them): one of these must
    not cost anybody the home."""
    return sorted({g for g in groups if re.fullmatch(r"[^/\x00-\x1f\x7f-\x9f]{1,255}", g) and g == g.strip()})[:1000]


def wanted_datasets(options, name):
    """Datasets that the user chose in the options form, or by API: unfiltered, so the service decides."""
    chosen = options.get(name) if name and isinstance(options, dict) else None
    if chosen is None:
        return None
    if isinstance(chosen, str):
        chosen = [part.strip() for part in chosen.split(",") if part.strip()]
    if not isinstance(chosen, list) or len(chosen) > 1000 or not all(isinstance(one, str) for one in chosen):
        raise Refused(400, f"The option {name} is a list of names of datasets.")
    return sorted(set(chosen))


async def identity_of(settings, spawner, platform, auth_state):
    """({uid, gid, gids} or None, further groups)."""
    how = settings.identity
    if callable(how):
        given = await maybe_future(how(spawner, auth_state)) or {}
    elif isinstance(how, dict):
        given = {name: _member(auth_state, path) for name, path in how.items()}
    elif how == "account" or how == "auto" and platform.accounts:
        return await _in_thread(lambda: account_identity(platform.account_name(spawner))), []
    else:
        return None, []
    groups = given.get("groups") or []
    identity = {name: _number(given[name], name) for name in ("uid", "gid") if given.get(name) not in (None, "", [])}
    if given.get("gids"):
        identity["gids"] = [_number(gid, "gid") for gid in list(given["gids"])[:MAX_GIDS]]
    return identity or None, [str(group) for group in ([groups] if isinstance(groups, str) else groups)]


def _member(state, path):
    for part in path.split("."):
        state = state.get(part) if isinstance(state, dict) else None
    return state


def _number(value, name):
    """LDAP gives lists, texts and bytes."""
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,10}", str(value)):
        raise Refused(500, f"Your account's {name} is not a number: the directory this hub logs in with has to be looked at.")
    return int(value)


def account_identity(name):
    """The ids of an account of this host; None where there is none. Its further groups come with the process."""
    try:
        account = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    return {"uid": account.pw_uid, "gid": account.pw_gid}


# ---------------------------------------------------------------------------------------------------------------------
# The platforms: from a mount spec to what one spawner takes


def platform_of(homeport, spawner):
    chosen = homeport.settings.platform
    if callable(chosen):
        return SiteFunction(homeport, chosen)
    if chosen == "auto":
        names = [cls.__name__ for cls in type(spawner).__mro__]
        for spawner_class, platform in SPAWNERS:
            if spawner_class in names:
                chosen = platform
                break
    if chosen not in PLATFORMS:
        raise Refused(500, f"homeport_hub does not know how {type(spawner).__name__} takes storage: an admin names a platform "
                      "(or a function) in load().")
    return PLATFORMS[chosen](homeport)


class Platform:
    """One way to take storage. check() refuses configurations that would start people without their home."""

    accounts = False      # do servers run as accounts of this host?
    on_this_host = False  # do servers run on the hub's own host, and reach what only listens there?

    def __init__(self, homeport):
        self.settings = homeport.settings

    def account_name(self, spawner):
        return spawner.user.name

    async def check(self, spawner):
        pass

    async def apply(self, spawner, session):
        raise NotImplementedError

    def environment(self, spec, home, datasets):
        """For the server: what the class says, and where things are."""
        out = {name: value for name, value in spec["environment"].items()
               if re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) and not name.startswith(("JUPYTERHUB_", "JPY_"))}
        out.setdefault("NB_HOME", home)
        if datasets:
            out.setdefault("NB_DATASETS", ":".join(path for path in datasets if ":" not in path))
        limit = (home_of(spec).get("quota") or {}).get("limit_bytes")
        if limit:
            out.setdefault("NB_HOME_LIMIT_BYTES", str(limit))
        out["HOMEPORT_SPEC"], out["HOMEPORT_DIGEST"] = spec["spec_id"], spec["digest"]
        out.update(self.service())
        return out

    def service(self):
        """What `homeport` in a notebook needs beside JUPYTERHUB_API_TOKEN: where the service is, and whose that token is."""
        settings = self.settings
        url = settings.notebook_url
        if url is None and (self.on_this_host or not settings.is_loopback):
            url = settings.url
        if not url:
            return {}
        out = {"HOMEPORT_URL": url, "HOMEPORT_HUB": settings.hub}
        ca_file = settings.notebook_ca_file or (settings.ca_file if self.on_this_host and url == settings.url else None)
        if ca_file:
            out["HOMEPORT_CA_FILE"] = ca_file
        return out


class SiteFunction(Platform):
    """platform=function(spawner, spec): the site does it itself."""

    def __init__(self, homeport, function):
        super().__init__(homeport)
        self._function = function

    async def apply(self, spawner, session):
        await maybe_future(self._function(spawner, session.spec))


class Kubernetes(Platform):
    async def check(self, spawner):
        if not getattr(spawner.modify_pod_hook, "homeport", False):
            raise Refused(500, "Your server would start without your home: c.KubeSpawner.modify_pod_hook is set after "
                          "Homeport's. An admin moves homeport_hub.load() to the end of the configuration.")

    async def apply(self, spawner, session):
        """The pod itself is changed in modify_pod_hook: nothing is templated after it, and profiles cannot undo it."""
        for mount in session.spec["mounts"]:
            self._volume(mount, session.rendering)  # refuse now, in words, what no pod can mount
        if self.settings.volumes == "inline":
            lost = sorted({word for mount in session.spec["mounts"] for word in lost_inline(mount)})
            if lost:
                spawner.log.info("homeport_hub: an inline NFS volume takes the node's own mount options; not applied for "
                                 "%s: %s", spawner._log_name, ", ".join(lost))
        if getattr(spawner, "storage_pvc_ensure", False):
            session.set(spawner, "storage_pvc_ensure", False)  # no claim of the site's beside Homeport's home

    def _volume(self, mount, rendering):
        source = mount["source"]
        if source["type"] != "nfs":
            raise Refused(500, f"{mount['id']} lies on a single host, and a pod may run on any node: serve it over NFS.")
        if rendering:
            return rendering["volumes"][mount["id"]]
        if source.get("port") not in (None, 2049) or source.get("mount_port"):
            raise Refused(500, f"{mount['id']} is served on a port of its own, which an inline NFS volume cannot name: "
                          "an admin sets volumes=\"claims\".")
        return {"name": "homeport-" + mount["id"], "nfs": {"server": source["server"], "path": source["export"],
                                                           "readOnly": mount["access"] == "ro"}}

    def edit_pod(self, spawner, pod, session):
        spec, models = session.spec, importlib.import_module(type(pod).__module__.rpartition(".")[0])
        notebook = next((c for c in pod.spec.containers if _get(c, "name") == "notebook"), pod.spec.containers[0])
        ours, mounts = [], {}
        for mount in spec["mounts"]:
            volume, read_only = self._volume(mount, session.rendering), mount["access"] == "ro"
            ours.append(models.V1Volume(name=volume["name"], **{_snake(k): v for k, v in volume.items() if k != "name"}))
            mounts[mount["target"]] = models.V1VolumeMount(name=volume["name"], mount_path=mount["target"], read_only=read_only)
        self._put_mounts(pod, notebook, mounts, ours)
        environment = self.environment(spec, home_of(spec)["target"], dataset_targets(spec))
        kept = [e for e in _get(notebook, "env") or [] if _get(e, "name") not in environment]
        # Kubernetes expands $(NAME) in values.
        _set(notebook, "env", kept + [models.V1EnvVar(name=name, value=value.replace("$(", "$$("))
                                      for name, value in sorted(environment.items())])
        self._put_ids(pod, notebook, spec["identity"], models)

    def _put_mounts(self, pod, notebook, mounts, ours):
        """Ours instead of the site's at the same places, also where an init container prepares the home; a volume that
        nobody mounts any more goes, so that no claim is attached for nothing."""
        replaced, dropped = {_clean(path) for path in self.settings.replaces}, set()
        containers = list(pod.spec.containers) + list(pod.spec.init_containers or [])
        for container in containers:
            kept = []
            for mount in _get(container, "volume_mounts") or []:
                path = _clean(_get(mount, "mount_path"))
                if path in mounts or path in replaced:
                    dropped.add(_get(mount, "name"))
                    if container is not notebook and path in mounts:
                        kept.append(mounts[path])
                else:
                    kept.append(mount)
            _set(container, "volume_mounts", list(mounts.values()) + kept if container is notebook else kept)
        used = {_get(mount, "name") for container in containers for mount in _get(container, "volume_mounts") or []}
        names = {volume.name for volume in ours}
        pod.spec.volumes = ours + [v for v in pod.spec.volumes or [] if _get(v, "name") not in names
                                   and (_get(v, "name") not in dropped or _get(v, "name") in used)]

    def _put_ids(self, pod, notebook, identity, models):
        context = _get(notebook, "security_context") or models.V1SecurityContext()
        for name, value in (("run_as_user", identity.get("uid")), ("run_as_group", identity.get("gid"))):
            if value is not None:
                _set(context, name, value)
        _set(notebook, "security_context", context)
        if identity.get("supplemental_gids"):
            context = pod.spec.security_context or models.V1PodSecurityContext()
            there = list(_get(context, "supplemental_groups") or [])
            _set(context, "supplemental_groups", there + [g for g in identity["supplemental_gids"] if g not in there])
            pod.spec.security_context = context


def _camel(name):
    return re.sub(r"_([a-z])", lambda m: m.group(1).upper(), name)


def _snake(name):
    return re.sub(r"[A-Z]", lambda m: "_" + m.group(0).lower(), name)


def _get(thing, name):
    """A member of a pod's part: KubeSpawner holds some as models of the client, some as plain dicts."""
    if isinstance(thing, dict):
        return thing.get(_camel(name), thing.get(name))
    return getattr(thing, name)


def _set(thing, name, value):
    if isinstance(thing, dict):
        thing[_camel(name)] = value
    else:
        setattr(thing, name, value)


def _clean(path):
    return posixpath.normpath(path) if path else path


def lost_inline(mount):
    """NFS options that differ from what a Linux node mounts with by itself."""
    usual = {"transport": "tcp", "hard": True, "timeo": 600, "retrans": 2, "sec": "sys"}
    lost = [f"{name}={value}" if value is not True else name for name, value in (mount.get("nfs") or {}).items()
            if value not in (None, False, usual.get(name)) or name == "hard" and value is False]
    version = mount["source"].get("version")
    return lost + ([f"vers={version}"] if version != "4.2" else [])


class Docker(Platform):
    async def check(self, spawner):
        if not spawner.remove:
            raise Refused(500, "Your server would start in its old container, with its old mounts: an admin sets "
                          "c.DockerSpawner.remove = True (and looks first for files that lie only in a container).")

    async def apply(self, spawner, session):
        spec = session.spec
        gone = {m["target"] for m in spec["mounts"]} | {_clean(path) for path in self.settings.replaces}
        for name in ("volumes", "read_only_volumes"):
            kept = {source: to for source, to in getattr(spawner, name).items()
                    if _clean(to["bind"] if isinstance(to, dict) else to) not in gone}
            session.set(spawner, name, kept)
        theirs = [m for m in spawner.mounts if _clean(m.get("target")) not in gone]
        session.set(spawner, "mounts", [docker_mount(m) for m in spec["mounts"]] + theirs)
        environment = self.environment(spec, home_of(spec)["target"], dataset_targets(spec))
        session.set(spawner, "environment", {**spawner.environment, **environment})
        identity = spec["identity"]
        if identity.get("uid") is not None:
            user = str(identity["uid"]) + (f":{identity['gid']}" if identity.get("gid") is not None else "")
            session.set(spawner, "extra_create_kwargs", _merged(spawner.extra_create_kwargs, lambda k: {**k, "user": user}))
        gids = [str(gid) for gid in identity.get("supplemental_gids") or []]
        if gids:
            session.set(spawner, "extra_host_config", _merged(
                spawner.extra_host_config, lambda k: {**k, "group_add": list(k.get("group_add") or []) + gids}))


def _merged(theirs, change):
    """A dict, or a function that gives one (DockerSpawner from 13)."""
    if not callable(theirs):
        return change(dict(theirs or {}))

    async def merged(spawner):
        return change(dict(await maybe_future(theirs(spawner)) or {}))
    return merged


def docker_mount(mount):
    """The keywords of docker.types.Mount. Its texts go through str.format, what is nested in driver_config does not."""
    source, target = mount["source"], braces(mount["target"])
    if source["type"] != "nfs":
        return {"type": "bind", "source": braces(source["path"]), "target": target, "read_only": mount["access"] == "ro"}
    options = {"type": "nfs", "o": ",".join(mount_options(mount)), "device": ":" + source["export"]}
    # Docker keeps the options of a volume it knows by name: another mount needs another name.
    name = f"homeport-{mount['id']}-{hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:12]}"
    return {"type": "volume", "source": name, "target": target, "read_only": mount["access"] == "ro", "no_copy": True,
            "driver_config": {"Name": "local", "Options": options}}


def mount_options(mount):
    """The words of mount(8) for one NFS mount."""
    source, nfs = mount["source"], mount.get("nfs") or {}
    server = source["server"]
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", server):
        raise Refused(500, f"The server of {mount['id']} has a name that cannot be mounted.")
    words = ["addr=" + server, f"vers={source['version']}", "proto=tcp6" if ":" in server else "proto=tcp"]
    words += [f"{word}={source[member]}" for word, member in (("port", "port"), ("mountport", "mount_port")) if source.get(member)]
    words.append("soft" if nfs.get("hard") is False else "hard")
    words += [f"{word}={int(nfs[word])}" for word in ("timeo", "retrans", "rsize", "wsize", "nconnect") if nfs.get(word)]
    words += [word for word in ("nolock", "noresvport", "noatime", "nosuid", "nodev", "noexec") if nfs.get(word)]
    if nfs.get("sec") not in (None, "sys"):
        words.append(f"sec={nfs['sec']}")
    return words + [mount["access"]]


def braces(text):
    """For a setting that the spawner puts through str.format."""
    return text.replace("{", "{{").replace("}", "}}")


def home_of(spec):
    return next(m for m in spec["mounts"] if m["kind"] == "home")


def dataset_targets(spec):
    return [m["target"] for m in spec["mounts"] if m["kind"] == "dataset"]


class OnHost(Platform):
    """Servers are processes of this host, which has mounted the storage itself: the spec says which directories."""

    accounts = True
    on_this_host = True

    def host_path(self, mount):
        """(directory on this host, what must be a mount point: None for local storage)."""
        source = mount["source"]
        if source["type"] != "nfs":
            mine = socket.gethostname()
            if source.get("host") and source["host"].split(".")[0] != mine.split(".")[0]:
                raise Refused(500, f"{mount['id']} lies on host {plain(source['host'])}, and this hub runs on {mine}.")
            return source["path"], None
        at = f"{source['server']}:{source['export']}"
        for prefix, base in sorted((self.settings.host_mounts or {}).items(), key=lambda item: -len(item[0])):
            prefix = prefix.rstrip("/")
            if at == prefix or at.startswith(prefix + "/"):
                return posixpath.normpath(base + at[len(prefix):]), base
        return None, None

    def directory_of(self, mount, spec):
        path, base = self.host_path(mount)
        if path is None and self.settings.host_root:  # where `homeport spec get --format fstab` mounts it
            path = base = posixpath.join(self.settings.host_root, spec["subject"]["user_key"], mount["id"])
        return path, base

    async def look(self, spec, uid):
        """{mount id: directory on this host}. The home must be there, mounted, a directory, and the account's own."""
        found = {}
        for mount in spec["mounts"]:
            path, base = self.directory_of(mount, spec)
            wrong = f"{mount['id']} has no place on this host (host_mounts names none for it)." if path is None else \
                await _look_at(path, base, uid if mount["kind"] == "home" else None)
            if wrong is None:
                found[mount["id"]] = path
            elif mount["required"]:
                raise Refused(503, wrong)
            else:
                _log().warning("homeport_hub: left out for %s: %s", spec["subject"]["user_key"], wrong)
        return found

    def datasets(self, spec, found):
        return [found[m["id"]] for m in spec["mounts"] if m["kind"] == "dataset" and m["id"] in found]


_hanging = set()  # mount points that a look never came back from


async def _look_at(path, base, uid):
    """None, or what is wrong. In a thread of its own: a dead NFS server holds whoever looks."""
    if base in _hanging:
        return f"The storage at {base} does not answer. Your files are safe; please try again in a few minutes."
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def tell(result):
        _hanging.discard(base)
        if not done.done():
            done.set_result(result)

    def work():
        result = _look(path, base, uid)
        try:
            loop.call_soon_threadsafe(tell, result)
        except RuntimeError:
            pass  # the hub has ended meanwhile

    threading.Thread(target=work, daemon=True, name="homeport-look").start()
    try:
        return await asyncio.wait_for(asyncio.shield(done), LOOK_LIMIT)
    except asyncio.TimeoutError:
        if base:
            _hanging.add(base)
        return f"The storage at {base or path} does not answer. Your files are safe; please try again in a few minutes."


def _look(path, base, uid):
    try:
        if base is not None and not os.path.ismount(base):
            return f"{base} is not mounted on this host. Your files are safe; an admin has to mount it."
        if base is not None:
            os.statvfs(base)  # asks the server itself; what follows may come from the client's cache of attributes
        status = os.lstat(path)
    except OSError as e:
        return f"{path} cannot be used on this host: {e.strerror}."
    if not stat.S_ISDIR(status.st_mode):
        return f"{path} is not a directory."
    if uid is not None and status.st_uid != uid:
        return f"{path} belongs to uid {status.st_uid}, and your account has uid {uid}: an admin has to look at it."
    return None


class Local(OnHost):
    """LocalProcessSpawner, SudoSpawner: a process of the account."""

    async def apply(self, spawner, session):
        spec, name = session.spec, self.account_name(spawner)
        identity = await _in_thread(lambda: account_identity(name)) if self.accounts else None
        if self.accounts and identity is None:
            raise Refused(500, f"There is no account {plain(name)} on this host for your server to run as.")
        found = await self.look(spec, identity and identity["uid"])
        home = found[home_of(spec)["id"]]
        session.set(spawner, "notebook_dir", braces(home))
        environment = self.environment(spec, home, self.datasets(spec, found))
        session.set(spawner, "environment", {**spawner.environment, **environment})


class SimpleLocal(Local):
    """SimpleLocalProcessSpawner: everybody is the hub's own user. For trying things out only."""

    accounts = False


class Systemd(OnHost):
    """SystemdSpawner: a transient unit, with binds in its own mount namespace."""

    def account_name(self, spawner):
        return spawner._expand_user_vars(spawner.username_template)

    async def check(self, spawner):
        if spawner.dynamic_users:
            raise Refused(500, "Homes belong to accounts, and c.SystemdSpawner.dynamic_users gives every start another one.")

    async def ready_account(self, name, spec, home):
        try:
            return await _in_thread(lambda: pwd.getpwnam(name))
        except KeyError:
            raise Refused(500, f"There is no account {plain(name)} on this host for your server to run as.") from None

    async def apply(self, spawner, session):
        spec, name = session.spec, self.account_name(spawner)
        account = await self.ready_account(name, spec, self.directory_of(home_of(spec), spec)[0])
        found = await self.look(spec, account.pw_uid)
        binds, read_only = [], []
        for mount in spec["mounts"]:
            path = found.get(mount["id"])
            target = account.pw_dir if mount["kind"] == "home" else mount["target"]
            if path and path != target:
                (read_only if mount["access"] == "ro" else binds).append(f"{bind_word(path)}:{bind_word(target)}")
        properties = dict(spawner.unit_extra_properties)
        for key, words in (("BindPaths", binds), ("BindReadOnlyPaths", read_only)):
            if words:  # one text: a list raises, and braces are put through str.format
                properties[key] = " ".join([*filter(None, [properties.get(key)]), *map(braces, words)])
        session.set(spawner, "unit_extra_properties", properties)
        if not spawner.notebook_dir:
            session.set(spawner, "notebook_dir", braces(account.pw_dir))
        datasets = [m["target"] for m in spec["mounts"] if m["kind"] == "dataset" and m["id"] in found]
        session.set(spawner, "environment", {**spawner.environment, **self.environment(spec, account.pw_dir, datasets)})


def bind_word(path):
    """One side of a bind: ':' and blanks separate, quotes and the backslash quote (systemd.exec(5), systemd.syntax(7))."""
    return re.sub(r"([\\:\"'\s])", r"\\\1", path)


class Tljh(Systemd):
    """The Littlest JupyterHub makes an account at the first start, with whatever uid comes next, and does not own a home
    that is there already. So the account is made here, first, with the uid that the home belongs to."""

    _one_at_a_time = None

    def account_name(self, spawner):
        """tljh.normalize.generate_system_username."""
        name = "jupyter-" + spawner.user.name
        if len(name) < 26:
            return name
        return f"{name[:26]}-{hashlib.sha256(name.encode('utf-8')).hexdigest()[:5]}"

    async def ready_account(self, name, spec, home):
        identity = spec["identity"]
        uid, gid = identity.get("uid"), identity.get("gid")
        if identity.get("mode") != "native" or not uid or not gid:
            raise Refused(500, "TLJH needs a uid of its own for everybody: the class of your home has identity squash.")
        account = await _in_thread(lambda: _account(name))
        if account is None:
            if not re.fullmatch(r"jupyter-[^\s:,/\\\"'\x00-\x1f\x7f]{1,24}", name):
                raise Refused(400, f"{plain(name)} cannot be the name of an account on this host.")
            if Tljh._one_at_a_time is None:
                Tljh._one_at_a_time = asyncio.Lock()
            async with Tljh._one_at_a_time:
                account = await self._make_account(name, uid, gid, home)
        if account.pw_uid != uid:
            raise Refused(500, f"Account {plain(name)} has uid {account.pw_uid} on this host, and Homeport knows it with {uid}: "
                          "an admin has to make them the same.")
        return account

    async def _make_account(self, name, uid, gid, home):
        taken = await _in_thread(lambda: _account(uid))
        if taken is not None:
            raise Refused(500, f"uid {uid} is account {plain(taken.pw_name)} on this host, and Homeport's for {plain(name)}.")
        if await _in_thread(lambda: _group(gid)) is None:
            await _run("groupadd", "--gid", str(gid), "--", name)
        await _run("useradd", "--uid", str(uid), "--gid", str(gid), "--no-create-home", "--home-dir",
                   home or f"/home/{name}", "--shell", "/bin/bash", "--", name)
        account = await _in_thread(lambda: _account(name))
        if account is None:
            raise Refused(500, f"Account {plain(name)} could not be made on this host; the hub's log says why.")
        _log().info("homeport_hub: made account %s with uid %d", plain(name), uid)
        return account


def _account(who):
    try:
        return pwd.getpwuid(who) if isinstance(who, int) else pwd.getpwnam(who)
    except KeyError:
        return None


def _group(gid):
    try:
        return grp.getgrgid(gid)
    except KeyError:
        return None


async def _run(*command):
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL,
                                                   stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    if process.returncode != 0:
        _log().error("homeport_hub: %s ended with %d: %s", command[0], process.returncode, plain(errors.decode("utf-8", "replace")))


class Unsupported(Platform):
    """Spawners that would ignore what is set, and start people in an empty home."""

    async def check(self, spawner):
        raise Refused(500, f"homeport_hub cannot give {type(spawner).__name__} its storage: use DockerSpawner, or a function "
                      "as platform in load().")


PLATFORMS = {"kubernetes": Kubernetes, "docker": Docker, "systemd": Systemd, "tljh": Tljh, "local": Local,
             "simple": SimpleLocal, "unsupported": Unsupported}

# By class name, the special before the general.
SPAWNERS = [("KubeSpawner", "kubernetes"), ("SwarmSpawner", "unsupported"), ("SystemUserSpawner", "unsupported"),
            ("DockerSpawner", "docker"), ("UserCreatingSpawner", "tljh"), ("SystemdSpawner", "systemd"),
            ("SimpleLocalProcessSpawner", "simple"), ("LocalProcessSpawner", "local"), ("SudoSpawner", "local")]
