#!/usr/bin/env python3
"""An array that is dead, or takes seconds for every call: warm logins keep their rate and their latencies, and the other
backend's new homes do not notice.

  flashblade_outage.py BUILD_DIR [--homes 1000] [--rounds 3] [--seconds 4] [--connections 16] [--slow-ms 5000]

Needs root (the simulator's NFS server does), wrk, and a build with the preset bench. Each round measures the array well,
slow (with new homes waiting for it all the time) and well again; ratios are of one round. At the end it is killed.
"""
import argparse
import statistics
import tempfile
import threading

import logins
import simulated


class Served:
    """What the helpers of logins.py want to know."""

    def __init__(self, service):
        self.port, self.token = service.port, service.token


def measure(service, options, directory):
    """Logins a second at full load, and latencies at half of what the first measurement reached."""
    rate = logins.wrk_logins(Served(service), directory, options)
    options.rate = options.rate or rate / 2
    steady = logins.constant(options, f"http://127.0.0.1:{service.port}/v1/mountspecs", options.rate,
                             ["--bodies", f"{directory}/bodies", "--token-file", f"{directory}/token", "--method", "POST"])
    return {"rate": rate, "p99": steady["p99_us"] / 1000}


class Waiting:
    """New homes on the array, as many as it takes to keep all its workers waiting."""

    def __init__(self, service, first, count):
        items = [{"user": f"slow{i}", "uid": 60000 + i, "gid": 60000 + i, "class": "own"} for i in range(first, first + count)]
        self.thread = threading.Thread(target=service.call, args=("POST", "/v1/homes:ensure?wait=60", {"items": items}))
        self.thread.start()

    def join(self):
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--others", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--slow-ms", type=int, default=5000)
    options = parser.parse_args()
    options.constant_rate, options.rate = simulated.find(options.folder, "constant_rate"), None
    place = simulated.Place()
    array = service = None
    with tempfile.TemporaryDirectory(prefix="homeport-outage-") as directory:
        try:
            array = simulated.Array(options.folder, place)
            service = simulated.Service(options.folder, place, array)
            service.ensure(0, options.homes)
            logins.write_load(Served(service), directory, options.homes)
            measure(service, options, directory)  # warm-up
            options.rate, first, slow = None, 100_000, 0
            ratios = {"logins": [], "p99": [], "others": []}
            for number in range(options.rounds):
                well = measure(service, options, directory)
                well["others"] = service.ensure(first, options.others, "lab")
                first += options.others
                array.latency(options.slow_ms)
                waiting = Waiting(service, slow, 64)
                slow += 64
                bad = measure(service, options, directory)
                bad["others"] = service.ensure(first, options.others, "lab")
                first += options.others
                array.latency(0)
                waiting.join()
                ratios["logins"].append(bad["rate"] / well["rate"])
                ratios["p99"].append(bad["p99"] / well["p99"])
                ratios["others"].append(well["others"] / bad["others"])
                print(f"round {number + 1}, {options.slow_ms} ms a call: logins {bad['rate']:.0f}/s of {well['rate']:.0f}/s "
                      f"({ratios['logins'][-1]:.2f}), p99 {bad['p99']:.2f} ms of {well['p99']:.2f} ms, "
                      f"new homes elsewhere {ratios['others'][-1]:.2f} of their rate")
            for what, values in ratios.items():
                print(f"slow array, {what}: median {statistics.median(values):.2f} of a quick one")
            well = measure(service, options, directory)
            array.process.kill()
            array.process.wait()
            # Until the service has noticed, and after.
            for when in ("at once", "a little later"):
                dead = measure(service, options, directory)
                print(f"dead array, {when}: logins {dead['rate']:.0f}/s of {well['rate']:.0f}/s ({dead['rate'] / well['rate']:.2f}), "
                      f"p99 {dead['p99']:.2f} ms of {well['p99']:.2f} ms")
            others = service.ensure(first, options.others, "lab")
            print(f"dead array: {options.others} new homes elsewhere in {others:.2f} s")
        finally:
            if service:
                service.stop()
            if array:
                array.stop()
            place.remove()


if __name__ == "__main__":
    main()
