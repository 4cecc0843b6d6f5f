"""Starting and stopping the real homeportd for end-to-end tests. Standard library only.

Everything made here is given back at the end of the test, also when it fails: processes are ended by their id, directories
are removed. Ports are chosen by the kernel, so that tests can run beside others.

    class MyTest(support.E2ETest):
        def test_something(self):
            daemon = self.start_daemon(config=support.MEMORY_CONFIG)
            status, body = daemon.call("GET", "/v1/homes")
"""
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PATIENCE = 30  # seconds that anything may take before a test fails

_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent():
    """Between fork and exec: the kernel ends the child when the test dies, however it does (prctl PR_SET_PDEATHSIG)."""
    _libc.prctl(1, signal.SIGKILL)


MEMORY_CONFIG = """\
log: {level: debug}
desired:
  backends:
  - name: lab
    kind: memory
    pools: [{name: homes}]
    exports:
    - path: /data
      files: [{path: sets/a.csv, content: "1,2"}]
  classes:
  - {name: std, backend: lab, default_quota: 10GiB, max_quota: 50GiB}
  rules:
  - {name: all, match: {everyone: true}, class: std}
"""


def binary(name):
    """The path of a built program: HOMEPORT_BIN_DIR is set by ctest."""
    folder = os.environ.get("HOMEPORT_BIN_DIR")
    if not folder:
        raise unittest.SkipTest("HOMEPORT_BIN_DIR does not say where the built programs are")
    folders = folder.split(":")
    for one in folders:
        path = os.path.join(one, name)
        if os.access(path, os.X_OK):
            return path
    raise AssertionError(f"{name} is not in {folder}")


def free_port():
    """A port that was free a moment ago. Where the program can take port 0 itself, let it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, what, limit=PATIENCE):
    """Polls until condition() is true and gives its value; fails with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.02)


class Answer:
    """Status, header fields and body of one answer; body is parsed where it is JSON."""

    def __init__(self, response):
        self.status = response.status
        self.headers = dict((k.lower(), v) for k, v in response.getheaders())
        raw = response.read()
        self.text = raw.decode("utf-8", "replace")
        self.body = json.loads(raw) if raw and "json" in self.headers.get("content-type", "") else self.text

    def __iter__(self):  # status, body = daemon.call(…)
        return iter((self.status, self.body))

    def __repr__(self):
        return f"{self.status} {self.text[:500]}"


class Daemon:
    """One homeportd process. Its log is in `log_path`."""

    def __init__(self, state, config=None, args=(), env=None, log_path=None):
        self.state = state
        self.log_path = log_path
        self.address = None
        self.token = None
        command = [binary("homeportd"), "--state", state, "--listen", "127.0.0.1:0", *args]
        if config is not None:
            command += ["--config", config]
        self._log = open(log_path, "ab")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, **(env or {})}, preexec_fn=end_with_parent)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def _logged(self, event):
        """The address in the line of that event, once it is there; fails when the process has ended."""
        for line in self.log().splitlines():
            if event in line and "address=" in line:
                return line.split("address=", 1)[1].split()[0].strip('"')
        if self.process.poll() is not None:
            raise AssertionError(f"homeportd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        return None

    def wait_listening(self, limit=PATIENCE):
        self.address = wait_until(lambda: self._logged("listening"), "homeportd listens", limit)
        return self

    def wait_ready(self, limit=PATIENCE):
        self.wait_listening(limit)
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"homeportd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            return self.call("GET", "/readyz", token=None).status == 200
        wait_until(ready, "homeportd is ready", limit)
        self.token = self.admin_token()
        return self

    def admin_token(self):
        with open(os.path.join(self.state, "admin-token"), encoding="ascii") as f:
            return f.read().strip()

    def call(self, method, target, body=None, token="", headers=None, timeout=PATIENCE):
        """One request. token: "" the admin's, None none. body: text, or anything JSON can hold."""
        host, port = self.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
        fields = dict(headers or {})
        use = self.token if token == "" else token
        if use:
            fields["Authorization"] = "Bearer " + use
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, target, body=body, headers=fields)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit=PATIENCE):
        """The exit code."""
        return self.process.wait(limit)

    def stop(self, limit=PATIENCE):
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait(limit)

    def kill(self):
        """As if the power went."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)  # a stopped one would not end
        self.kill()
        self._log.close()


class E2ETest(unittest.TestCase):
    """A directory of its own, and daemons that end with the test."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="homeport-e2e-")
        self.addCleanup(shutil.rmtree, self.directory, True)
        self._daemons = 0

    def run(self, result=None):
        try:
            return super().run(result)
        except BaseException:   # an interrupt: unittest leaves without the clean-ups
            self.doCleanups()
            raise

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, text):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start_daemon(self, config=MEMORY_CONFIG, state="state", args=(), env=None, ready=True):
        """config: the text of a configuration file, or None. With ready=False it is only started."""
        self._daemons += 1
        file = None if config is None else self.write(f"config-{self._daemons}.yaml", config)
        daemon = Daemon(self.path(state), file, args, env, self.path(f"homeportd-{self._daemons}.log"))
        self.addCleanup(daemon.close)
        return daemon.wait_ready() if ready else daemon

    def run_program(self, *command, **options):
        """Runs a program to its end: (code, standard output, standard error)."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                              check=False, **options)
        return done.returncode, done.stdout, done.stderr
