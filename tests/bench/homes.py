#!/usr/bin/env python3
"""New homes: `homeport home ensure --from roster.csv` against a loopback NFS-Ganesha, beside a bare libnfs program that
makes the same NFS calls with as many connections (marker and read-back included, no journal), and beside one that only
makes the directory and gives it away.

  homes.py BUILD_DIR [--homes 1000] [--rounds 3] [--connections 8] [--disk DIR | --on-tmp] [--at-most RATIO]
                     [-o table|json]

Needs root (Ganesha does) and a build with the preset bench. The three take turns on one server; ratios are of one round.
The time of Homeport is that of the whole command: reading the roster, sending it, waiting until every home is ready. The
processor time of all programs is shown beside it: on a small machine they take it from each other.

The server's files lie on a filesystem made for the run (ext4 with a journal, in an image that is mounted over /tmp where
nobody else sees it), the state of Homeport beside it; both are in --disk, /var/tmp if not told. On a used filesystem the
past would be measured as well: ext4 without a journal, for one, looks at every inode freed in the last minutes before it
takes another one. The more a sync of the disk costs, the smaller the ratio, and a disk busy with something else flatters:
--disk /dev/shm makes a sync cost nothing, which is the strictest and the steadiest way to measure.

Before anything is measured a few homes are made through a proxy that notes the procedure of every call on the wire. The
bare program's calls for one home must come in Homeport's stream once for every home, and nothing may be left over but
what connecting and looking after the backend needs.

Everything it starts is stopped, everything it writes is removed.
"""
import argparse
import collections
import http.client
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import http_floor

# What a connection, the periodic look at a backend and the look for directories beside the homes (before the first home,
# then once a minute) need: not for a home.
BESIDES = {"NULL", "FSINFO", "FSSTAT", "GETATTR", "ACCESS", "READDIRPLUS"}
PROCEDURES = ("NULL GETATTR SETATTR LOOKUP ACCESS READLINK READ WRITE CREATE MKDIR SYMLINK MKNOD REMOVE RMDIR RENAME LINK "
              "READDIR READDIRPLUS FSSTAT FSINFO PATHCONF COMMIT").split()  # RFC 1813, in the order of their numbers
COMPARED = 40    # homes made through the proxy
IMAGE_BYTES = 4 << 30  # sparse
WARM_UP = 32     # so that every connection stands before the first round
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """\
log: {{level: warning}}
desired:
  backends:
  - name: lab
    kind: nfs
    workers: {workers}
    service: {{server: 127.0.0.1, nfs_port: {port}, mount_port: {mount_port}, connections: {connections}}}
    client: {{version: "3", port: {port}, mount_port: {mount_port}}}
    pools: [{{name: homes, export: {export}}}]
  classes:
  - {{name: std, backend: lab, default_quota: 10GiB}}
  rules:
  - {{name: all, match: {{everyone: true}}, class: std}}
"""


def find(folder, name):
    for one in (f"{folder}/bin", f"{folder}/tests/bench", f"{folder}/tests/support"):
        if os.access(f"{one}/{name}", os.X_OK):
            return f"{one}/{name}"
    raise SystemExit(f"no {name} in {folder}: build preset bench")


class Tap:
    """A TCP proxy that writes down the procedure of each NFS call, one list per connection."""

    def __init__(self, port):
        self.port_behind = port
        self.streams = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self.port_behind))
            calls = []
            self.streams.append(calls)
            for source, target, noted in ((client, server, calls), (server, client, None)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=(source, target, noted), daemon=True).start()

    @staticmethod
    def _forward(source, target, noted):
        pending = b""
        try:
            while data := source.recv(65536):
                if noted is not None:
                    pending = note_calls(pending + data, noted)
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def take(self):
        """What came since the last time, one list per connection."""
        taken = [list(calls) for calls in self.streams]
        for calls, part in zip(self.streams, taken):
            del calls[:len(part)]
        return taken

    def close(self):
        self.listener.close()


def note_calls(data, noted):
    """Takes whole records off data (RFC 5531 section 11: one fragment each, as libnfs sends them); gives what is left."""
    while len(data) >= 4:
        length = struct.unpack(">I", data[:4])[0] & 0x7FFFFFFF
        if len(data) < 4 + length:
            break
        procedure = struct.unpack(">6I", data[4:28])[5]  # xid, CALL, RPC version, program, version, procedure
        noted.append(PROCEDURES[procedure])
        data = data[4 + length:]
    return data


