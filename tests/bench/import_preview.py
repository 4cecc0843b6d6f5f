#!/usr/bin/env python3
"""Looking at a fleet: `homeport home import --dry-run` over a base of 10,000 homes on a loopback NFS-Ganesha, beside a bare
libnfs program that lists the same directories with READDIRPLUS.

  import_preview.py BUILD_DIR [--homes 10000] [--hubs 0] [--rounds 7] [--turns 10] [--disk DIR | --on-tmp] [--at-most RATIO]
                    [-o table|json]

Needs root (Ganesha does) and a build with the preset bench. With --hubs N the homes lie in N directories
(--match '{hub}/{user}'), which both list 32 at a time; else all in one, whose pages can only come one after the other.

Three sides take turns on one server, in changing order. All of them take some hundredths of a second, so one disturbance
by another program outweighs the rest: each round has ten turns, and its ratio is that of the quickest turn of each side.
  preview   the request to homeportd (POST /v1/homes:plan-import), sent and read to its last byte
  command   `homeport home import --dry-run -o json`: starting it, the request, reading and printing the plan
  bare      bare_listing: from its first READDIRPLUS to the last answer

The bar is on the preview. Before anything is measured both must have seen all the homes, and the preview must call all of
them importable. The server's files lie on a filesystem made for the run, as in homes.py.
"""
import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import homes as bench

FIRST_UID = 20000


def make_fleet(folder, count, hubs):
    os.makedirs(folder)
    for i in range(count):
        path = f"{folder}/hub{i % hubs:04}/user{i:06}" if hubs else f"{folder}/user{i:06}"
        os.makedirs(path, mode=0o700)
        os.chown(path, FIRST_UID + i, FIRST_UID + i)


def preview(service, body):
    """(seconds, the plan) of one request, read to its end."""
    with open(f"{service.directory}/state/admin-token", encoding="ascii") as f:
        fields = {"Authorization": "Bearer " + f.read().strip(), "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(service.address, timeout=120)
    connection.connect()
    began = time.monotonic()
    connection.request("POST", "/v1/homes:plan-import?wait=100", json.dumps(body), fields)
    answer = connection.getresponse()
    data = answer.read()
    seconds = time.monotonic() - began
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"the preview: {answer.status} {data[:500]}")
    return seconds, data


def command(options, service, body):
    began = time.monotonic()
    done = subprocess.run([options.homeport, "--url", f"http://{service.address}", "--token-file",
                           f"{service.directory}/state/admin-token", "-o", "json", "home", "import", "--backend", "lab",
                           "--base", body["base"], "--match", body["match"], "--dry-run"], capture_output=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"homeport home import: {done.returncode} {done.stderr[:500]}")
    return seconds


def bare(options, server, hubs):
    done = subprocess.run([options.bare_listing, "--nfs-port", str(server.port), "--mount-port", str(server.mount_port),
                           "--export", "/homes", "--directory", "fleet", "--depth", "2" if hubs else "1"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bare_listing: {done.stderr}")
    return json.loads(done.stdout)


def measure(options, service, server):
    body = {"backend": "lab", "base": "/homes/fleet", "match": "{hub}/{user}" if options.hubs else "{user}"}
    summary = json.loads(preview(service, body)[1])["summary"]
    told = bare(options, server, options.hubs)
    if summary["import"] != options.homes or told["entries"] != options.homes:
        raise SystemExit(f"not all were seen: {summary}, {told}")
    sides = [("preview", lambda: preview(service, body)[0]), ("command", lambda: command(options, service, body)),
             ("bare", lambda: bare(options, server, options.hubs)["seconds"])]
    rounds = []
    for number in range(options.rounds):
        seconds = {name: [] for name, _ in sides}
        for turn in range(options.turns):
            first = (number + turn) % 3
            for name, run in sides[first:] + sides[:first]:
                seconds[name].append(run())
        least = {name: min(all_of) for name, all_of in seconds.items()}
        one = {"seconds": least, "median_seconds": {name: statistics.median(all_of) for name, all_of in seconds.items()},
               "ratio": least["preview"] / least["bare"], "ratio_of_command": least["command"] / least["bare"]}
        rounds.append(one)
        if options.output == "table":
            print(f"round {number + 1}  bare {least['bare'] * 1000:.1f} ms  preview {least['preview'] * 1000:.1f} ms ratio "
                  f"{one['ratio']:.2f}  command {least['command'] * 1000:.1f} ms ratio {one['ratio_of_command']:.2f}", flush=True)
    return {"calls": told["calls"], "rounds": rounds, "median_ratio": statistics.median(r["ratio"] for r in rounds),
            "median_ratio_of_command": statistics.median(r["ratio_of_command"] for r in rounds)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--homes", type=int, default=10000)
    parser.add_argument("--hubs", type=int, default=0, help="directories that the homes are spread over; 0: all in one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turns", type=int, default=10, help="of each side in a round; the quickest counts")
    parser.add_argument("--at-most", type=float, default=None, help="fail when the median ratio of the preview is above this")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--disk", default="/var/tmp", help="a directory outside /tmp for the filesystem of the run and our state")
    parser.add_argument("--on-tmp", action="store_true", help="no filesystem for the run: the files lie in /tmp as it is")
    options = parser.parse_args()
    if not options.on_tmp:
        sys.exit(bench.on_new_filesystem(options.folder, options.disk, os.path.abspath(__file__)))
    options.connections = 8
    for program in ("homeportd", "homeport", "bare_listing"):
        setattr(options, program, bench.find(options.folder, program))
    server = bench.NfsServer(bench.find(options.folder, "ganesha-for-tests"))
    directory = tempfile.mkdtemp(prefix="homeport-preview-")
    try:
        make_fleet(f"{server.directories['/homes']}/fleet", options.homes, options.hubs)
        service = bench.Service(options, f"{directory}/service", server, "/homes", server.port)
        try:
            result = measure(options, service.wait_ready(), server)
        finally:
            service.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        server.stop()
    result = {"homes": options.homes, "hubs": options.hubs, **result}
    if options.output == "json":
        print(json.dumps(result))
    else:
        print(f"{options.homes} homes in {options.hubs or 1} directories, {result['calls']} READDIRPLUS: median ratio of the "
              f"preview {result['median_ratio']:.2f} (bar 2), of the whole command {result['median_ratio_of_command']:.2f}")
    if options.at_most is not None and result["median_ratio"] > options.at_most:
        raise SystemExit(f"{result['median_ratio']:.2f} times the bare listing, wanted at most {options.at_most}")


if __name__ == "__main__":
    main()
