"""The real flashblade-sim for end-to-end tests, and a small client of its REST interface. Standard library only."""
import http.client
import json
import os
import ssl
import subprocess
import urllib.parse

import support


class Simulator:
    """One flashblade-sim process. options: command-line words beyond the listeners."""

    def __init__(self, directory, *options):
        self.log_path = os.path.join(directory, "flashblade-sim.log")
        self._log = open(self.log_path, "ab")
        command = [support.binary("flashblade-sim"), "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0",
                   "--control-listen", "127.0.0.1:0", "--certificate-dir", os.path.join(directory, "tls"), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, stdin=subprocess.DEVNULL,
                                        text=True, preexec_fn=support.end_with_parent)
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait(support.PATIENCE)
            self.close()
            with open(self.log_path, encoding="utf-8") as log:
                raise AssertionError(f"flashblade-sim ended with {code}: {log.read()[-2000:]}")
        self.ready = json.loads(line)

    def control(self, method, path, body=None, status=200):
        connection = http.client.HTTPConnection(self.ready["control"], timeout=support.PATIENCE)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status != status:
            raise AssertionError(f"{method} {path}: {response.status} {text}")
        return json.loads(text)

    def fault(self, **rule):
        return self.control("POST", "/faults", {"faults": [rule]})

    def act(self, what, **more):
        return self.control("POST", "/act", {"do": what, **more})

    def advance(self, duration):
        return self.control("POST", "/clock", {"advance": duration})

    def set(self, **settings):
        return self.control("PATCH", "/settings", settings)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(support.PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(support.PATIENCE)
        self.process.stdout.close()
        self._log.close()


class Client:
    """One session. call() gives (status, body); body is None when there is none."""

    def __init__(self, simulator, version="2.28", tls=False, login=True, timeout=support.PATIENCE):
        self.simulator = simulator
        self.version = version
        self.tls = tls
        self.timeout = timeout
        self.headers = {}
        self.session = None
        if login:
            self.login()

    def connect(self):
        if not self.tls:
            return http.client.HTTPConnection(self.simulator.ready["http"], timeout=self.timeout)
        trust = ssl.create_default_context(cafile=self.simulator.ready["certificate"])
        return http.client.HTTPSConnection(self.simulator.ready["https"], timeout=self.timeout, context=trust)

    def raw(self, method, target, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            text = response.read()
            self.headers = {key.lower(): value for key, value in response.getheaders()}
            return response.status, text
        finally:
            connection.close()

    def login(self, token=None):
        status, text = self.raw("POST", "/api/login", headers={"api-token": token or self.simulator.ready["api_token"]})
        if status == 200:
            self.session = self.headers["x-auth-token"]
        return status, json.loads(text)

    def call(self, method, path, body=None, version=None, **query):
        target = f"/api/{version or self.version}/{path}"
        if query:
            target += "?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        headers = {"x-auth-token": self.session} if self.session else {}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        status, text = self.raw(method, target, body, headers)
        return status, json.loads(text) if text else None

    def items(self, method, path, body=None, **query):
        status, answer = self.call(method, path, body, **query)
        if status != 200:
            raise AssertionError(f"{method} {path} {query}: {status} {answer}")
        return answer["items"]

    def one(self, method, path, body=None, **query):
        items = self.items(method, path, body, **query)
        if len(items) != 1:
            raise AssertionError(f"{method} {path} {query}: {items}")
        return items[0]


class SimulatorTest(support.E2ETest):
    options = ()

    def setUp(self):
        super().setUp()
        self.sim = self.start(*self.options)
        self.client = Client(self.sim)

    def start(self, *options):
        simulator = Simulator(self.directory, *options)
        self.addCleanup(simulator.close)
        return simulator

    def refused(self, status, message, method, path, body=None, client=None, context=..., **query):
        got, answer = (client or self.client).call(method, path, body, **query)
        self.assertEqual(got, status, answer)
        self.assertEqual(list(answer), ["errors"])
        error = answer["errors"][0]
        self.assertIn(message, error["message"])
        if context is not ...:
            self.assertEqual(error["context"], context)
        return error

    def make(self, name, client=None, **body):
        return (client or self.client).one("POST", "file-systems", body, names=name)
