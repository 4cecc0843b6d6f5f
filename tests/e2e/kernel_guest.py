"""A Debian kernel in qemu, with the tools a Debian user mounts with. Nothing of it is installed: the kernel, and the
tools of its NFS server, are unpacked below build/guest at first use (27 MB over the network) and stay there.

    steps = kernel_guest.run(directory, files={"etc/fstab": text}, steps=[Step("mount", "/usr/bin/mount /srv/x")])
    steps["mount"].code, steps["mount"].output

    server = kernel_guest.NfsServer(directory, {"/homes": "rw,no_root_squash"})
    server.port, server.mount_port, server.shell("ls -l /homes")

HOMEPORT_GUEST_KERNEL names another folder that has boot/vmlinuz-VERSION, lib/modules/VERSION and, for the server, what
nfs-kernel-server has; "/" is this machine.
"""
import atexit
import dataclasses
import glob
import os
import platform
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import support

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = "10.0.2.2"  # the host's loopback, as a guest of qemu's user network sees it
BOOT_LIMIT = 180  # seconds until qemu is ended; a boot takes 5 to 20
SERVE_LIMIT = 600  # likewise, of a server
STEP_LIMIT = 30  # a mount that is refused a connection would try again for two minutes

MODULES = ("virtio_pci", "virtio_net", "nfs", "nfsv3", "nfsv4")
# The real ones, with their libraries; version 3 with locks starts rpc.statd by start-statd.
PROGRAMS = ("/usr/bin/mount", "/usr/bin/umount", "/usr/sbin/mount.nfs", "/usr/bin/setpriv", "/usr/bin/flock",
            "/usr/sbin/rpcbind", "/usr/sbin/rpc.statd")
SERVER_MODULES = ("virtio_pci", "virtio_net", "nfsd")
SERVER_PROGRAMS = ("/usr/sbin/rpcbind", "/usr/sbin/exportfs", "/usr/sbin/rpc.mountd", "/usr/sbin/rpc.nfsd")
SCRIPTS = ("/usr/sbin/start-statd",)
SETTINGS = ("/etc/netconfig",)
APT = ("-q", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

START = """\
#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
exec 3>/dev/ttyS1
for module in {modules}; do modprobe $module; done
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
"""

INIT = START + """\
step() {{
  echo "@BEGIN $1" >&3
  timeout -s KILL {limit} sh -c "$2" >&3 2>&1 </dev/null
  printf '\\n@END %s %s\\n' "$1" $? >&3
}}
. /steps
echo @DONE >&3
sync
poweroff -f
"""


# Every export is a filesystem of its own, in memory. The line after a command's output tells that it is over.
SERVE = START + """\
i=0
for directory in {directories}; do
  i=$((i + 1))
  mkdir -p $directory
  mount -t tmpfs -o mode=755 export $directory
done
mount -t nfsd nfsd /proc/fs/nfsd
stty -F /dev/ttyS1 raw -echo
rpcbind && exportfs -a && rpc.mountd --port 20048 && rpc.nfsd 8 || poweroff -f
echo @READY >&3
while read -r command; do
  sh -c "$command" 2>&1 </dev/null
  echo "@END $?"
done </dev/ttyS1 >/dev/ttyS1
"""


@dataclasses.dataclass
class Step:
    name: str
    command: str  # for busybox sh; a full path where the program of the same name is meant and not busybox's own
    code: int = -1
    output: str = ""


def quiet(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, **options)
    return done.stdout


def find(program):
    path = shutil.which(program, path=SEARCH)
    if not path:
        raise unittest.SkipTest(f"there is no {program} (packages.txt, section test)")
    return path


def require():
    """Skips when this machine cannot run such a guest; makes sure of the kernel."""
    if platform.machine() != "x86_64":
        raise unittest.SkipTest(f"the guest is an x86_64 one, this machine is {platform.machine()}")
    for program in ("qemu-system-x86_64", "busybox", "cpio", "depmod", "modprobe", "ldd", "apt-get", "dpkg", *PROGRAMS,
                    *SCRIPTS):
        find(program)
    folder = kernel_folder()
    version_in(folder)
    for path in SERVER_PROGRAMS:
        program_file(path)
    return folder


def kernel_folder():
    given = os.environ.get("HOMEPORT_GUEST_KERNEL")
    folder = given or os.path.join(ROOT, "build", "guest")
    if not given and not os.path.isdir(folder):
        try:
            unpack_kernel(folder)
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip() or "nothing").splitlines()[-1]
            raise unittest.SkipTest(f"no Debian kernel to boot: {error.cmd[0]} {error.cmd[-1]} said {said}")
    return folder


