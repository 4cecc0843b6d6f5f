#!/usr/bin/env python3
"""New homes on an array that takes its time: `homes:ensure` over flashblade-sim with a latency on every call, beside what
calls x latency / connections would take, and beside a plain client that makes the same calls one after the other.

  flashblade_homes.py BUILD_DIR [--homes 1000] [--latency-ms 10] [--connections 8] [--rounds 3]

Needs root (the simulator's NFS server does) and a build with the preset bench. Calls are counted in the simulator's own
record. Root directories, their owners and the markers are NFS calls that have no latency here; what they and the
processor take is shown apart, by a round without latency: on a small machine all programs share it.
"""
import argparse
import collections
import statistics
import time

import simulated


def count_calls(array, homes):
    """All calls, by kind; and the most that one home had one after the other."""
    names, by_home, kinds = {}, collections.Counter(), collections.Counter()
    for item in simulated.Client(array).call("GET", "file-systems?limit=10000&filter=name='hp-h-*'")["items"]:
        names[item["id"]] = item["name"]
    for method, path, query in homes:
        fields = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        name = fields.get("names") or names.get(fields.get("ids", ""), "")
        if name.startswith("hp-h-"):
            by_home[name] += 1
            kinds[f"{method} {path}"] += 1
        else:
            kinds["besides: " + f"{method} {path}"] += 1
    return kinds, max(by_home.values())


def one_after_the_other(array, count, number):
    client = simulated.Client(array)
    began = time.monotonic()
    for i in range(count):
        body = {"provisioned": 10 << 30, "hard_limit_enabled": True, "snapshot_directory_enabled": True,
                "nfs": {"v3_enabled": True, "v4_1_enabled": True, "rules": "127.0.0.1(rw,no_root_squash)"}}
        made = client.call("POST", f"file-systems?names=plain-{number}-{i}&default_exports=nfs", body)["items"][0]
        client.call("PATCH", f"file-systems?ids={made['id']}",
                    {"nfs": {"rules": "127.0.0.1(rw,no_root_squash) 10.20.0.0/16(rw,root_squash)"}})
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--latency-ms", type=int, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    place = simulated.Place()
    array = service = None
    try:
        array = simulated.Array(options.folder, place)
        service = simulated.Service(options.folder, place, array, options.workers, options.connections)
        service.ensure(0, 32)  # connections, session, the administrative file system
        first, plain = 32, max(options.homes // 10, 1)
        ratios, measured, beside, bare = [], [], [], []
        for number in range(options.rounds):
            array.latency(0)
            bare.append(service.ensure(first, options.homes))
            first += options.homes
            array.latency(options.latency_ms)
            array.forget()
            took = service.ensure(first, options.homes)
            first += options.homes
            calls = array.calls()
            array.latency(0)
            kinds, most = count_calls(array, calls)
            of_homes = sum(count for kind, count in kinds.items() if not kind.startswith("besides"))
            ideal = of_homes * options.latency_ms / 1000 / options.connections
            array.latency(options.latency_ms)
            others = one_after_the_other(array, plain, number) / plain * options.homes
            ratios.append(took / ideal)
            # What a call really took a client that had the array for itself: latency, timer and the array's own work.
            measured.append(took / (others / options.homes / 2 * of_homes / options.connections))
            beside.append(others / took)
            print(f"round {number + 1}: {options.homes} homes in {took:6.2f} s; {of_homes} calls x {options.latency_ms} ms / "
                  f"{options.connections} = {ideal:.2f} s, ratio {ratios[-1]:.2f}; without latency {bare[-1]:.2f} s; "
                  f"one call after the other {others:.1f} s")
            print(f"         {of_homes / options.homes:.2f} calls a home, at most {most} for one (bar 3): "
                  + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
        print(f"to calls x latency / connections: median {statistics.median(ratios):.2f} (bar 1.15); to the same with the "
              f"latency that the plain client met: median {statistics.median(measured):.2f}")
        print(f"faster than one call after the other: median {statistics.median(beside):.1f} times")
        print(f"root directories, markers and processor alone: median {statistics.median(bare):.2f} s")
    finally:
        if service:
            service.stop()
        if array:
            array.stop()
        place.remove()


if __name__ == "__main__":
    main()
