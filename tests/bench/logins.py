#!/usr/bin/env python3
"""Logins: warm POST /v1/mountspecs with token check, metrics and issuance record, beside nginx serving a static file of
the same size on the same core; and what a service with 10,000 homes needs in time and memory to start.

  logins.py BIN_DIR [--homes 10000] [--rounds 5] [--seconds 4] [--connections 16]

BIN_DIR holds homeportd and constant_rate (preset bench: build/bench/bin and build/bench/tests/bench are both looked
into). Needs nginx and wrk. Everything it starts is stopped, everything it writes is removed.
"""
import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import http_floor as floor

CONFIG = """
log: {level: warning}
desired:
  backends:
  - {name: lab, kind: memory, pools: [{name: homes}]}
  classes:
  - {name: std, backend: lab, default_quota: 10GiB}
  rules:
  - {name: all, match: {everyone: true}, class: std}
"""

# The requests are formatted once: the load program must not be what is measured.
LUA = """
local requests, token = {}, nil
function init(args)
  for line in io.lines(args[2]) do token = line end
  wrk.method = "POST"
  wrk.headers["Authorization"] = "Bearer " .. token
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(args[1]) do requests[#requests + 1] = wrk.format(nil, nil, nil, line) end
end
local i = 0
function request()
  i = i % #requests + 1
  return requests[i]
end
"""


def call(port, method, target, body=None, token=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection.request(method, target, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{method} {target}: {answer.status} {text[:500]!r}")
    return text


class Service:
    def __init__(self, options, directory):
        self.options, self.directory, self.process, self.port = options, directory, None, None
        with open(f"{directory}/config.yaml", "w", encoding="ascii") as f:
            f.write(CONFIG)

    def start(self):
        """Seconds from exec to /readyz saying yes."""
        self.port = floor.free_port()
        command = [self.options.homeportd, "--config", f"{self.directory}/config.yaml", "--state", f"{self.directory}/state",
                   "--listen", f"127.0.0.1:{self.port}"]
        began = time.monotonic()
        self.process = subprocess.Popen(floor.pinned(0, command, False))
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            if time.monotonic() - began > 60:
                raise SystemExit("homeportd did not become ready")
            time.sleep(0.002)

    def token(self):
        with open(f"{self.directory}/state/admin-token", encoding="ascii") as f:
            return f.read().strip()

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


def fill(service, homes):
    token = service.token()
    for first in range(0, homes, 500):
        items = [{"user": f"user{i}", "uid": 20000 + i, "gid": 20000 + i} for i in range(first, min(homes, first + 500))]
        answer = json.loads(call(service.port, "POST", "/v1/homes:ensure?wait=60", {"items": items}, token))
        bad = [item for item in answer["items"] if item["outcome"] not in ("created", "exists")]
        if bad:
            raise SystemExit(f"not made: {bad[0]}")


def write_load(service, directory, homes):
    """The hub's token and one question per person, as files for the load programs."""
    made = json.loads(call(service.port, "POST", "/v1/tokens", {"scope": "spawner", "hub": "main", "name": "bench"}, service.token()))
    with open(f"{directory}/token", "w", encoding="ascii") as f:
        f.write(made["token"] + "\n")
    with open(f"{directory}/bodies", "w", encoding="ascii") as f:
        for i in range(homes):
            f.write(json.dumps({"hub": "main", "user": f"user{i}", "groups": ["staff"], "server": "", "purpose": "interactive"}) + "\n")
    with open(f"{directory}/logins.lua", "w", encoding="ascii") as f:
        f.write(LUA)
    return len(call(service.port, "POST", "/v1/mountspecs", {"hub": "main", "user": "user1"}, made["token"]))


def wrk_logins(service, directory, options):
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", f"{directory}/logins.lua",
               f"http://127.0.0.1:{service.port}/v1/mountspecs", "--", f"{directory}/bodies", f"{directory}/token"]
    out = subprocess.run(floor.pinned(1, command, False), capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx|Socket errors", out):
        raise SystemExit(f"errors:\n{out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def wrk_nginx(port, options):
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", f"http://127.0.0.1:{port}/file.json"]
    out = subprocess.run(floor.pinned(1, command, False), capture_output=True, text=True, check=True).stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def constant(options, url, rate, extra):
    command = [options.constant_rate, "--url", url, "--rate", str(int(rate)), "--connections", str(options.connections),
               "--seconds", str(options.seconds), *extra]
    done = subprocess.run(floor.pinned(1, command, False), capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def start_nginx(directory, size):
    os.makedirs(f"{directory}/nginx/www")
    os.chmod(directory, 0o755)
    with open(f"{directory}/nginx/www/file.json", "w", encoding="ascii") as f:
        f.write('{"pad":"' + "x" * (size - 10) + '"}')
    port = floor.free_port()
    with open(f"{directory}/nginx/nginx.conf", "w", encoding="ascii") as f:
        f.write(floor.NGINX.format(dir=f"{directory}/nginx", port=port))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen(floor.pinned(0, [nginx, "-e", f"{directory}/nginx/error.log", "-c", f"{directory}/nginx/nginx.conf"], False))
    floor.wait_for(port)
    return process, port


def find(folder, name):
    for one in (folder, f"{folder}/bin", f"{folder}/tests/bench", f"{folder}/../tests/bench"):
        if os.access(f"{one}/{name}", os.X_OK):
            return f"{one}/{name}"
    raise SystemExit(f"no {name} in {folder}: build preset bench")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--homes", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    options.homeportd = find(options.folder, "homeportd")
    options.constant_rate = find(options.folder, "constant_rate")
    directory = tempfile.mkdtemp(prefix="homeport-logins-")
    service = Service(options, directory)
    nginx = None
    try:
        service.start()
        fill(service, options.homes)
        service.stop()
        ready = [0.0] * 3
        for i in range(3):
            ready[i] = service.start()
            if i < 2:
                service.stop()
        print(f"start to ready with {options.homes} homes: median {statistics.median(ready):.3f} s (bar 0.5 s)")
        print(f"resident after start: {service.resident_mib():.1f} MiB (bar 80 MB)")
        size = write_load(service, directory, options.homes)
        nginx, nginx_port = start_nginx(directory, size)
        wrk_logins(service, directory, options)   # warm-up: every answer is prepared once
        ratios = []
        for number in range(options.rounds):
            ours, theirs = wrk_logins(service, directory, options), wrk_nginx(nginx_port, options)
            ratios.append(ours / theirs)
            print(f"round {number + 1}: homeportd {ours:9.0f}/s   nginx static {theirs:9.0f}/s   ratio {ratios[-1]:.2f}")
        print(f"ratio to nginx: median {statistics.median(ratios):.2f} (bar 0.60), answer of {size} bytes")
        print(f"resident after the load: {service.resident_mib():.1f} MiB (bar 80 MB)")
        rate = ours / 2
        mine = constant(options, f"http://127.0.0.1:{service.port}/v1/mountspecs", rate,
                        ["--bodies", f"{directory}/bodies", "--token-file", f"{directory}/token", "--method", "POST"])
        other = constant(options, f"http://127.0.0.1:{nginx_port}/file.json", rate, [])
        print(f"at {rate:.0f}/s: homeportd {json.dumps(mine)}")
        print(f"at {rate:.0f}/s: nginx     {json.dumps(other)}")
    finally:
        service.stop()
        if nginx:
            nginx.terminate()
            nginx.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