def packages_to_unpack():
    with open(os.path.join(ROOT, "packages.txt"), encoding="utf-8") as f:
        section = f.read().split("\n[unpack]\n", 1)[1].split("\n[", 1)[0]
    return [line for line in section.splitlines() if line and not line.startswith("#")]


def unpack_kernel(folder):
    """Needs no root, and changes nothing of what apt knows: where its lists are old or gone, own ones are fetched."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder), prefix="guest-") as scratch:
        own = ["-o", f"Dir::State::lists={scratch}/lists", "-o", f"Dir::Cache={scratch}/cache"]
        try:
            download(scratch, ["-o", f"Dir::Cache={scratch}/cache"])
        except subprocess.CalledProcessError:
            os.makedirs(f"{scratch}/lists/partial", exist_ok=True)
            quiet("apt-get", *APT, *own, "-o", "APT::Update::Error-Mode=any", "update")
            download(scratch, own)
        tree = os.path.join(scratch, "tree")
        for name in os.listdir(scratch):
            if name.endswith(".deb"):
                quiet("dpkg", "-x", os.path.join(scratch, name), tree)
        quiet(find("depmod"), "-b", tree, version_in(tree))
        try:
            os.rename(tree, folder)  # whole or not at all
        except OSError:
            if not os.path.isdir(folder):  # else another run was faster
                raise


def download(scratch, options):
    os.makedirs(f"{scratch}/cache/archives/partial", exist_ok=True)
    for package in packages_to_unpack():
        # The package named is an empty one that depends on the newest kernel.
        known = quiet("apt-cache", *options, "depends", package)
        kernels = re.findall(r"^\s*Depends: (linux-image-\S+)$", known, re.M)
        quiet("apt-get", *APT, *options, "download", *(kernels or [package]), cwd=scratch)


def version_in(folder):
    kernels = sorted(glob.glob(os.path.join(folder, "boot", "vmlinuz-*")))
    versions = [os.path.basename(path).removeprefix("vmlinuz-") for path in kernels]
    versions = [v for v in versions if os.path.isdir(os.path.join(folder, "lib/modules", v))]
    if not versions:
        raise unittest.SkipTest(f"{folder} has no kernel with its modules")
    return versions[-1]


def copy_into(tree, path, real=None):
    to = tree + path
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy2(real or path, to)  # follows links


def program_file(path):
    """As it was unpacked, or this machine's."""
    unpacked = os.path.join(kernel_folder(), path.lstrip("/"))
    return unpacked if os.path.exists(unpacked) else find(os.path.basename(path))


def add_programs(tree, programs):
    for path in programs:
        file = program_file(path)
        copy_into(tree, path, file)
        for library in re.findall(r"(/\S+)(?= \(0x)", quiet("ldd", file)):
            copy_into(tree, library)
    for path in SCRIPTS + SETTINGS:
        copy_into(tree, path)
    os.symlink("mount.nfs", tree + "/usr/sbin/mount.nfs4")
    copy_into(tree, "/bin/busybox", find("busybox"))
    for applet in quiet(find("busybox"), "--list").split():
        link = os.path.join(tree, "bin", applet)
        if not os.path.exists(link):
            os.symlink("busybox", link)
    os.symlink("../bin/busybox", tree + "/sbin/modprobe")  # where the kernel looks for it


