#!/usr/bin/env python3
"""What Homeport's JupyterHub module adds to a spawn: a real hub, a spawner that starts nothing, a real homeportd; starts
with the module and starts with an empty hook take turns in one hub.

  hook.py BIN_DIR [--rounds 100]

BIN_DIR holds homeportd (preset bench: build/bench/bin). Everything it starts is stopped, everything it writes is removed.
"""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import hub_support
import support

CONFIG = """
async def empty(spawner):
    pass
import homeport_hub
homeport_hub.load(c, url="http://{address}", token_file={token!r}, platform=lambda spawner, spec: None)
module = c.Spawner.pre_spawn_hook
async def take_turns(spawner):
    await (module if spawner.user.name == "homeport" else empty)(spawner)
c.Spawner.pre_spawn_hook = take_turns
"""


def start(hub, user):
    """Milliseconds from the request to the answer that the server is ready."""
    began = time.monotonic()
    answer = hub.call("POST", hub.user_path(user, ""))
    took = (time.monotonic() - began) * 1000
    if answer.status != 201:
        raise SystemExit(f"{user} did not start at once: {answer}")
    stopped = hub.call("DELETE", hub.user_path(user, ""))
    if stopped.status != 204:
        raise SystemExit(f"{user} did not stop at once: {stopped}")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    os.environ["HOMEPORT_BIN_DIR"] = f"{options.folder}:{options.folder}/bin"
    directory = tempfile.mkdtemp(prefix="homeport-hook-")
    things = []
    try:
        with open(f"{directory}/homeportd.yaml", "w", encoding="ascii") as f:
            f.write(support.MEMORY_CONFIG.replace("debug", "info"))
        daemon = support.Daemon(f"{directory}/state", f"{directory}/homeportd.yaml", log_path=f"{directory}/homeportd.log")
        things.append(daemon)
        daemon.wait_ready()
        made = daemon.call("PUT", "/v1/homes/homeport?wait=30", {"uid": 5001, "gid": 5001})
        token = daemon.call("POST", "/v1/tokens", {"scope": "spawner", "hub": "main"}).body["token"]
        if made.status != 201:
            raise SystemExit(f"no home: {made}")
        with open(os.open(f"{directory}/token", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(token)
        notebooks = hub_support.Notebooks()
        things.append(notebooks)
        hub = hub_support.Hub(f"{directory}/hub", CONFIG.format(address=daemon.address, token=f"{directory}/token"),
                              {"HUB_NOTEBOOKS": str(notebooks.port), "HUB_RECORDS": directory})
        things.append(hub)
        hub.wait_up()
        took = {"homeport": [], "empty": []}
        for user in took:
            hub.add_user(user)
            for _ in range(5):  # the first ones import, connect and write the kept spec
                start(hub, user)
        for number in range(options.rounds):
            for user in sorted(took, reverse=number % 2 == 0):
                took[user].append(start(hub, user))
        ours, theirs = (statistics.median(took[user]) for user in ("homeport", "empty"))
        print(f"{options.rounds} starts each, taking turns")
        for user, median in (("homeport", ours), ("empty", theirs)):
            ordered = sorted(took[user])
            print(f"  {user:<9} median {median:6.1f} ms   p95 {ordered[len(ordered) * 95 // 100]:6.1f} ms")
        pairs = statistics.median(a - b for a, b in zip(took["homeport"], took["empty"]))
        print(f"the hook adds {ours - theirs:.1f} ms between medians, {pairs:.1f} ms in the median pair (bar 5 ms); ratio {ours / theirs:.2f}")
    finally:
        for thing in reversed(things):
            thing.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
