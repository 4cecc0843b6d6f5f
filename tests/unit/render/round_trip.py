"""Reads what renderers wrote back with parsers that are not theirs: round_trip.py BATCH.

BATCH is a list of {"name", "format", "spec", "text"}; what is read must be what the spec says. YAML by PyYAML, shell by
sh, templates by str.format; the rest is parsed here by its manual page.
"""
import json
import re
import subprocess
import sys

import yaml

ROOT = "/srv/homeport"


def device(source):
    server = f"[{source['server']}]" if ":" in source["server"] else source["server"]
    return f"{server}:{source['export']}"


def words(mount):
    """mount(8)'s words, from the document."""
    source, nfs = mount["source"], mount["nfs"]
    out = [f"vers={source['version']}", "proto=tcp6" if ":" in source["server"] else "proto=tcp"]
    out += [f"{word}={source[member]}" for word, member in (("port", "port"), ("mountport", "mount_port")) if source[member]]
    out += ["hard" if nfs["hard"] else "soft", f"timeo={nfs['timeo']}", f"retrans={nfs['retrans']}"]
    out += [f"{word}={nfs[word]}" for word in ("rsize", "wsize", "nconnect") if nfs[word] is not None]
    out += [word for word in ("nolock", "noresvport", "noatime", "nosuid", "nodev", "noexec") if nfs[word]]
    out += [f"sec={nfs['sec']}"] if nfs["sec"] != "sys" else []
    return ",".join(out + [mount["access"]])


def is_nfs(mount):
    return mount["source"]["type"] == "nfs"


def host_path(spec, mount):
    return f"{ROOT}/{spec['subject']['user_key']}/{mount['id']}"


def fs_type(mount):
    return "nfs" if mount["source"]["version"] == "3" else "nfs4"


def ids(spec):
    who = spec["identity"]
    return f"{who['uid']}:{who['gid']}" if who["uid"] else None


def volume_options(mount):
    return {"type": "nfs", "o": f"addr={mount['source']['server']},{words(mount)}", "device": ":" + mount["source"]["export"]}


def same(got, wanted, what):
    if got != wanted:
        raise ValueError(f"{what}: {got!r} is not {wanted!r}")


