"""btrfs on this machine as the array: a pool on a loop file, homes over a real NFS-Ganesha that Homeport runs itself.
Needs root, loop devices and btrfs; NFSv4 is spoken by libnfs's own programs."""
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import unittest

import support

libc = ctypes.CDLL(None, use_errno=True)
MIB = 1 << 20


def missing():
    """Why this cannot run here; empty when it can."""
    if os.geteuid() != 0:
        return "btrfs is administered by root"
    with open("/proc/filesystems", encoding="ascii") as f:
        if "btrfs" not in f.read():
            return "this kernel has no btrfs"
    if not os.path.exists("/dev/loop-control"):
        return "this machine has no loop devices"
    return ""


def unmount_below(directory):
    """Everything that is mounted there, deepest first; also what a killed service left behind."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        points = [line.split()[4] for line in f]
    for point in sorted((p for p in points if p.startswith(directory + "/")), reverse=True):
        libc.umount2(point.encode(), 2)   # MNT_DETACH


# What libnfs says of a server that is not back yet, or gone in the middle of a question.
LATER = ("GRACE", "onnect", "mount", "nfs_service failed")

class NfsUrl(ctypes.Structure):
    _fields_ = [("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p)]


def put_over_nfs(url, name, size):
    """0, or 1 with libnfs's words; half a KiB in each block of 4: libnfs 4.0.0 encodes no large writes over NFSv4."""
    lib = ctypes.CDLL("libnfs.so.13")
    for function in (lib.nfs_init_context, lib.nfs_get_error):
        function.restype = ctypes.c_char_p if function is lib.nfs_get_error else ctypes.c_void_p
    lib.nfs_parse_url_dir.restype = ctypes.POINTER(NfsUrl)
    lib.nfs_pwrite.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p]
    context = ctypes.c_void_p(lib.nfs_init_context())
    lib.nfs_set_autoreconnect(context, 0)

    def failed():
        print(lib.nfs_get_error(context).decode())
        return 1

    parts = lib.nfs_parse_url_dir(context, url.encode())
    if not parts or lib.nfs_mount(context, parts.contents.server, parts.contents.path) != 0:
        return failed()
    file = ctypes.c_void_p()
    if lib.nfs_open2(context, b"/" + name.encode(), os.O_WRONLY | os.O_CREAT, 0o600, ctypes.byref(file)) != 0:
        return failed()
    piece = os.urandom(512)
    for at in range(0, size, 4096):
        count = min(len(piece), size - at)
        if lib.nfs_pwrite(context, file, at, count, piece) != count:
            return failed()
    return 0 if lib.nfs_close(context, file) == 0 else failed()


