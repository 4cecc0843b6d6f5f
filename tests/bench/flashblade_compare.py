#!/usr/bin/env python3
"""Everything that stands on an array, read as the driver reads it: 50,000 file systems from /file-systems alone, pages of
1,000, with a latency on every page. Beside it: a client that only fetches the same pages and looks at nothing, and what
the pages of exports and the policies would cost on top.

  flashblade_compare.py BUILD_DIR [--file-systems 50000] [--latency-ms 10] [--rounds 3]

Needs root (the simulator's NFS server does) and a build with the preset bench.
"""
import argparse
import json
import statistics
import subprocess
import time

import simulated

BATCH = 100


def fill(array, count):
    client = simulated.Client(array)
    for first in range(0, count, BATCH):
        names = ",".join(f"hp-h-{number:016x}" for number in range(first, min(first + BATCH, count)))
        client.call("POST", f"file-systems?names={names}&default_exports=nfs",
                    {"provisioned": 10 << 30, "hard_limit_enabled": True, "nfs": {"rules": "10.0.0.0/8(rw)", "v3_enabled": True}})


def fetch(array, path):
    """Seconds and pages of a listing whose items nobody looks at."""
    client = simulated.Client(array)
    began, pages, token = time.monotonic(), 0, b""
    while token is not None:
        text = client.raw("GET", path + (f"&continuation_token={token.decode()}" if token else ""))
        pages += 1
        head = text[:4000]
        at = head.find(b'"continuation_token":"')
        token = head[at + 22:head.index(b'"', at + 22)] if at >= 0 else None
    return time.monotonic() - began, pages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--file-systems", type=int, default=50_000)
    parser.add_argument("--latency-ms", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    place = simulated.Place()
    array = service = None
    try:
        array = simulated.Array(options.folder, place)
        service = simulated.Service(options.folder, place, array)
        service.ensure(0, 1)  # makes the administrative file system, which says what is in the trash
        service.stop()
        began = time.monotonic()
        fill(array, options.file_systems - 1)
        print(f"{options.file_systems} file systems made in {time.monotonic() - began:.1f} s")
        section = {"management": {"url": f"http://{array.ready['http']}", "plain_http": True,
                                  "api_token": {"file": f"{place.path}/array-token"}},
                   "data": {"address": "127.0.0.1", "nfs_port": array.ready["nfs_port"], "mount_port": array.ready["mount_port"]},
                   "exports": {"homeport": ["127.0.0.1"], "clients": ["10.20.0.0/16"]}, "pools": [{"name": "homes"}]}
        with open(f"{place.path}/section.json", "w", encoding="ascii") as f:
            json.dump(section, f)
        array.latency(options.latency_ms)
        ratios, ours = [], []
        for number in range(options.rounds):
            done = subprocess.run([simulated.find(options.folder, "array_scan"), f"{place.path}/section.json", "--rounds", "1"],
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            read = json.loads(done.stdout)
            if read["objects"] != options.file_systems:
                raise SystemExit(f"{read['objects']} of {options.file_systems} objects")
            floor, pages = fetch(array, "file-systems?limit=1000&filter=name%3D'hp-*'&destroyed=false")
            ours.append(read["seconds"][0])
            ratios.append(ours[-1] / floor)
            print(f"round {number + 1}: scan {ours[-1]:.2f} s ({read['pages']} pages, memory grew by {read['grown_kib'] / 1024:.1f} MiB "
                  f"after the first)   fetched alone {floor:.2f} s ({pages} pages)   ratio {ratios[-1]:.2f}")
        exports, pages = fetch(array, "file-system-exports?limit=1000")
        policies, some = fetch(array, "nfs-export-policies?limit=1000")
        print(f"scan: median {statistics.median(ours):.2f} s (bar 2 s); to fetching alone: median {statistics.median(ratios):.2f}")
        print(f"on top, not needed by it: exports {exports:.2f} s ({pages} pages), export policies {policies:.2f} s ({some} page)")
    finally:
        if service:
            service.stop()
        if array:
            array.stop()
        place.remove()


if __name__ == "__main__":
    main()
