#!/usr/bin/env python3
"""The floor of the HTTP side: requests per second of our server's inline path and of bare Beast, as a ratio to nginx
serving a static file of the same size. Server on core 0, load on core 1, alternating rounds, medians.

  http_floor.py BINARY [--rounds N] [--seconds S] [--bytes B] [--connections C] [--at-least RATIO]

Needs nginx and wrk. Starts its own nginx in a temporary folder and takes everything down again.
"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=100 inactive=60s;
  open_file_cache_valid 60s;
  keepalive_requests 100000000;
  types {{ application/json json; }}
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {{ listen 127.0.0.1:{port}; root {dir}/www; }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"nothing listens on port {port}")


def pinned(core, command, prefer):
    # With --prefer both sides run before everything else on the machine, so that a busy machine measures the same.
    first = ["chrt", "-f", "20"] if prefer else []
    return ["taskset", "-c", str(core), *first, *command]


def wrk(port, path, options):
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency",
               f"http://127.0.0.1:{port}{path}"]
    out = subprocess.run(pinned(1, command, options.prefer), capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    if re.search(r"Non-2xx|Socket errors", out):
        sys.exit(f"errors from port {port}:\n{out}")
    return rate, re.search(r"99%\s+(\S+)", out).group(1)


class Servers:
    def __init__(self, options):
        self.dir = tempfile.mkdtemp(prefix="homeport-floor-")
        self.running = []
        self.targets = {}
        try:
            self.start_nginx(options)
            for kind in ("homeport", "beast"):
                self.start_ours(kind, options)
        except BaseException:
            self.stop()
            raise

    def start_nginx(self, options):
        os.chmod(self.dir, 0o755)
        os.mkdir(f"{self.dir}/www")
        with open(f"{self.dir}/www/file.json", "w", encoding="ascii") as f:
            f.write('{"pad":"' + "x" * (options.bytes - 10) + '"}')
        port = free_port()
        with open(f"{self.dir}/nginx.conf", "w", encoding="ascii") as f:
            f.write(NGINX.format(dir=self.dir, port=port))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.running.append(subprocess.Popen(
            pinned(0, [nginx, "-e", f"{self.dir}/error.log", "-c", f"{self.dir}/nginx.conf"], options.prefer)))
        wait_for(port)
        self.targets["nginx"] = (port, "/file.json")

    def start_ours(self, kind, options):
        process = subprocess.Popen(pinned(0, [options.binary, kind, str(options.bytes)], options.prefer),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.running.append(process)
        self.targets[kind] = (int(process.stdout.readline().split()[1]), "/v1/file")

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--bytes", type=int, default=1640)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--at-least", type=float, default=0.0, help="fail when our ratio is below this")
    parser.add_argument("--prefer", action="store_true", help="real-time priority for both sides (needs root)")
    options = parser.parse_args()
    rates = {}
    servers = Servers(options)
    try:
        for number in range(options.rounds):
            for name, (port, path) in servers.targets.items():
                rate, p99 = wrk(port, path, options)
                rates.setdefault(name, []).append(rate)
                print(f"round {number + 1}  {name:9} {rate:10.0f}/s  p99 {p99}", flush=True)
    finally:
        servers.stop()
    ratio = {name: statistics.median(r / n for r, n in zip(rates[name], rates["nginx"])) for name in rates}
    print(json.dumps({"median_per_second": {n: round(statistics.median(r)) for n, r in rates.items()},
                      "ratio_to_nginx": {n: round(r, 3) for n, r in ratio.items()}}))
    if ratio["homeport"] < options.at_least:
        sys.exit(f"homeport is at {ratio['homeport']:.3f} of nginx, wanted {options.at_least}")


if __name__ == "__main__":
    main()