def add_modules(tree, folder, modules):
    version = version_in(folder)
    for module in modules:
        for line in quiet(find("modprobe"), "-d", folder, "-S", version, "--show-depends", module).splitlines():
            if line.startswith("insmod "):
                path = line[len("insmod "):].strip()
                copy_into(tree, path[path.index("/lib/modules/"):], path)
    for name in ("modules.order", "modules.builtin"):
        copy_into(tree, f"/lib/modules/{version}/{name}", f"{folder}/lib/modules/{version}/{name}")
    quiet(find("depmod"), "-b", tree, version)
    return os.path.join(folder, "boot", "vmlinuz-" + version)


def build(directory, files, modules=MODULES, programs=PROGRAMS):
    """(kernel, initramfs). files: by name, "init" among them."""
    tree = os.path.join(directory, "tree")
    for name in ("dev", "proc", "sys", "run", "tmp", "etc", "var/lib/nfs/sm", "var/lib/nfs/sm.bak",
                 "var/lib/nfs/v4recovery"):
        os.makedirs(os.path.join(tree, name))
    for name in ("bin", "sbin", "lib", "lib64"):  # as Debian has it
        os.makedirs(os.path.join(tree, "usr", name))
        os.symlink("usr/" + name, os.path.join(tree, name))
    add_programs(tree, programs)
    kernel = add_modules(tree, require(), modules)
    texts = {"etc/passwd": "root:x:0:0::/:/bin/sh\n_rpc:x:100:65534::/run/rpcbind:/bin/false\n",
             "etc/group": "root:x:0:\nnogroup:x:65534:\n", "etc/hosts": "127.0.0.1 localhost\n",
             "etc/protocols": "tcp 6 TCP\nudp 17 UDP\n",
             "etc/services": "sunrpc 111/tcp portmapper\nsunrpc 111/udp portmapper\nnfs 2049/tcp\nnfs 2049/udp\n",
             **files}
    for name, text in texts.items():
        with open(os.path.join(tree, name), "w", encoding="utf-8") as f:
            f.write(text)
    os.chmod(os.path.join(tree, "init"), 0o755)
    image = os.path.join(directory, "initramfs")
    with open(image, "wb") as out:
        names = subprocess.run(["find", ".", "-print0"], cwd=tree, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run([find("cpio"), "--null", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input=names,
                       stdout=out, check=True)
    return kernel, image


def qemu_command(limit, kernel, image, console, results, forwards=""):
    """coreutils' timeout ends qemu even when this process is gone."""
    return [find("timeout"), "-k", "5", str(limit), find("qemu-system-x86_64"), "-accel", "tcg", "-m", "512",
            "-nodefaults", "-display", "none", "-vga", "none", "-no-reboot", "-serial", console, "-serial", results,
            "-kernel", kernel, "-initrd", image, "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
            "-netdev", "user,id=n0" + forwards, "-device", "virtio-net-pci,netdev=n0,romfile="]


def boot(directory, kernel, image):
    """What the guest wrote: (results, console)."""
    paths = [os.path.join(directory, name) for name in ("console", "results", "qemu")]
    command = qemu_command(BOOT_LIMIT, kernel, image, f"file:{paths[0]}", f"file:{paths[1]}")
    with open(paths[2], "wb") as said:
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            qemu.wait()
        finally:
            if qemu.poll() is None:  # interrupted; timeout hands the signal on
                qemu.terminate()
                qemu.wait()
    texts = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as f:
            texts.append(f.read().replace("\r", ""))
    return texts[1], "\n".join((texts[0], texts[2]))


def run(directory, files, steps):
    """Boots once, does the steps in order, gives {name: Step}. A step that fails is for the caller to judge."""
    os.makedirs(directory)
    scripts = {"init": INIT.format(modules=" ".join(MODULES), limit=STEP_LIMIT),
               "steps": "".join(f"step {s.name} {shlex.quote(s.command)}\n" for s in steps)}
    kernel, image = build(directory, {**scripts, **files})
    results, console = boot(directory, kernel, image)
    if "@BEGIN" not in results:
        # It never came as far as its first step: an emulated machine on a busy one can miss its own timer while it
        # boots. What is tested has not begun, so it may begin once more.
        results, console = boot(directory, kernel, image)
    done = {}
    for name, output, code in re.findall(r"^@BEGIN (\S+)\n(.*?)\n@END \1 (\d+)$", results, re.M | re.S):
        done[name] = Step(name, "", int(code), output.strip("\n"))
    missing = [s.name for s in steps if s.name not in done]
    if missing or "@DONE" not in results:
        raise AssertionError(f"the guest did not do {missing}; it said:\n{results[-2000:]}\n"
                             f"and on its console:\n{console[-3000:]}")
    for step in steps:
        done[step.name].command = step.command
    return done


class NfsServer:
    """The kernel's own NFS server in a guest. exports: options of exports(5) by path, besides fsid and insecure (the
    guest's network hides our low ports). close() ends it; nothing of it stays."""

    def __init__(self, directory, exports):
        os.makedirs(directory)
        self.port, self.mount_port, control = support.free_port(), support.free_port(), support.free_port()
        lines = [f"{path} *({options},insecure,no_subtree_check,fsid={i + 1})\n"
                 for i, (path, options) in enumerate(exports.items())]
        files = {"init": SERVE.format(modules=" ".join(SERVER_MODULES), directories=" ".join(exports)),
                 "etc/exports": "".join(lines), "var/lib/nfs/etab": "", "var/lib/nfs/rmtab": ""}
        kernel, image = build(directory, files, SERVER_MODULES, SERVER_PROGRAMS)
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}"
                           for ours, theirs in ((self.port, 2049), (self.mount_port, 20048)))
        self.console = os.path.join(directory, "console")
        command = qemu_command(SERVE_LIMIT, kernel, image, f"file:{self.console}",
                               f"tcp:127.0.0.1:{control},server=on,wait=on", forwards)
        self._lock = threading.Lock()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        atexit.register(self.close)  # an interrupted run has no tearDownClass
        try:
            self._connect(control)
            self._wait_for("@READY", BOOT_LIMIT)
        except BaseException:
            self.close()
            raise

    def _connect(self, port):
        def connected():
            if self.process.poll() is not None:
                raise AssertionError(f"qemu ended with {self.process.returncode}")
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), BOOT_LIMIT)
            except OSError:
                return False
            return True
        support.wait_until(connected, "qemu listens")
        self._lines = self._socket.makefile("rw", encoding="utf-8", newline="\n")

    def _wait_for(self, start, limit):
        """The lines before the one that starts so, and that one."""
        self._socket.settimeout(limit)
        before = []
        while True:
            try:
                line = self._lines.readline()
            except OSError as error:
                raise AssertionError(f"the guest says nothing: {error}; before that:\n{''.join(before)}") from error
            if not line:
                with open(self.console, encoding="utf-8", errors="replace") as f:
                    raise AssertionError(f"the guest ended; on its console:\n{f.read()[-3000:]}")
            line = line.replace("\r", "")
            if line.startswith(start):
                return "".join(before), line.rstrip("\n")
            before.append(line)

    def shell(self, command):
        """What it prints, standard error too; for busybox sh, one line. AssertionError when it fails."""
        with self._lock:
            self._lines.write(command + "\n")
            self._lines.flush()
            output, end = self._wait_for("@END ", STEP_LIMIT)
        if end != "@END 0":
            raise AssertionError(f"{command}: {end}\n{output}")
        return output

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        for name in ("_lines", "_socket"):
            if hasattr(self, name):
                getattr(self, name).close()
