"""A real NFS server beside the real homeportd. Needs root, as the server does; fails (never skips) without it."""
import json
import os
import subprocess
import unittest

import support


class NfsServer:
    """NFS-Ganesha through the program ganesha-for-tests. close() ends it and removes its files."""

    def __init__(self, *exports):
        self.process = subprocess.Popen([support.binary("ganesha-for-tests"), *exports], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the NFS server did not start (it needs root)")
        told = json.loads(line)
        self.port, self.mount_port, self.directories = told["port"], told["mount_port"], told["directories"]

    def order(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise AssertionError(f"the NFS server, told to {word}: {answer}")

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(support.PATIENCE)
        self.process.stdout.close()


def standing_home(path, uid, mode=0o755):
    """A home that was there before Homeport, with something in it; gives its path."""
    os.makedirs(path)
    notebook = os.path.join(path, "notebook.ipynb")
    with open(notebook, "w", encoding="ascii") as f:
        f.write("{}\n")
    for one in (notebook, path):
        os.chown(one, uid, uid)
    os.chmod(path, mode)
    return path


def config(server, pool_directory, more="", classes="", std=""):
    """A configuration with one nfs backend "lab" whose homes lie in /homes/POOL_DIRECTORY; /data can be imported.
    more: further backends; classes: further classes; std: further members of the class std that everybody has."""
    return f"""\
log: {{level: debug}}
lease: {{length: 5s}}
desired:
  backends:
  - name: lab
    kind: nfs
    service: {{server: 127.0.0.1, nfs_port: {server.port}, mount_port: {server.mount_port}, timeout: 3s}}
    client: {{version: "3", port: {server.port}, mount_port: {server.mount_port}}}
    pools: [{{name: homes, export: /homes, directory: {pool_directory}}}]
{more}  classes:
  - {{name: std, backend: lab, default_quota: 10GiB, max_quota: 50GiB{std}}}
{classes}  rules:
  - {{name: all, match: {{everyone: true}}, class: std}}
"""


class NfsTest(support.E2ETest):
    """One server for the whole class; every test uses directories of its own in it."""
    exports = ("/homes", "/data:ro")

    @classmethod
    def setUpClass(cls):
        cls.nfs = NfsServer(*cls.exports)
        data = cls.nfs.directories.get("/data")
        if data:
            os.makedirs(os.path.join(data, "iris"))
            with open(os.path.join(data, "iris", "iris.csv"), "w", encoding="ascii") as f:
                f.write("5.1,3.5,1.4,0.2,setosa\n")

    @classmethod
    def tearDownClass(cls):
        cls.nfs.close()

    def homes_on_disk(self, pool_directory):
        """{name: (uid, gid, mode)} of what stands in the pool."""
        folder = os.path.join(self.nfs.directories["/homes"], pool_directory)
        found = {}
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            status = os.lstat(os.path.join(folder, name))
            found[name] = (status.st_uid, status.st_gid, status.st_mode & 0o7777)
        return found

    def markers_on_disk(self, export="/homes"):
        folder = os.path.join(self.nfs.directories[export], ".homeport", "markers")
        found = {}
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name.endswith(".json"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    text = f.read()
                found[name[:-5]] = json.loads(text) if text.strip() else None
        return found


if __name__ == "__main__":
    unittest.main()