def compose(spec, text):
    def plain(value):  # what Compose's substitution leaves
        if isinstance(value, str):
            assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", value), f"a lone dollar sign in {value!r}"
            return value.replace("$$", "$")
        if isinstance(value, dict):
            return {plain(key): plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    document = plain(yaml.safe_load(text))
    service, = document["services"].values()
    same(list(document["services"]), ["notebook"], "services")
    same(service.get("user"), ids(spec), "user")
    same(service.get("group_add", []), [str(gid) for gid in spec["identity"]["supplemental_gids"]], "groups")
    same(service.get("environment", {}), spec["environment"], "environment")
    same(len(service["volumes"]), len(spec["mounts"]), "volumes")
    for got, mount in zip(service["volumes"], spec["mounts"]):
        same((got["target"], got["read_only"]), (mount["target"], mount["access"] == "ro"), "volume")
        if not is_nfs(mount):
            same((got["type"], got["source"]), ("bind", mount["source"]["path"]), "bind")
            continue
        same((got["type"], got["volume"]), ("volume", {"nocopy": True}), "volume")
        volume = document["volumes"][got["source"]]
        same((volume["driver"], volume["driver_opts"]), ("local", volume_options(mount)), "named volume")


def pv(spec, text):
    documents = list(yaml.safe_load_all(text))
    same(len(documents), 2 * len(spec["mounts"]), "documents")
    for volume, claim, mount in zip(documents[::2], documents[1::2], spec["mounts"]):
        same((volume["kind"], claim["kind"]), ("PersistentVolume", "PersistentVolumeClaim"), "kinds")
        inner = volume["spec"]
        same(inner["nfs"], {"server": mount["source"]["server"], "path": mount["source"]["export"]}, "nfs")
        same(",".join(inner["mountOptions"]), words(mount), "options")
        modes = ["ReadOnlyMany"] if mount["access"] == "ro" else ["ReadWriteMany"]
        same((inner["accessModes"], claim["spec"]["accessModes"]), (modes, modes), "modes")
        same((inner["storageClassName"], claim["spec"]["storageClassName"]), ("", ""), "class")
        same(inner["persistentVolumeReclaimPolicy"], "Retain", "reclaim policy")
        same((inner["claimRef"]["namespace"], inner["claimRef"]["name"]), ("jhub", claim["metadata"]["name"]), "claimRef")
        same(claim["metadata"]["namespace"], "jhub", "namespace")
        same(claim["spec"]["volumeName"], volume["metadata"]["name"], "volumeName")
        same(claim["spec"]["resources"]["requests"], inner["capacity"], "capacity")
        quantity = re.fullmatch(r"(\d+)(Mi|Gi|Ti|Pi|Ei)", inner["capacity"]["storage"])
        size = int(quantity[1]) << {"Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}[quantity[2]]
        limit = (mount["quota"] or {}).get("limit_bytes") or 1 << 40
        assert limit <= size < limit + (1 << 20), f"capacity {size} for {limit}"
        for scalar in scalars(volume), scalars(claim):
            assert all(isinstance(value, str) for value in scalar), "a scalar that is no text"


def scalars(value):
    if isinstance(value, dict):
        return [one for pair in value.items() for item in pair for one in scalars(item)]
    return [one for item in value for one in scalars(item)] if isinstance(value, list) else [value]


def dockerspawner(spec, text):
    def expand(value):  # DockerSpawner's own names; none may be hit
        return value.format(username="WRONG", servername="WRONG", raw_username="WRONG")

    document = json.loads(text)
    same(document["environment"], spec["environment"], "environment")
    same(document["extra_create_kwargs"].get("user"), ids(spec), "user")
    same(document["extra_host_config"].get("group_add", []), [str(gid) for gid in spec["identity"]["supplemental_gids"]], "groups")
    same(len(document["mounts"]), len(spec["mounts"]), "mounts")
    for got, mount in zip(document["mounts"], spec["mounts"]):
        same((expand(got["target"]), got["read_only"]), (mount["target"], mount["access"] == "ro"), "mount")
        if is_nfs(mount):
            same(got["driver_config"], {"Name": "local", "Options": volume_options(mount)}, "driver")
            same((got["type"], got["no_copy"]), ("volume", True), "volume")
        else:
            same((got["type"], expand(got["source"])), ("bind", mount["source"]["path"]), "bind")


def swarmspawner(spec, text):
    document = json.loads(text)
    container = document["extra_container_spec"]
    same(document["environment"], spec["environment"], "environment")
    same(container.get("user"), ids(spec), "user")
    same(container.get("groups", []), [str(gid) for gid in spec["identity"]["supplemental_gids"]], "groups")
    same(len(container["mounts"]), len(spec["mounts"]), "mounts")
    for got, mount in zip(container["mounts"], spec["mounts"]):
        same((got["Target"], got["ReadOnly"], got["Type"]), (mount["target"], mount["access"] == "ro", "volume"), "mount")
        same(got["VolumeOptions"]["DriverConfig"], {"Name": "local", "Options": volume_options(mount)}, "driver")


def variables(spec):
    out = {}
    for mount in spec["mounts"]:
        name = {"home": "NB_HOME", "dataset": "NB_DATASETS", "group": "NB_GROUPS", "scratch": "NB_SCRATCH",
                "snapshot": "NB_SNAPSHOTS"}[mount["kind"]]
        if mount["kind"] != "home":
            out[name] = f"{out[name]}:{mount['target']}" if name in out else mount["target"]
        elif name not in out:
            out[name] = mount["target"]
        if mount["kind"] == "home" and mount["quota"] and mount["quota"]["limit_bytes"]:
            out.setdefault("NB_HOME_LIMIT_BYTES", str(mount["quota"]["limit_bytes"]))
    return {**out, **spec["environment"]}


def env(spec, text):
    script = text + "/usr/bin/env -0\n"
    done = subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, env={}, check=True)
    got = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    same({key: value for key, value in got.items() if key != "PWD" and key != "_" or key in variables(spec)}, variables(spec), "variables")


def env_file(spec, text):
    same(dict(line.split("=", 1) for line in text.split("\n") if line), variables(spec), "variables")


def env_systemd(spec, text):
    got = {}
    for line in filter(None, text.split("\n")):
        name, value = line.split("=", 1)
        assert re.fullmatch(r'"([^"\\`$]|\\["\\`$])*"', value), f"not quoted: {value}"
        got[name] = re.sub(r"\\(.)", r"\1", value[1:-1])
    same(got, variables(spec), "variables")


def autofs(spec, text):
    def fields(line):  # autofs(5): blanks divide, a backslash takes the meaning of what follows
        assert not re.search(r"(?<!\\)(\\\\)*[&$#*\"]", line), f"something with a meaning in {line!r}"
        return [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\\ \t])+", line)]

    lines = [line for line in text.split("\n") if line and not line.startswith("# only on host ")]
    same(len(lines), len(spec["mounts"]), "entries")
    for line, mount in zip(lines, spec["mounts"]):
        if is_nfs(mount):
            wanted = [f"-fstype={fs_type(mount)},{words(mount)}", device(mount["source"])]
        else:
            wanted = [f"-fstype=bind,{mount['access']}", ":" + mount["source"]["path"]]
        same(fields(line), [host_path(spec, mount), *wanted], "entry")


