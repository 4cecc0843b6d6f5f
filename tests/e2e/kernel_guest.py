"""A Debian kernel in qemu, with the tools a Debian user mounts with. Nothing of it is installed: the kernel is unpacked
below build/guest-kernel at first use (27 MB over the network) and stays there.

    steps = kernel_guest.run(directory, files={"etc/fstab": text}, steps=[Step("mount", "/usr/bin/mount /srv/x")])
    steps["mount"].code, steps["mount"].output

HOMEPORT_GUEST_KERNEL names another folder that has boot/vmlinuz-VERSION and lib/modules/VERSION; "/" is this machine.
"""
import dataclasses
import glob
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = "10.0.2.2"  # the host's loopback, as a guest of qemu's user network sees it
BOOT_LIMIT = 180  # seconds until qemu is ended; a boot takes 5 to 20
STEP_LIMIT = 30  # a mount that is refused a connection would try again for two minutes

MODULES = ("virtio_pci", "virtio_net", "nfs", "nfsv3", "nfsv4")
# The real ones, with their libraries; version 3 with locks starts rpc.statd by start-statd.
PROGRAMS = ("/usr/bin/mount", "/usr/bin/umount", "/usr/sbin/mount.nfs", "/usr/bin/setpriv", "/usr/bin/flock",
            "/usr/sbin/rpcbind", "/usr/sbin/rpc.statd")
SCRIPTS = ("/usr/sbin/start-statd",)
SETTINGS = ("/etc/netconfig",)
APT = ("-q", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

INIT = """\
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
    return folder


def kernel_folder():
    given = os.environ.get("HOMEPORT_GUEST_KERNEL")
    folder = given or os.path.join(ROOT, "build", "guest-kernel")
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
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder), prefix="guest-kernel-") as scratch:
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


def add_programs(tree):
    for path in PROGRAMS:
        copy_into(tree, path, find(os.path.basename(path)))
        for library in re.findall(r"(/\S+)(?= \(0x)", quiet("ldd", path)):
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


def add_modules(tree, folder):
    version = version_in(folder)
    for module in MODULES:
        for line in quiet(find("modprobe"), "-d", folder, "-S", version, "--show-depends", module).splitlines():
            if line.startswith("insmod "):
                path = line[len("insmod "):].strip()
                copy_into(tree, path[path.index("/lib/modules/"):], path)
    for name in ("modules.order", "modules.builtin"):
        copy_into(tree, f"/lib/modules/{version}/{name}", f"{folder}/lib/modules/{version}/{name}")
    quiet(find("depmod"), "-b", tree, version)
    return os.path.join(folder, "boot", "vmlinuz-" + version)


def build(directory, files, steps):
    """(kernel, initramfs)."""
    tree = os.path.join(directory, "tree")
    for name in ("dev", "proc", "sys", "run", "tmp", "etc", "var/lib/nfs/sm", "var/lib/nfs/sm.bak"):
        os.makedirs(os.path.join(tree, name))
    for name in ("bin", "sbin", "lib", "lib64"):  # as Debian has it
        os.makedirs(os.path.join(tree, "usr", name))
        os.symlink("usr/" + name, os.path.join(tree, name))
    add_programs(tree)
    kernel = add_modules(tree, require())
    texts = {"etc/passwd": "root:x:0:0::/:/bin/sh\n_rpc:x:100:65534::/run/rpcbind:/bin/false\n",
             "etc/group": "root:x:0:\nnogroup:x:65534:\n", "etc/hosts": "127.0.0.1 localhost\n",
             "etc/protocols": "tcp 6 TCP\nudp 17 UDP\n",
             "etc/services": "sunrpc 111/tcp portmapper\nsunrpc 111/udp portmapper\n",
             "init": INIT.format(modules=" ".join(MODULES), limit=STEP_LIMIT),
             "steps": "".join(f"step {s.name} {shlex.quote(s.command)}\n" for s in steps), **files}
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


def boot(directory, kernel, image):
    """What the guest wrote: (results, console). coreutils' timeout ends qemu even when this process is gone."""
    paths = [os.path.join(directory, name) for name in ("console", "results", "qemu")]
    command = [find("timeout"), "-k", "5", str(BOOT_LIMIT), find("qemu-system-x86_64"), "-accel", "tcg", "-m", "512",
               "-nodefaults", "-display", "none", "-vga", "none", "-no-reboot", "-serial", f"file:{paths[0]}", "-serial",
               f"file:{paths[1]}", "-kernel", kernel, "-initrd", image, "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
               "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="]
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
    kernel, image = build(directory, files, steps)
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
