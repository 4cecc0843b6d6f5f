"""README.md does what it shows: the commands of its walk-through from PSO, as they stand there, one shell, in a network
namespace of their own, since they name their ports."""
import os
import shutil
import subprocess
import unittest

import support

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADING = "## From Pure Service Orchestrator, without an array"
# What a reader sees, in this order.
SHOWN = [
    "homeport.yaml is valid",
    "REST version", "data: NFSv3",
    "everybody on the network gets in", "climate",
    "everybody on the network in: rules",
    "home/alice",
    "127.0.0.1:/climate",                             # in the spec
    "monday",
    "retired", "ready",
    "waiting to try again",
    '"export": "/climate"',                           # in alice's spec, with the array in trouble
    "the array answers 503",
    "home/bob",
]
# Those that end with another code than 0, because the array is in trouble.
REFUSED = ["homeport home ensure bob --uid 4002 --gid 4002 --wait=3s", "homeport backend probe fb-127-0-0-1"]


# Ganesha looks its address up, and the resolver answers nothing where all there is is 127.0.0.1.
NETWORK = "ip link set lo up && ip addr add 10.255.255.1/32 dev lo && "


def commands():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    section = text[text.index(HEADING):]
    return section.split("```\n", 2)[1]


def can_have_a_network_of_its_own():
    return os.geteuid() == 0 and subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0


@unittest.skipUnless(can_have_a_network_of_its_own(), "needs root and a network namespace")
class ReadmeTest(support.E2ETest):
    def setUp(self):
        super().setUp()
        # The programs are found as README says: in build/release/bin of a checkout.
        os.makedirs(self.path("checkout", "build", "release", "bin"))
        os.symlink(os.path.join(ROOT, "examples"), self.path("checkout", "examples"))
        for name in ("homeport", "homeportd", "flashblade-sim"):
            os.symlink(support.binary(name), self.path("checkout", "build", "release", "bin", name))

    def test_the_walk_through_from_pso(self):
        self.assertIsNotNone(shutil.which("curl"))
        script = self.write("walk.sh", "set -uE\ntrap 'echo \"ENDED WITH $?: $BASH_COMMAND\"' ERR\n"
                                       "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n" + commands())
        env = {k: v for k, v in os.environ.items() if not k.startswith("HOMEPORT_")}
        env["TMPDIR"] = self.directory
        done = subprocess.run(["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c",
                               NETWORK + 'exec bash "$0"', script], cwd=self.path("checkout"), env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=180, check=False)
        rest = done.stdout
        for step in SHOWN:
            self.assertIn(step, rest, f"not shown, or not in this place:\n{done.stdout}")
            rest = rest[rest.index(step) + len(step):]
        ended = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if line.startswith("ENDED WITH")]
        self.assertEqual(ended, REFUSED, done.stdout)
        self.assertNotIn("T-00000000", done.stdout)


if __name__ == "__main__":
    unittest.main()
