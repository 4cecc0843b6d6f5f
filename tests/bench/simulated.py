"""flashblade-sim and homeportd over it, for the benchmarks beside this file. Standard library only."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

CONFIG = """\
log: {{level: warning}}
desired:
  backends:
  - name: fb1
    kind: flashblade
    workers: {workers}
    management: {{url: "http://{http}", plain_http: true, connections: {connections}, timeout: {timeout}, api_token: {{file: {token}}}}}
    data: {{address: 127.0.0.1, nfs_port: {nfs_port}, mount_port: {mount_port}, connections: {connections}}}
    exports: {{homeport: [127.0.0.1], clients: [10.20.0.0/16]}}
    pools: [{{name: homes, layout: filesystem}}]
  - {{name: lab, kind: memory, pools: [{{name: homes}}]}}
  classes:
  - {{name: own, backend: fb1, pool: homes, layout: filesystem, default_quota: 10GiB}}
  - {{name: lab, backend: lab, default_quota: 10GiB}}
  rules:
  - {{name: lab, match: {{groups: [lab]}}, class: lab}}
  - {{name: all, match: {{everyone: true}}, class: own}}
"""


def find(folder, name):
    for one in (folder, f"{folder}/bin", f"{folder}/tests/bench"):
        if os.access(f"{one}/{name}", os.X_OK):
            return f"{one}/{name}"
    raise SystemExit(f"no {name} in {folder}: build preset bench")


class Place:
    """A directory for one run, in memory where that is possible: a disk is not what is measured."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="homeport-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Array:
    def __init__(self, folder, place, data=True, options=()):
        command = [find(folder, "flashblade-sim"), "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", *options]
        if data:
            os.makedirs(f"{place.path}/data")
            command += ["--data", f"{place.path}/data", "--data-address", "127.0.0.1"]
        self.log = open(f"{place.path}/sim.log", "wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            with open(f"{place.path}/sim.log", encoding="utf-8") as log:
                raise SystemExit(f"flashblade-sim did not start: {log.read()[-1000:]}")
        self.ready = json.loads(line)

    def control(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.ready["control"], timeout=120)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def latency(self, milliseconds):
        self.control("DELETE", "/faults")
        if milliseconds:
            self.control("POST", "/faults", {"faults": [{"path": "*", "delay_ms": milliseconds}]})

    def calls(self):
        """What was asked since forget(): [(method, path without version, query)]."""
        return [(r["method"], r["path"].split("/", 3)[3], r["query"]) for r in self.control("GET", "/requests")["requests"]
                if r["path"].startswith("/api/2.")]

    def forget(self):
        self.control("DELETE", "/requests")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        self.log.close()


class Client:
    """One session over one connection."""

    def __init__(self, array, version="2.26"):
        self.version = version
        self.connection = http.client.HTTPConnection(array.ready["http"], timeout=300)
        self.connection.request("POST", "/api/login", headers={"api-token": array.ready["api_token"]})
        answer = self.connection.getresponse()
        answer.read()
        self.headers = {"x-auth-token": answer.getheader("x-auth-token", "none")}

    def raw(self, method, path, body=None):
        self.connection.request(method, f"/api/{self.version}/{path}", json.dumps(body) if body is not None else None, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
        return text

    def call(self, method, path, body=None):
        text = self.raw(method, path, body)
        return json.loads(text) if text else None


class Service:
    def __init__(self, folder, place, array, workers=16, connections=8, timeout="30s"):
        self.folder, self.state, self.log_path = folder, f"{place.path}/state", f"{place.path}/homeportd.log"
        token = f"{place.path}/array-token"
        with open(token, "w", encoding="ascii") as f:
            f.write(array.ready["api_token"])
        os.chmod(token, 0o600)
        with open(f"{place.path}/config.yaml", "w", encoding="ascii") as f:
            f.write(CONFIG.format(token=token, workers=workers, connections=connections, timeout=timeout, **{
                key: array.ready[key] for key in ("http", "nfs_port", "mount_port")}))
        self.log = open(self.log_path, "wb")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([find(folder, "homeportd"), "--config", f"{place.path}/config.yaml", "--state", self.state,
                                         "--listen", f"127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 60
        while not self.is_ready():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"homeportd did not become ready:\n{self.said()[-2000:]}")
            time.sleep(0.01)

    def said(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def token(self):
        with open(f"{self.state}/admin-token", encoding="ascii") as f:
            return f.read().strip()

    def call(self, method, target, body=None, token=None, timeout=600):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request(method, target, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json", "Authorization": "Bearer " + (token or self.token())})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def ensure(self, first, count, klass=None, wait=600):
        """Seconds until that many new homes are ready."""
        items = [{"user": f"user{i}", "uid": 20000 + i, "gid": 20000 + i, **({"class": klass} if klass else {})}
                 for i in range(first, first + count)]
        began = time.monotonic()
        for at in range(0, count, 1000):
            status, text = self.call("POST", f"/v1/homes:ensure?wait={wait}", {"items": items[at:at + 1000]})
            bad = status != 200 or [one for one in json.loads(text)["items"] if one["outcome"] != "created"]
            if bad:
                raise SystemExit(f"homes:ensure: {status} {bad if status == 200 else text[:500]}")
        return time.monotonic() - began

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        self.log.close()
