"""examples/quickstart.sh does what it shows: over the programs of this build, in a folder of its own, twice, and stop."""
import os
import socket
import subprocess
import unittest

import support

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "examples", "quickstart.sh")
# What a reader is shown, in this order; each is a heading, a command or the end of an answer.
SHOWN = [
    "1. What can this NFS server do for us",
    "$ homeport backend probe demo",
    "2. A dataset that is there already",
    "$ homeport dataset import iris --backend demo --export /datasets/iris --dry-run",
    "$ homeport dataset grant iris --group course-a",
    "3. Homes for two people",
    "$ homeport home ensure alice --uid 1001 --gid 1001",
    "4. A spawner asks",
    "5. The same answer as three platforms take it",
    "6. Alice's notebook",
    "print(sum(x) / len(x))",
    "(refused, as it should be: the home belongs to uid 1001, mode 0700)",
    "(refused, as it should be: the export is read-only)",
    "7. What Homeport knows afterwards",
    "$ homeport audit verify",
    "Done in",
]


def processes_that_name(text):
    """Ids of processes with the text in their command line."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                if text.encode() in f.read() and int(entry) != os.getpid():
                    found.append(int(entry))
        except OSError:
            continue  # it has ended
    return found


@unittest.skipUnless(os.geteuid() == 0, "the quickstart's NFS server needs root")
class QuickstartTest(support.E2ETest):
    def setUp(self):
        super().setUp()
        self.work = self.path("work")
        self.build = os.path.dirname(os.path.dirname(support.binary("homeportd")))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HOMEPORT_")}
        self.addCleanup(self.run_script, "stop")

    def run_script(self, *words):
        return subprocess.run([SCRIPT, *words, "--work-dir", self.work], stdin=subprocess.DEVNULL, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False)

    def start(self):
        """The ids of the two servers that it leaves running."""
        done = self.run_script("start", "--no-install", "--build-dir", self.build)
        self.assertEqual(done.returncode, 0, done.stdout)
        rest = done.stdout
        for step in SHOWN:
            self.assertIn(step, rest, f"not shown, or not in this place:\n{done.stdout}")
            rest = rest[rest.index(step) + len(step):]
        pids = {}
        for name in ("homeportd", "ganesha"):
            with open(os.path.join(self.work, name + ".pid"), encoding="ascii") as f:
                pids[name] = int(f.read())
            self.assertTrue(os.path.exists(f"/proc/{pids[name]}"), f"{name} is not running")
        return pids

    def ports(self):
        with open(os.path.join(self.work, "ports"), encoding="ascii") as f:
            return [int(port) for port in f.read().split()]

    def test_shows_the_main_job_twice_and_leaves_nothing_running_after_stop(self):
        before = self.checkout()
        first = self.start()
        ports = self.ports()
        second = self.start()
        self.assertEqual(second["ganesha"], first["ganesha"], "the NFS server that runs is used again")
        self.assertNotEqual(second["homeportd"], first["homeportd"], "the service is started with the programs of now")
        self.assertEqual(self.ports(), ports)
        files = [name for name in os.listdir(self.home_of_alice()) if name.startswith("hello-")]
        self.assertTrue(files, "what was written by the first run is still there")
        stopped = self.run_script("stop")
        self.assertEqual(stopped.returncode, 0, stopped.stdout)
        self.assertEqual(processes_that_name(self.work), [])
        for port in ports:
            with socket.socket() as s:
                self.assertNotEqual(s.connect_ex(("127.0.0.1", port)), 0, f"somebody listens on port {port} still")
        self.assertEqual(self.checkout(), before, "the quickstart wrote outside of its folder")
        again = self.run_script("stop")
        self.assertEqual(again.returncode, 0, again.stdout)

    def home_of_alice(self):
        homes = os.path.join(self.work, "export", "homes", "users")
        for name in os.listdir(homes):
            path = os.path.join(homes, name)
            if name.startswith("hp-h-") and os.stat(path).st_uid == 1001:
                return path
        self.fail(f"no home of uid 1001 in {homes}")

    @staticmethod
    def checkout():
        return sorted(os.listdir(os.path.join(ROOT, "examples")))

    def test_what_it_cannot_use_is_said(self):
        for words, said in ((("start", "--build-dir"), "needs a folder"),
                            (("start", "--build-dir", "/nonexistent/build"), "/nonexistent/build"),
                            (("begin",), "'begin' is not known")):
            with self.subTest(words=words):
                done = subprocess.run([SCRIPT, *words], stdin=subprocess.DEVNULL, env=self.env, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(said, done.stdout)
        empty = self.directory
        done = self.run_script("start", "--no-install", "--build-dir", empty)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("build homeportd, homeport and homeport_norpcb first", done.stdout)
        self.assertIn(f"quickstart.sh stop --work-dir '{self.work}'", done.stdout)


if __name__ == "__main__":
    unittest.main()