@unittest.skipIf(missing(), missing())
class BtrfsTest(support.E2ETest):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)   # people pass on the way to their homes
        self.addCleanup(unmount_below, self.directory)
        self.addCleanup(self.end_ganeshas)

    def end_ganeshas(self):
        """A killed homeportd leaves its server to the next one; the test has no next one."""
        for folder, _, names in os.walk(self.directory):
            if "run.json" in names:
                with open(os.path.join(folder, "run.json"), encoding="ascii") as f:
                    pid = json.load(f)["pid"]
                if self.is_ganesha_of_ours(pid):
                    os.kill(pid, signal.SIGKILL)
            if os.path.ismount(folder):
                names.clear()

    def is_ganesha_of_ours(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return self.directory.encode() in f.read()
        except FileNotFoundError:
            return False

    def pool(self, name="pool", size="1GiB"):
        return f"""{{name: homes, loop: {{file: {self.path(name + '.img')}, size: {size}}}, mount: {self.path(name)}}}"""

    def config(self, more, pool=None):
        return f"""\
log: {{level: debug}}
lease: {{length: 5s}}
desired:
  backends:
  - name: lab
    kind: btrfs
    pools: [{pool or self.pool()}]
{more}
  classes:
  - {{name: std, backend: lab, layout: filesystem, default_quota: 16MiB, max_quota: 1GiB}}
  rules:
  - {{name: all, match: {{everyone: true}}, class: std}}
"""

    def exporting(self, pool=None):
        return self.config(f"""\
    exporter: {{server: 127.0.0.1, state: {self.path('exporter')}, nfs_port: 0}}
    exports: {{clients: [127.0.0.1], squash: root}}
""", pool)

    def source(self, daemon, user, uid):
        answer = daemon.call("POST", "/v1/mountspecs?wait=25", {"hub": "main", "user": user, "identity": {"uid": uid, "gid": uid}})
        self.assertEqual(answer.status, 200, answer)
        return answer.body["mounts"][0]["source"]

    def put(self, source, name, uid, size):
        """Writes a file over NFSv4 as that user, in a process of its own: exit code, and what libnfs said."""
        url = f"nfs://{source['server']}{source['export']}?version=4&nfsport={source['port']}&uid={uid}&gid={uid}"
        done = subprocess.run(["/usr/bin/python3", "-B", os.path.abspath(__file__), "put", url, name, str(size)],
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def put_when_served(self, source, name, uid, size):
        """After a restart the server takes no newly opened file for its grace of 10 s."""
        def tried():
            code, text = self.put(source, name, uid, size)
            return code == 0 or (text if not any(word in text for word in LATER) else None)
        answer = support.wait_until(tried, f"{name} is written after the restart", 60)
        self.assertIs(answer, True, answer)

    def running(self):
        with open(self.path("exporter", "run.json"), encoding="ascii") as f:
            return json.load(f)["pid"]

    def home(self, name="pool"):
        homes = self.path(name, "homes")
        return os.path.join(homes, os.listdir(homes)[0])

    def test_quota_owner_and_outage_over_nfs(self):
        daemon = self.start_daemon(self.exporting())
        source = self.source(daemon, "alice", 3001)
        self.assertEqual(source["type"], "nfs")
        code, text = self.put(source, "small", 3001, MIB)
        self.assertEqual(code, 0, text)
        code, text = self.put(source, "other", 3002, 10)
        self.assertNotEqual(code, 0)
        self.assertIn("NFS4ERR_ACC", text)
        # The limit is the kernel's, over NFS and on the host.
        code, text = self.put(source, "large", 3001, 24 * MIB)
        self.assertNotEqual(code, 0, "24 MiB do not fit 16")
        self.assertIn("DQUOT", text)
        with self.assertRaises(OSError) as refused:
            self.fill(os.path.join(self.home(), "fill"), 3001)
        self.assertEqual(refused.exception.errno, errno.EDQUOT)
        # Room is made over NFS, and the raised limit disturbs nobody.
        answer = daemon.call("PATCH", "/v1/homes/alice?wait=25", {"quota": "64MiB"})
        self.assertIn(answer.status, (200, 202), answer)
        self.assertEqual(self.put(source, "after", 3001, 20 * MIB)[0], 0)
        # The server dies, and is back by itself.
        before = self.running()
        os.kill(before, signal.SIGKILL)
        self.put_when_served(source, "again", 3001, 1000)
        self.assertNotEqual(self.running(), before)
        # Homeport dies: its server goes on, and is taken over.
        served_by = self.running()
        daemon.kill()
        self.assertTrue(self.is_ganesha_of_ours(served_by))
        again = self.start_daemon(self.exporting())
        self.assertEqual(self.source(again, "alice", 3001), source)
        self.assertEqual(self.running(), served_by)
        second = self.source(again, "bob", 3002)
        self.assertEqual(self.put(second, "mine", 3002, 1000)[0], 0)
        # Retired is out of reach; what was served is served still.
        self.assertIn(again.call("POST", "/v1/homes/bob/retire?wait=25").status, (200, 202, 204))
        support.wait_until(lambda: self.put(second, "late", 3002, 10)[0] != 0, "a retired home is withdrawn")
        self.assertEqual(self.put(source, "still", 3001, 10)[0], 0)
        again.stop()
        self.assertFalse(self.is_ganesha_of_ours(served_by), "in order, the server ends too")

    def fill(self, path, uid):
        child = os.fork()
        if child == 0:
            code = 0
            try:
                os.setgid(uid)
                os.setuid(uid)
                with open(path, "wb", buffering=0) as f:
                    for _ in range(64):
                        f.write(os.urandom(MIB))
            except OSError as e:
                code = e.errno
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise OSError(code, os.strerror(code))

    def test_local_specs_and_a_reboot(self):
        daemon = self.start_daemon(self.config(""))
        source = self.source(daemon, "alice", 3001)
        self.assertEqual((source["type"], source["path"]), ("local", self.home()))
        state = os.stat(self.home())
        self.assertEqual((state.st_uid, state.st_gid, state.st_mode & 0o7777), (3001, 3001, 0o700))
        with self.assertRaises(OSError) as refused:
            self.fill(os.path.join(self.home(), "fill"), 3001)
        self.assertEqual(refused.exception.errno, errno.EDQUOT)
        daemon.stop()
        unmount_below(self.directory)
        self.assertFalse(os.path.exists(self.path("pool", "homes")))
        again = self.start_daemon(self.config(""))
        self.assertEqual(self.source(again, "alice", 3001), source)
        self.assertTrue(os.path.exists(os.path.join(self.home(), "fill")))

    def test_two_services_on_one_pool(self):
        first = self.start_daemon(self.config(""))
        self.source(first, "alice", 3001)
        second = self.start_daemon(self.config(""), state="other")
        answer = second.call("POST", "/v1/mountspecs?wait=2", {"hub": "main", "user": "bob", "identity": {"uid": 3002, "gid": 3002}})
        self.assertNotIn(answer.status, (200, 201), answer)
        self.assertIn("is in use by another process", answer.text)
        self.assertEqual(len(os.listdir(self.path("pool", "homes"))), 1)

    def test_device_that_holds_something_else(self):
        with open(self.path("pool.img"), "wb") as f:
            f.truncate(300 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-L", "thesis", self.path("pool.img")], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
        before = self.digest()
        daemon = self.start_daemon(self.config(""))
        report = daemon.call("POST", "/v1/backends/lab/probe")
        self.assertIn("holds something else", report.text)
        self.assertIn("thesis", report.text)
        self.assertIn("erase: ", report.text)
        self.assertEqual(self.digest(), before, "nothing was written")

    def digest(self):
        return subprocess.run(["sha256sum", self.path("pool.img")], check=True, capture_output=True, text=True).stdout

    def test_killed_at_each_step_of_a_create(self):
        points = ("draft.made", "owner.set", "limit.set", "marker.written", "space.placed")
        for number, point in enumerate(points):
            with self.subTest(point=point):
                name = f"pool{number}"
                document = self.config("", self.pool(name))
                daemon = self.start_daemon(document, state=f"state{number}", env={"HOMEPORT_FAULT_POINT": "btrfs." + point})
                try:
                    daemon.call("POST", "/v1/mountspecs?wait=20", {"hub": "main", "user": "alice", "identity": {"uid": 3001, "gid": 3001}})
                except (OSError, ConnectionError, support.http.client.HTTPException):
                    pass
                self.assertEqual(daemon.wait(), -9, "it died there")
                again = self.start_daemon(document, state=f"state{number}")
                source = self.source(again, "alice", 3001)
                self.assertEqual(os.listdir(self.path(name, "homes")), [os.path.basename(source["path"])])
                self.assertEqual(os.listdir(self.path(name, ".homeport", "drafts")), [])
                self.assertEqual(os.stat(source["path"]).st_uid, 3001)
                again.stop()
                unmount_below(self.directory)


if __name__ == "__main__":
    if sys.argv[1:2] == ["put"]:
        sys.exit(put_over_nfs(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    unittest.main()
