#!/usr/bin/env python3
"""How large and how quick flashblade-sim is with 50,000 file systems. Needs a release build:

    HOMEPORT_BIN_DIR=build/bench/bin tests/bench/flashblade_sim.py [COUNT]

Prints memory, and milliseconds of a page of 1,000 first, in the middle, last, filtered and sorted.
"""
import http.client
import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 11


def start():
    program = os.path.join(os.environ["HOMEPORT_BIN_DIR"], "flashblade-sim")
    process = subprocess.Popen([program, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())


def memory_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    process, ready = start()
    try:
        connection = http.client.HTTPConnection(ready["http"])
        connection.request("POST", "/api/login", headers={"api-token": ready["api_token"]})
        response = connection.getresponse()
        response.read()
        headers = {"x-auth-token": response.getheader("x-auth-token")}

        def call(method, path, body=None):
            connection.request(method, "/api/2.26/" + path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
            return json.loads(text)

        before = memory_mib(process.pid)
        began = time.monotonic()
        for first in range(0, count, 100):
            names = ",".join(f"bench-{number:06}" for number in range(first, min(first + 100, count)))
            call("POST", f"file-systems?names={names}", {"provisioned": 1 << 30, "nfs": {"rules": "10.0.0.0/8(rw)"}})
        print(f"{count} file systems with their exports: created in {time.monotonic() - began:.1f} s, "
              f"{before:.0f} MiB -> {memory_mib(process.pid):.0f} MiB")

        def measure(what, path):
            took = []
            for _ in range(ROUNDS):  # without parsing: that is the client's time
                began = time.monotonic()
                connection.request("GET", "/api/2.26/" + path, headers=headers)
                connection.getresponse().read()
                took.append((time.monotonic() - began) * 1000)
            print(f"{what:42} median {statistics.median(took):7.1f} ms   worst {max(took):7.1f} ms")

        page = call("GET", f"file-systems?limit={count // 2}")
        middle = page["continuation_token"]
        measure("page of 1000, the first", "file-systems?limit=1000")
        measure("page of 1000, from the middle", f"file-systems?limit=1000&continuation_token={middle}")
        measure("page of 1000, by offset at the end", f"file-systems?limit=1000&offset={count - 1000}")
        measure("filter by name, 1000", "file-systems?limit=1000&filter=name='bench-0*'")
        measure("one by name", "file-systems?names=bench-000000")
        measure("count only", "file-systems?limit=0")
        measure("exports, page of 1000", "file-system-exports?limit=1000")
        began, pages, token = time.monotonic(), 0, ""
        while True:
            answer = call("GET", "file-systems?limit=1000" + (f"&continuation_token={token}" if token else ""))
            pages, token = pages + 1, answer["continuation_token"]
            if token is None:
                break
        print(f"all of them, {pages} pages: {time.monotonic() - began:.2f} s, then {memory_mib(process.pid):.0f} MiB")
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