def recorded(text, tools):
    """The calls of a script, as lists of words; every tool succeeds, but nothing is mounted anywhere."""
    say = "".join(f"{tool}() {{ printf '%s\\0' {tool} \"$@\"; printf '\\1\\0'; }}\n" for tool in tools)
    script = say + "findmnt() { return 1; }\nmountpoint() { return 0; }\n" + text
    done = subprocess.run(["/bin/sh", "-e"], input=script.encode(), capture_output=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    return [call.split("\0")[:-1] for call in done.stdout.decode().split("\1\0") if call]


def mount_commands(spec, text):
    wanted = []
    for mount in spec["mounts"]:
        at = host_path(spec, mount)
        wanted.append(["install", "-d", "-m", "0755", "--", at])
        if is_nfs(mount):
            wanted.append(["mount", "-t", fs_type(mount), "-o", words(mount), "--", device(mount["source"]), at])
            continue
        wanted.append(["mount", "--bind", "--", mount["source"]["path"], at])
        if mount["access"] == "ro":
            wanted.append(["mount", "-o", "remount,bind,ro", "--", at])
    same(recorded(text, ("install", "mount")), wanted, "calls")


def umount_commands(spec, text):
    same(recorded(text, ("umount",)), [["umount", "--", host_path(spec, mount)] for mount in reversed(spec["mounts"])], "calls")


def unit_name(path):
    out = ""
    for index, char in enumerate(path[1:].encode()):
        plain = chr(char).isascii() and (chr(char).isalnum() or chr(char) in "_:." and not (index == 0 and char == 46))
        out += "-" if char == 47 else chr(char) if plain else f"\\x{char:02x}"
    return out


def systemd(spec, text):
    units = re.split(r"(?m)^# (\S+\.(?:mount|automount))\n", text)
    same(units[0], "", "before the first unit")
    found = {}
    for name, body in zip(units[1::2], units[2::2]):
        keys = {}
        for line in body.split("\n"):
            if line and not line.startswith("["):
                key, value = line.split("=", 1)
                assert not re.search(r"(?<!%)(%%)*%(?!%)", value) and not value.endswith("\\"), f"{line!r}"
                keys[key] = value.replace("%%", "%")
        found[name] = keys
    for mount in spec["mounts"]:
        at = host_path(spec, mount)
        unit = found.pop(unit_name(at) + ".mount")
        same(unit["Where"], at, "Where")
        if is_nfs(mount):
            same((unit["What"], unit["Type"], unit["Options"]), (device(mount["source"]), fs_type(mount), words(mount) + ",_netdev"), "unit")
        else:
            same((unit["What"], unit["Type"], unit["Options"]), (mount["source"]["path"], "none", f"bind,{mount['access']}"), "unit")
            same(unit["ConditionHost"], mount["source"]["host"], "host")
        same(found.pop(unit_name(at) + ".automount")["Where"], at, "automount")
    same(found, {}, "units left over")


def systemdspawner(spec, text):
    def sides(word):
        return [re.sub(r"\\(.)", r"\1", side) for side in re.findall(r"(?:\\.|[^\\:])+", word)]

    document = json.loads(text)
    same(document["environment"], spec["environment"], "environment")
    got = {}
    for access, name in (("rw", "BindPaths"), ("ro", "BindReadOnlyPaths")):
        value = document["unit_extra_properties"].get(name, "").format(USERNAME="WRONG", USERID="WRONG")
        got[access] = [sides(word) for word in re.findall(r"(?:\\.|[^\\ ])+", value)]
    wanted = {"rw": [], "ro": []}
    for mount in spec["mounts"]:
        source = host_path(spec, mount) if is_nfs(mount) else mount["source"]["path"]
        wanted[mount["access"]].append([source, mount["target"]])
    same(got, wanted, "binds")


CHECKS = {"autofs": autofs, "compose": compose, "dockerspawner": dockerspawner, "env": env, "env-file": env_file,
          "env-systemd": env_systemd, "mount": mount_commands, "pv": pv, "swarmspawner": swarmspawner, "systemd": systemd,
          "systemdspawner": systemdspawner, "umount": umount_commands}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        batch = json.load(file)
    wrong = 0
    for row in batch:
        try:
            CHECKS[row["format"]](row["spec"], row["text"])
        except (AssertionError, KeyError, ValueError, IndexError, TypeError, subprocess.SubprocessError, yaml.YAMLError) as error:
            wrong += 1
            print(row["format"], row["name"], repr(error)[:600])
    print(f"checked {len(batch)}")
    sys.exit(1 if wrong else 0)


main()