class NfsServer:
    def __init__(self, program):
        self.process = subprocess.Popen([program, "/homes", "/compared"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the NFS server did not start (it needs root)")
        told = json.loads(line)
        self.port, self.mount_port, self.directories = told["port"], told["mount_port"], told["directories"]
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            self.pid = int(f.read().split()[0])  # Ganesha itself

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Service:
    """One homeportd over one export, with the command line that an admin has."""

    def __init__(self, options, directory, server, export, port):
        self.options, self.directory = options, directory
        self.users = 0
        self.address = f"127.0.0.1:{http_floor.free_port()}"
        os.mkdir(directory)
        with open(f"{directory}/config.yaml", "w", encoding="ascii") as f:
            # A worker that waits for the journal uses no connection: with as many workers some connections would lie idle.
            f.write(CONFIG.format(connections=options.connections, workers=min(2 * options.connections, 64), port=port,
                                  mount_port=server.mount_port, export=export))
        with open(f"{directory}/log", "w", encoding="ascii") as log:
            self.process = subprocess.Popen([options.homeportd, "--config", f"{directory}/config.yaml", "--state",
                                             f"{directory}/state", "--listen", self.address], stdout=log, stderr=log)

    def log(self):
        with open(f"{self.directory}/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_ready(self):
        for _ in range(3000):
            if self.process.poll() is not None:
                break
            try:
                connection = http.client.HTTPConnection(self.address, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return self
            except OSError:
                pass  # not yet
            time.sleep(0.01)
        raise SystemExit(f"homeportd did not become ready:\n{self.log()}")

    def ensure(self, homes):
        """(seconds, processor seconds of the client) for so many people who were not known before."""
        roster = f"{self.directory}/roster.csv"
        with open(roster, "w", encoding="ascii") as f:
            f.write("user,uid,gid\n")
            for i in range(self.users, self.users + homes):
                f.write(f"user{i:06},{20000 + i},{20000 + i}\n")
        self.users += homes
        command = [self.options.homeport, "--url", f"http://{self.address}", "--token-file",
                   f"{self.directory}/state/admin-token", "-o", "json", "home", "ensure", "--from", roster]
        before = os.times()
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        after = os.times()
        outcomes = collections.Counter(item["outcome"] for item in json.loads(done.stdout or '{"items": []}')["items"])
        if done.returncode != 0 or outcomes != {"created": homes}:
            raise SystemExit(f"homeport home ensure: {done.returncode} {dict(outcomes)}\n{done.stderr}\n{self.log()[-3000:]}")
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return seconds, spent

    def stop(self):
        self.process.terminate()
        self.process.wait()


def on_new_filesystem(folder, disk, program):
    """Runs the program again where /tmp is a filesystem of its own; gives its exit code."""
    if os.path.realpath(folder).startswith("/tmp/"):
        raise SystemExit("the build must not lie in /tmp: another filesystem is mounted over it (or give --on-tmp)")
    scratch = tempfile.mkdtemp(prefix="homeport-homes-", dir=disk)
    try:
        image = f"{scratch}/disk"
        with open(image, "wb") as f:
            f.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
        inside = 'mount -o loop "$1" /tmp && rm "$1" && chmod 1777 /tmp && shift && exec "$@"'  # the mount keeps the image
        return subprocess.run(["unshare", "--mount", "sh", "-c", inside, "sh", image, sys.executable, program,
                               *sys.argv[1:], "--on-tmp"], env={**os.environ, "TMPDIR": scratch}, check=False).returncode
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def bare(options, server, calls, homes, **more):
    command = [options.bare_homes, "--nfs-port", str(more.get("port", server.port)), "--mount-port", str(server.mount_port),
               "--export", more.get("export", "/homes"), "--directory", f"bare-{calls}", "--calls", calls,
               "--homes", str(homes), "--connections", str(more.get("connections", options.connections)),
               "--marker-bytes", str(more.get("marker_bytes", 240))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bare_homes: {done.stderr}")
    return json.loads(done.stdout)


def calls_of_one(streams, homes):
    """The sequence that the last connection, which made all the homes, repeats after its NULL."""
    calls = streams[-1][1:]
    one = calls[:len(calls) // homes]
    if streams[-1][0] != "NULL" or one * homes != calls:
        raise SystemExit(f"the bare program does not do the same for each home: {calls}")
    return one


def occurrences(stream, wanted):
    """(how often the sequence comes, what is left over)"""
    count, left, at = 0, [], 0
    while at < len(stream):
        if stream[at:at + len(wanted)] == wanted:
            count += 1
            at += len(wanted)
        else:
            left.append(stream[at])
            at += 1
    return count, left


def compare_calls(options, directory, server):
    """What both send for one home, seen on the wire; the size of a marker. Ends the run when they differ."""
    tap = Tap(server.port)
    service = Service(options, f"{directory}/compared", server, "/compared", tap.port)
    try:
        service.wait_ready().ensure(options.connections)  # the directories above the homes stand then
        tap.take()
        service.ensure(COMPARED)
        ours = tap.take()
        bare(options, server, "full", COMPARED, port=tap.port, export="/compared", connections=1)
        wanted = calls_of_one(tap.take(), COMPARED)
    finally:
        service.stop()
        tap.close()
    found, left = 0, collections.Counter()
    for stream in ours:
        count, rest = occurrences(stream, wanted)
        found += count
        left.update(rest)
    if found != COMPARED or set(left) - BESIDES:
        raise SystemExit(f"the calls differ: of {COMPARED} homes {found} were made with {' '.join(wanted)}; "
                         f"besides there were {dict(left)}")
    markers = f"{server.directories['/compared']}/.homeport/markers"
    sizes = [os.stat(f"{markers}/{name}").st_size for name in os.listdir(markers)]
    return {"calls": wanted, "besides": dict(left), "marker_bytes": round(statistics.mean(sizes))}


def measure(options, directory, server, marker_bytes):
    service = Service(options, f"{directory}/service", server, "/homes", server.port)
    rounds = []
    try:
        service.wait_ready().ensure(WARM_UP)

        def ours():
            before = processor_seconds(service.process.pid)
            seconds, client = service.ensure(options.homes)
            return {"seconds": seconds, "client_cpu": client,
                    "service_cpu": processor_seconds(service.process.pid) - before}

        def floor(calls):
            spent = os.times()
            told = bare(options, server, calls, options.homes, marker_bytes=marker_bytes)
            after = os.times()
            return {"seconds": told["seconds"], "client_cpu": after.children_user + after.children_system
                    - spent.children_user - spent.children_system, "service_cpu": 0.0}

        turns = [("homeport", ours), ("full", lambda: floor("full")), ("minimal", lambda: floor("minimal"))]
        for number in range(options.rounds):
            result = {}
            for name, run in turns[number % 3:] + turns[:number % 3]:
                os.sync()  # nobody pays for what another one left to be written
                before = processor_seconds(server.pid)
                result[name] = run()
                result[name]["server_cpu"] = processor_seconds(server.pid) - before
            for name in ("full", "minimal"):
                result[f"ratio_to_{name}"] = result["homeport"]["seconds"] / result[name]["seconds"]
            rounds.append(result)
            if options.output == "table":
                show_round(number + 1, options.homes, result)
    finally:
        service.stop()
    return rounds


def show_round(number, homes, result):
    for name in ("homeport", "full", "minimal"):
        one = result[name]
        shown = name if name == "homeport" else "bare " + name
        ratio = f"ratio {result[f'ratio_to_{name}']:5.2f}" if name != "homeport" else " " * 11
        print(f"round {number}  {shown:12} {one['seconds']:7.3f} s {homes / one['seconds']:7.0f} homes/s  {ratio}  processor: client {one['client_cpu']:.2f} s, "
              f"homeportd {one['service_cpu']:.2f} s, NFS server {one['server_cpu']:.2f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8, help="to the NFS server, for each of the programs")
    parser.add_argument("--at-most", type=float, default=None, help="fail when the median ratio to bare full is above this")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--disk", default="/var/tmp", help="a directory outside /tmp for the filesystem of the run and for our state")
    parser.add_argument("--on-tmp", action="store_true",
                        help="no filesystem for the run: the server's files lie in /tmp as it is")
    options = parser.parse_args()
    if not options.on_tmp:
        sys.exit(on_new_filesystem(options.folder, options.disk, os.path.abspath(__file__)))
    for program in ("homeportd", "homeport", "bare_homes"):
        setattr(options, program, find(options.folder, program))
    server = NfsServer(find(options.folder, "ganesha-for-tests"))
    directory = tempfile.mkdtemp(prefix="homeport-homes-")
    try:
        compared = compare_calls(options, directory, server)
        if options.output == "table":
            print(f"calls for one home, the same for both on the wire ({len(compared['calls'])}): {' '.join(compared['calls'])}")
            print(f"besides, for {COMPARED} homes: {compared['besides'] or 'none'}; a marker has {compared['marker_bytes']} bytes")
        rounds = measure(options, directory, server, compared["marker_bytes"])
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        server.stop()
    medians = {f"ratio_to_{name}": statistics.median(one[f"ratio_to_{name}"] for one in rounds) for name in ("full", "minimal")}
    if options.output == "json":
        print(json.dumps({"homes": options.homes, "connections": options.connections, **compared, "rounds": rounds,
                          "median": medians}))
    else:
        print(f"{options.homes} homes, {options.connections} connections: median ratio to the same calls "
              f"{medians['ratio_to_full']:.2f} (bar 2), to mkdir and setattr alone {medians['ratio_to_minimal']:.2f}")
    if options.at_most is not None and medians["ratio_to_full"] > options.at_most:
        raise SystemExit(f"{medians['ratio_to_full']:.2f} times the bare calls, wanted at most {options.at_most}")


if __name__ == "__main__":
    main()
