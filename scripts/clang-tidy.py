#!/usr/bin/env python3
"""clang-tidy over our own sources, with the compile commands of a build directory.

    scripts/clang-tidy.py [BUILD_DIR] [FILE_REGEX]      default: build/asan, every source of ours

A file that passed is checked again only when something it is made of has changed: the file, a header it includes, its
compile command, .clang-tidy or clang-tidy itself. What ninja knows of includes decides, so build first; a file that was
never built is always checked. BUILD_DIR/clang-tidy-passed.json remembers; without it everything is checked.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
OURS = re.compile(r"^(api|cli|drivers|policies|provisioner)/")
# clang does not know g++'s flags; a warning about them is not about the code. The analyzer looks at 75,000 states of a
# function at the most (its own default: 225,000), which takes a third of the time.
FLAGS = ["-Wno-unknown-warning-option", "-Xclang", "-analyzer-config", "-Xclang", "max-nodes=75000"]


def includes_of(build):
    """What each object was made of, from ninja's own log: {object: [files]}; empty without a build."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True)
    found, current = {}, None
    for line in listing.stdout.splitlines():
        if line.startswith("    "):
            found[current].append(line.strip())
        elif line.endswith("(VALID)"):
            current = line.split(": #deps")[0]
            found[current] = []
        else:
            current = None if not line else current
    return found


class Fingerprints:
    """Content for our own files, size and time for the system's."""

    def __init__(self, build):
        self.build = build
        self.files = {}
        tool = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
        self.base = tool + (TOP / ".clang-tidy").read_text() + " ".join(FLAGS)

    def of_file(self, name):
        path = pathlib.Path(os.path.normpath(self.build / name))
        if path not in self.files:
            if path.is_relative_to(TOP):
                self.files[path] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                state = path.stat()
                self.files[path] = f"{path} {state.st_size} {state.st_mtime_ns}"
        return self.files[path]

    def of(self, command, includes):
        parts = [self.base, command] + [self.of_file(name) for name in sorted(includes)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def object_of(entry):
    written = re.search(r" -o (\S+)", entry["command"])
    return written.group(1) if written else ""


def fingerprint(prints, entry, includes):
    if not includes:
        return None
    try:
        return prints.of(entry["command"], includes)
    except OSError:  # a header of the last build is gone
        return None


def check(build, source):
    return subprocess.run(
        ["clang-tidy", "--quiet", "-p", build, *(f"--extra-arg={flag}" for flag in FLAGS), source],
        cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def jobs():
    return min(2, os.cpu_count() or 1)  # a third one wants more memory than small machines have


def main(arguments):
    if any(word in ("-h", "--help") for word in arguments) or len(arguments) > 2:
        print(__doc__.strip())
        return 0 if len(arguments) <= 2 else 2
    build = TOP / (arguments[0] if arguments else "build/asan")
    wanted = re.compile(arguments[1] if len(arguments) > 1 else ".")
    try:
        commands = json.loads((build / "compile_commands.json").read_text())
    except OSError:
        print(f"clang-tidy: {build}/compile_commands.json is not there: configure first (cmake --preset asan)",
              file=sys.stderr)
        return 2

    entries = {}
    for entry in commands:
        path = pathlib.Path(entry["file"])
        name = str(path.relative_to(TOP)) if path.is_relative_to(TOP) else ""
        if OURS.match(name) and wanted.search(name):
            entries[name] = entry
    if not entries:
        print(f"clang-tidy: nothing matches '{wanted.pattern}'", file=sys.stderr)
        return 2

    includes, prints = includes_of(build), Fingerprints(build)
    memory = build / "clang-tidy-passed.json"
    try:
        passed = json.loads(memory.read_text())
    except (OSError, ValueError):
        passed = {}
    now = {name: fingerprint(prints, entry, includes.get(object_of(entry), [])) for name, entry in entries.items()}
    due = [name for name in sorted(entries) if now[name] is None or passed.get(name) != now[name]]
    print(f"clang-tidy: {len(entries)} files, {len(entries) - len(due)} of them passed as they are", flush=True)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs()) as pool:
        checks = {pool.submit(check, build, name): name for name in due}
        for done, future in enumerate(concurrent.futures.as_completed(checks), 1):
            name, result = checks[future], future.result()
            print(f"[{done}/{len(due)}] {name}", flush=True)
            if result.returncode != 0:
                failed += 1
                print(result.stdout, flush=True)
            elif now[name] is not None:
                passed[name] = now[name]
                memory.write_text(json.dumps(passed, indent=1))
    if failed:
        print(f"clang-tidy: {failed} files have findings", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
