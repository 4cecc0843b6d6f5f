"""A real JupyterHub beside the real homeportd, and what misbehaves between them. Standard library only (the hub itself is
Debian's). Everything ends with the test; ports are free ones.
"""
import http.client
import http.server
import json
import os
import random
import select
import signal
import socket
import socketserver
import subprocess
import threading
import time
import urllib.parse

import support

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "examples", "jupyterhub")
ADMIN = "0123456789abcdef0123456789abcdef"

HUB_CONFIG = """\
import os, sys
sys.path[:0] = [{examples!r}, {here!r}]
import hub_spawners
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_api}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "pw"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.services = [{{"name": "tests", "api_token": {admin!r}}}]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"], "scopes": [
    "admin:users", "admin:servers", "admin:groups", "admin:server_state", "tokens", "read:hub"]}}]
c.JupyterHub.spawner_class = hub_spawners.EmptySpawner
"""


class Hub:
    """One hub process with its proxy. `config` is appended to HUB_CONFIG."""

    def __init__(self, directory, config, environment=None):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.log_path = directory, os.path.join(directory, "hub.log")
        self.port, self.proxy_port = support.free_port(), support.free_port()
        text = HUB_CONFIG.format(examples=EXAMPLES, here=HERE, proxy=self.proxy_port, hub=self.port,
                                 proxy_api=support.free_port(), admin=ADMIN) + config
        with open(os.path.join(directory, "jupyterhub_config.py"), "w", encoding="utf-8") as f:
            f.write(text)
        # Debian's own node modules, and no other Python in between.
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NODE_PATH": "/usr/share/nodejs", "HOME": directory,
               "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.environ.get("HUB_PYTHONPATH", ""),
               **(environment or {})}
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(["/usr/bin/python3", "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
                                        cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=self._log,
                                        stderr=self._log)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.process.poll() is None

    def wait_up(self):
        def up():
            if not self.alive():
                raise AssertionError(f"the hub ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            try:
                return self.call("GET", "/").status == 200 and "JupyterHub is now running" in self.log()
            except OSError:
                return False
        support.wait_until(up, "the hub answers", 60)
        return self

    def request(self, method, target, body=None, token=ADMIN, timeout=150, port=None, headers=None):
        """To the hub itself, not through its proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        fields = {"Authorization": "token " + token, **(headers or {})}
        if body is not None:
            body = json.dumps(body)
            fields["Content-Type"] = "application/json"
        try:
            connection.request(method, target, body=body, headers=fields)
            return support.Answer(connection.getresponse())
        finally:
            connection.close()

    def call(self, method, path, body=None, **more):
        return self.request(method, "/hub/api" + path, body, **more)

    @staticmethod
    def user_path(user, server=None):
        path = "/users/" + urllib.parse.quote(user, safe="")
        return path if server is None else path + ("/servers/" + urllib.parse.quote(server, safe="") if server else "/server")

    def add_user(self, user):
        answer = self.call("POST", self.user_path(user))
        if answer.status not in (201, 409):
            raise AssertionError(f"user {user!r}: {answer}")

    def spawn(self, user, server="", options=None):
        """(status, text): 201 once the server is ready, else what the user is told."""
        answer = self.call("POST", self.user_path(user, server), options)
        if answer.status != 202:
            return answer.status, answer.body.get("message", "") if isinstance(answer.body, dict) else answer.text
        events = self.progress(user, server)  # ends when the start does
        if events and events[-1].get("failed"):
            return 500, events[-1]["message"]
        it = self.call("GET", self.user_path(user)).body["servers"].get(server)
        return (201, "") if it and it["ready"] else (500, f"not ready after {events}")

    def stop_server(self, user, server=""):
        answer = self.call("DELETE", self.user_path(user, server))
        if answer.status not in (202, 204):
            raise AssertionError(f"stop of {user!r}: {answer}")
        def stopped():
            it = self.call("GET", self.user_path(user)).body["servers"].get(server)
            return not it or not (it["ready"] or it["pending"])
        support.wait_until(stopped, f"the server of {user} stops")

    def progress(self, user, server="", timeout=150):
        """The events that the spawn page would show, until they end; [] where nothing is starting."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", "/hub/api" + self.user_path(user, server) + "/progress",
                               headers={"Authorization": "token " + ADMIN})
            response, events = connection.getresponse(), []
            for line in response:
                if line.startswith(b"data: "):
                    events.append(json.loads(line[6:]))
                    if events[-1].get("failed") or events[-1].get("ready"):
                        break
            return events
        finally:
            connection.close()

    def _descendants(self):
        """{pid: start time} of what the hub has started: each of these is in a session of its own."""
        parents, started = {}, {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                    fields = f.read().rpartition(")")[2].split()
                parents[int(pid)], started[int(pid)] = int(fields[1]), fields[19]
            except OSError:
                pass
        found, more = set(), {self.process.pid}
        while more:
            more = {pid for pid, parent in parents.items() if parent in more} - found
            found |= more
        return {pid: started[pid] for pid in found}

    def close(self):
        children = self._descendants() if self.alive() else {}
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(support.PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(support.PATIENCE)
        for pid, started in children.items():  # those it did not end itself
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                    if f.read().rpartition(")")[2].split()[19] == started:
                        os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self._log.close()


class Threaded:
    """A server whose threads end with the test."""

    def __init__(self, server):
        self.server = server
        self.port = server.server_address[1]
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class HttpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # either side may go at any time


class Notebooks(Threaded):
    """Every single-user server of hub_spawners.EmptySpawner at once: 200 to whatever is asked."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass
        super().__init__(HttpServer(("127.0.0.1", 0), Handler))


class Front(Threaded):
    """Between hub and homeportd: passes on, or misbehaves as `mode` says.

    mode: "pass", "drop" (closes without a word), "hang" (never answers), or (status, content type, bytes).
    """

    def __init__(self, daemon):
        self.daemon, self.mode, self.seen = daemon, "pass", []
        self._open = threading.Event()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                front.seen.append((self.command, self.path, body, dict(self.headers)))
                front.answer(self, body, front.mode)

            do_GET = do_POST

            def log_message(self, *args):
                pass
        super().__init__(HttpServer(("127.0.0.1", 0), Handler))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def answer(self, handler, body, mode):
        handler.close_connection = True
        if mode == "drop":
            return
        if mode == "hang":
            self._open.wait(120)
            return
        if mode == "pass":
            host, port = self.daemon.address.rsplit(":", 1)
            connection = http.client.HTTPConnection(host, int(port), timeout=150)
            connection.request(handler.command, handler.path, body or None,
                               {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection")})
            response = connection.getresponse()
            mode = (response.status, response.getheader("Content-Type") or "", response.read())
            connection.close()
        status, content_type, text = mode
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        if status != 204:
            handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def questions(self):
        return [json.loads(body) for method, path, body, _ in self.seen if path.startswith("/v1/mountspecs?")]

    def releases(self):
        return [path.split("/")[3] for method, path, _, _ in self.seen if path.endswith("/release")]

    def close(self):
        self._open.set()
        super().close()


class SlowRelay(Threaded):
    """TCP to one port of a server, each answer late by `delay` (least, most) seconds; one in `lossy` connections is cut
    when something passes."""

    def __init__(self, target, delay, lossy=0, seed=1):
        chance = random.Random(seed)
        self.cut = 0
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(("127.0.0.1", target)) as there:
                    ends = {self.request: there, there: self.request}
                    while True:
                        ready, _, _ = select.select(list(ends), [], [], 60)
                        for end in ready:
                            data = end.recv(1 << 16)
                            if not data:
                                return
                            if end is there:
                                time.sleep(chance.uniform(*delay))
                                if lossy and chance.randrange(lossy) == 0:
                                    relay.cut += 1
                                    return
                            ends[end].sendall(data)
                        if not ready:
                            return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128
            block_on_close = False

            def get_request(self):
                connection, address = super().get_request()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection, address

            def handle_error(self, request, client_address):
                pass  # either side may go at any time
        super().__init__(Server(("127.0.0.1", 0), Handler))


class FuseMount:
    """A directory of this machine that is an export of an NFS server, through nfs-fuse-for-tests."""

    def __init__(self, server, export, directory):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        url = f"nfs://127.0.0.1{export}?version=3&nfsport={server.port}&mountport={server.mount_port}&uid=0&gid=0"
        self.process = subprocess.Popen([support.binary("nfs-fuse-for-tests"), url, directory, "-o", "allow_other"],
                                        stdin=subprocess.DEVNULL)
        def mounted():
            if self.process.poll() is not None:
                raise AssertionError(f"nfs-fuse-for-tests ended with {self.process.returncode} (it needs /dev/fuse)")
            return os.path.ismount(directory)
        support.wait_until(mounted, f"{export} is mounted")

    def close(self):
        subprocess.run(["umount", "--lazy", self.directory], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(support.PATIENCE)
