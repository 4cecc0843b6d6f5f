#!/usr/bin/env python3
"""How large and how quick flashblade-sim is with 50,000 file systems. Needs a release build:

    tests/bench/flashblade_sim.py build/bench [COUNT]

Prints memory, and milliseconds of a page of 1,000: first, in the middle, last, filtered, after a change, beside a server
that sends the same bytes and looks at nothing. Ratios are of one run.
"""
import socket
import statistics
import sys
import threading
import time

import simulated

ROUNDS = 11
MEMORY_BAR_MB = 500


def memory_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024 / 1e6


class SameBytes(threading.Thread):
    """Answers every request on one connection with the same body."""

    def __init__(self, body):
        super().__init__(daemon=True)
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ready = {"http": "127.0.0.1:%d" % self.listener.getsockname()[1], "api_token": "none"}
        self.start()

    def run(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(65536):
                connection.sendall(self.answer)


def median_ms(client, path, before=None):
    took = []
    for _ in range(ROUNDS):  # without parsing: that is the client's time
        if before:
            before()
        began = time.monotonic()
        client.raw("GET", path)
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took), max(took)


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    place = simulated.Place()
    array = None
    try:
        array = simulated.Array(sys.argv[1], place, data=False)
        client = simulated.Client(array)
        before = memory_mb(array.process.pid)
        began = time.monotonic()
        for first in range(0, count, 100):
            names = ",".join(f"bench-{number:06}" for number in range(first, min(first + 100, count)))
            client.call("POST", f"file-systems?names={names}", {"provisioned": 1 << 30, "nfs": {"rules": "10.0.0.0/8(rw)"}})
        full = memory_mb(array.process.pid)
        print(f"{count} file systems with their exports: created in {time.monotonic() - began:.1f} s, {before:.0f} MB -> {full:.0f} MB "
              f"(bar {MEMORY_BAR_MB})")
        beside = SameBytes(client.raw("GET", "file-systems?limit=1000"))
        floor, _ = median_ms(simulated.Client(beside), "file-systems?limit=1000")
        print(f"{'the same bytes from a server of nothing':42} median {floor:7.1f} ms")

        def measure(what, path, change=None):
            median, worst = median_ms(client, path, change)
            print(f"{what:42} median {median:7.1f} ms   worst {worst:7.1f} ms   ratio {median / floor:6.2f}")

        def change():
            client.call("PATCH", "file-systems?names=bench-000000", {"writable": True})

        middle = client.call("GET", f"file-systems?limit={min(count // 2, 10000)}")["continuation_token"]
        measure("page of 1000, the first", "file-systems?limit=1000")
        measure("page of 1000, from the middle", f"file-systems?limit=1000&continuation_token={middle}")
        measure("page of 1000, by offset at the end", f"file-systems?limit=1000&offset={count - 1000}")
        measure("page of 1000, filtered by name", "file-systems?limit=1000&filter=name='bench-0*'")
        measure("page of 1000, just after a change", "file-systems?limit=1000", change)
        measure("the same, filtered by name", "file-systems?limit=1000&filter=name='bench-0*'", change)
        measure("one by name", "file-systems?names=bench-000000")
        measure("count only", "file-systems?limit=0")
        measure("exports, page of 1000", "file-system-exports?limit=1000")
        began, pages, token = time.monotonic(), 0, ""
        while token is not None:
            answer = client.call("GET", "file-systems?limit=1000" + (f"&continuation_token={token}" if token else ""))
            pages, token = pages + 1, answer["continuation_token"]
        print(f"all of them, {pages} pages: {time.monotonic() - began:.2f} s with Python's parsing, then {memory_mb(array.process.pid):.0f} MB")
    finally:
        if array:
            array.stop()
        place.remove()


if __name__ == "__main__":
    main()
