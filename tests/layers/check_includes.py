#!/usr/bin/env python3
"""Holds the sources to the layers: who may include whom, which calls have one home, how long a file may be.

  check_includes.py [--root DIR]   prints every offence as FILE:LINE: text, exit 1 when there is one
  check_includes.py --self-test    checks this script against made-up bad trees

The picture is in ARCHITECTURE.md. To add a folder, add it to ALLOWED; an include that points the wrong way means that
the code is in the wrong folder, or that an interface is missing.
"""

import argparse
import pathlib
import re
import sys
import tempfile

BASE = "provisioner/base"

# Folder -> what it may include (folders, or single headers). The longest prefix wins; a folder may always include
# itself; main.cpp wires everything and is exempt, and so are api/service.cpp and its settings, which api/main.cpp runs.
ALLOWED = {
    BASE: [],
    "policies": [BASE],
    "drivers/core": [BASE],
    "drivers": ["drivers/core", BASE],
    "drivers/flashblade": ["drivers/core", "drivers/http", "drivers/nfs/nfs_driver_factory.h", "drivers/nfs/nfs_server.h",
                           "provisioner/config/secrets.h", BASE],
    "drivers/btrfs": ["drivers/core", "drivers/local/handle_tree.h", "drivers/exporter/exporter_factory.h", BASE],
    # An array of its own: it knows nothing of the driver that talks to it.
    "drivers/flashblade/sim": ["provisioner/config/yaml_document.h", BASE],
    "drivers/registry": ["drivers", BASE],
    "drivers/identity": ["provisioner/core/ports", "provisioner/config/secrets.h", "provisioner/config/yaml_document.h", BASE],
    "drivers/hub": ["provisioner/core/ports", "drivers/http", "provisioner/config/secrets.h", BASE],
    "drivers/kubernetes": ["provisioner/core/ports", "drivers/http", "provisioner/config/secrets.h",
                           "provisioner/config/kubernetes_settings.h", BASE],
    "provisioner/config": [BASE],
    "provisioner/render": [BASE],
    "provisioner/store": [BASE],
    # Work on trees of files that the service and the command share.
    "provisioner/trees": ["drivers/core", BASE],
    "provisioner/core": ["policies", "drivers/core", "provisioner/render", "provisioner/store", "provisioner/trees", BASE],
    "api": ["provisioner/core", "provisioner/render", "provisioner/config", "policies", "provisioner/store/records.h",
            "provisioner/store/store.h", "drivers/core/types.h", BASE],
    "cli": ["provisioner/render", "provisioner/config/yaml_document.h", "policies/spawner_names.h", "policies/home_pattern.h",
            "provisioner/trees", "drivers/core", BASE],
}
COMPOSITION_ROOTS = {"api/service.cpp", "api/service_settings.h", "api/service_settings.cpp"}
SOURCE_FOLDERS = ["provisioner", "drivers", "policies", "api", "cli"]

# (pattern, where it may stand, what to do instead). Comments and texts in quotes are not looked at.
WORDS = [
    (r"system_clock::now", [r"provisioner/base/system_clock\.cpp", r"tests/"], "take the time from Clock"),
    (r"steady_clock::now", [r"provisioner/base/system_clock\.cpp", r"tests/"], "take the time from Clock"),
    (r"\brandom_device\b", [], "take chance from IdSource"),
    (r"\bthis_thread::sleep_|\b(usleep|nanosleep)\s*\(|(?<![\w.>:])::sleep\s*\(", [r"tests/support/"],
     "wait with Clock::sleep_for, or on a condition"),
    (r"using\s+namespace\s+std\s*;", [], "name what you use"),
    (r"\bcatch\s*\(\s*\.\.\.", [r".*/main\.cpp", r"provisioner/store/memory_store\.cpp"], "translate the library's own exceptions at the boundary"),
]
INCLUDES = [
    (r"^(SQLiteCpp/|sqlite3\.h)", [r"provisioner/store/", r"tests/"], "only provisioner/store knows SQL"),
    (r"^nfsc/", [r"drivers/nfs/", r"tests/"], "only drivers/nfs calls libnfs"),
    (r"^(ldap|openldap|lber|pwd|grp)\.h$", [r"drivers/identity/", r"tests/"], "only drivers/identity asks directories"),
    (r"^boost/(beast|asio)", [r"api/[^/]*\.cpp", r"api/http_[^/]*\.h", r"cli/http_client[^/]*", r"drivers/http/",
                             r"drivers/flashblade/sim/http_server\.cpp", r"tests/"],
     "Beast and Asio stay in few translation units: hide them behind a header of ours"),
    (r"^yaml-cpp/", [r"provisioner/config/", r"tests/"], "read YAML with provisioner/config/yaml_document.h"),
    (r"^(spdlog|fmt)/", [r"provisioner/base/"], "log with provisioner/base/log.h"),
    (r"^prometheus/", [r"provisioner/base/"], "count with provisioner/base/metrics.h"),
]

MAX_LINES = {".h": 250, ".cpp": 550}
# Longer files, with the length they have. May only shrink: a file that got shorter must be entered anew, one within the
# limit must go.
TOO_LONG = {}

# What no file of the project mentions: the machines it was made on, and the places packages come from.
MENTIONS = re.compile(
    r"/work/(main|shared)|/tmp/hp/"
    r"|\b(pypi\.org|pythonhosted\.org|crates\.io|registry\.npmjs\.org|proxy\.golang\.org|deb\.debian\.org|conda\.anaconda\.org)\b")
TEXT_SUFFIXES = {".h", ".cpp", ".py", ".sh", ".md", ".txt", ".yaml", ".yml", ".json", ".cmake", ".service", ".conf", ".csv", ""}
SKIPPED_FOLDERS = {".git", "build", ".cache", ".quickstart", "__pycache__"}


def without_comments_and_texts(source):
    """The same number of lines, with comments and literals blanked."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    # A digit separator (10'000) is not the start of a character.
    source = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", source)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), source)


def matches(path, places):
    return any(re.match(place + ("" if place.endswith("/") or place.endswith(".*") else "$"), path) for place in places)


def owner(path):
    folder = str(pathlib.PurePosixPath(path).parent)
    while folder not in ("", "."):
        if folder in ALLOWED:
            return folder
        folder = str(pathlib.PurePosixPath(folder).parent)
    return None


def allowed(path, included):
    home = owner(path)
    # A driver without an entry of its own is still a folder of its own.
    own = "/".join(path.split("/")[:2]) if home == "drivers" else home
    if included.startswith(own + "/") and owner(included) == home:
        return True
    for target in ALLOWED[home]:
        if included == target or included.startswith(target + "/"):
            return True
    return False


def check_source(path, text):
    is_product = path.split("/")[0] in SOURCE_FOLDERS
    if is_product and owner(path) is None:
        yield 1, "stands in a folder that is not in ALLOWED"
        return
    exempt = pathlib.PurePosixPath(path).name == "main.cpp" or path in COMPOSITION_ROOTS
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not found:
            continue
        kind, included = found.groups()
        for pattern, places, advice in INCLUDES:
            if re.search(pattern, included) and not matches(path, places):
                yield number, f"includes <{included}>: {advice}"
        if kind != '"' or exempt or not is_product:
            continue
        if "/" not in included:
            yield number, f'includes "{included}" without its folder'
        elif included.split("/")[0] == "tests":
            yield number, f"includes {included}: a product never includes its tests"
        elif not allowed(path, included):
            yield number, f"includes {included}: {owner(path)} may only know {', '.join(ALLOWED[owner(path)]) or 'itself'}"
    code = without_comments_and_texts(text)
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, places, advice in WORDS:
            if re.search(pattern, line) and not matches(path, places):
                yield number, f"'{re.search(pattern, line).group(0).strip()}': {advice}"


def check_length(path, text, too_long):
    limit = MAX_LINES[pathlib.PurePosixPath(path).suffix]
    lines = text.count("\n")
    if path in too_long:
        if lines <= limit:
            yield 1, f"is within {limit} lines again: take it off TOO_LONG"
        elif lines != too_long[path]:
            yield 1, f"has {lines} lines, TOO_LONG says {too_long[path]}: " + ("split it" if lines > too_long[path] else "enter the new number")
    elif lines > limit:
        yield 1, f"has {lines} lines, the limit is {limit}: split it"


def files(root):
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not path.is_symlink() and not SKIPPED_FOLDERS & set(relative.parts):
            yield path, str(relative)


def check(root, too_long):
    offences = []
    seen = set()
    for path, name in files(root):
        if path.suffix not in TEXT_SUFFIXES:
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        seen.add(name)
        found = []
        if path.suffix in MAX_LINES and name.split("/")[0] in SOURCE_FOLDERS + ["tests"]:
            found += check_source(name, text)
            found += check_length(name, text, too_long)
        if name != "tests/layers/check_includes.py":
            for number, line in enumerate(text.splitlines(), 1):
                if MENTIONS.search(line):
                    found.append((number, f"mentions '{MENTIONS.search(line).group(0)}'"))
        offences += [f"{name}:{number}: {what}" for number, what in found]
    offences += [f"{name}:1: is on TOO_LONG and does not exist" for name in too_long if name not in seen]
    return offences


# Self-test: (name, {file: text}, too_long, what must be said; None: nothing).
CASES = [
    ("good tree", {"provisioner/base/a.h": "#include <string>\n", "policies/p.cpp": '#include "provisioner/base/a.h"\n'}, {}, None),
    ("base includes core", {"provisioner/base/a.h": '#include "provisioner/core/c.h"\n'}, {}, "may only know itself"),
    ("policy includes a driver", {"policies/p.cpp": '#include "drivers/core/types.h"\n'}, {}, "policies may only know"),
    ("core includes a concrete driver", {"provisioner/core/c.cpp": '#include "drivers/nfs/nfs_driver.h"\n'}, {}, "provisioner/core may only"),
    ("core includes config", {"provisioner/core/c.cpp": '#include "provisioner/config/config.h"\n'}, {}, "provisioner/core may only"),
    ("driver includes another", {"drivers/nfs/n.cpp": '#include "drivers/memory/m.h"\n'}, {}, "drivers may only know"),
    ("driver includes the registry", {"drivers/nfs/n.cpp": '#include "drivers/registry/r.h"\n'}, {}, "drivers may only know"),
    ("the simulator includes the driver", {"drivers/flashblade/sim/s.cpp": '#include "drivers/flashblade/session.h"\n'}, {}, "drivers/flashblade/sim may only"),
    ("the driver includes the simulator", {"drivers/flashblade/f.cpp": '#include "drivers/flashblade/sim/table.h"\n'}, {}, "drivers/flashblade may only"),
    ("identity includes its port", {"drivers/identity/i.h": '#include "provisioner/core/ports/identity.h"\n'}, {}, None),
    ("identity includes the core", {"drivers/identity/i.cpp": '#include "provisioner/core/homes.h"\n'}, {}, "drivers/identity may only"),
    ("kubernetes includes its client and its port", {"drivers/kubernetes/k.h": '#include "drivers/http/client.h"\n#include "provisioner/core/ports/cluster.h"\n'}, {}, None),
    ("kubernetes includes the core", {"drivers/kubernetes/k.cpp": '#include "provisioner/core/catalog.h"\n'}, {}, "drivers/kubernetes may only"),
    ("libldap outside", {"provisioner/core/c.cpp": "#include <ldap.h>\n"}, {}, "only drivers/identity"),
    ("registry includes all", {"drivers/registry/r.cpp": '#include "drivers/nfs/n.h"\n#include "drivers/core/types.h"\n'}, {}, None),
    ("cli includes core", {"cli/home.cpp": '#include "provisioner/core/homes.h"\n'}, {}, "cli may only know"),
    ("api includes the driver interface", {"api/a.cpp": '#include "drivers/core/storage_driver.h"\n'}, {}, "api may only know"),
    ("api includes the driver types", {"api/a.cpp": '#include "drivers/core/types.h"\n'}, {}, None),
    ("api opens stores", {"api/a.cpp": '#include "provisioner/store/open.h"\n'}, {}, "api may only know"),
    ("main wires", {"api/main.cpp": '#include "provisioner/store/open.h"\n'}, {}, None),
    ("store includes render", {"provisioner/store/s.h": '#include "provisioner/render/r.h"\n'}, {}, "provisioner/store may only"),
    ("unknown folder", {"provisioner/new/n.h": "\n"}, {}, "not in ALLOWED"),
    ("no folder", {"policies/p.cpp": '#include "p.h"\n'}, {}, "without its folder"),
    ("tests in the product", {"api/a.cpp": '#include "tests/support/x.h"\n'}, {}, "never includes its tests"),
    ("system clock", {"api/a.cpp": "auto t = std::chrono::system_clock::now();\n"}, {}, "take the time from Clock"),
    ("steady clock", {"drivers/nfs/n.cpp": "auto t = std::chrono::steady_clock::now();\n"}, {}, "take the time from Clock"),
    ("clock in a comment", {"api/a.cpp": '// no steady_clock::now here\nauto s = "random_device";\n'}, {}, None),
    ("clock after a digit separator", {"api/a.cpp": "int x = 10'000; auto t = steady_clock::now(); int y = 1'0;\n"}, {}, "from Clock"),
    ("clock at home", {"provisioner/base/system_clock.cpp": "std::chrono::system_clock::now();\n"}, {}, None),
    ("random device", {"provisioner/base/x.cpp": "std::random_device d;\n"}, {}, "IdSource"),
    ("sleep", {"cli/w.cpp": "std::this_thread::sleep_for(1s);\n"}, {}, "Clock::sleep_for"),
    ("usleep", {"cli/w.cpp": "usleep(10);\n"}, {}, "Clock::sleep_for"),
    ("sleep of the clock", {"cli/w.cpp": "clock.sleep_for(1s, stop);\n"}, {}, None),
    ("sleep in a test", {"tests/unit/a_test.cpp": "std::this_thread::sleep_for(1s);\n"}, {}, "Clock::sleep_for"),
    ("literals", {"tests/unit/a_test.cpp": "using namespace std::chrono_literals;\n"}, {}, None),
    ("using namespace std", {"tests/unit/a_test.cpp": "using namespace std;\n"}, {}, "name what you use"),
    ("catch all", {"api/a.cpp": "try { f(); } catch (...) {}\n"}, {}, "translate the library's own"),
    ("SQL outside the store", {"provisioner/core/c.cpp": "#include <SQLiteCpp/SQLiteCpp.h>\n"}, {}, "only provisioner/store knows SQL"),
    ("SQL in main", {"api/main.cpp": "#include <sqlite3.h>\n"}, {}, "only provisioner/store knows SQL"),
    ("libnfs outside", {"cli/walk.cpp": "#include <nfsc/libnfs.h>\n"}, {}, "only drivers/nfs"),
    ("Beast in a header", {"api/routes.h": "#include <boost/beast/core.hpp>\n"}, {}, "few translation units"),
    ("Asio in core", {"provisioner/core/c.cpp": "#include <boost/asio.hpp>\n"}, {}, "few translation units"),
    ("Beast where it may be", {"api/server.cpp": "#include <boost/beast.hpp>\n", "cli/http_client.cpp": "#include <boost/asio.hpp>\n"}, {}, None),
    ("YAML outside config", {"api/a.cpp": "#include <yaml-cpp/yaml.h>\n"}, {}, "yaml_document.h"),
    ("long header", {"api/a.h": "\n" * 251}, {}, "the limit is 250"),
    ("long source", {"api/a.cpp": "\n" * 551}, {}, "the limit is 550"),
    ("long and known", {"api/a.cpp": "\n" * 600}, {"api/a.cpp": 600}, None),
    ("long and grown", {"api/a.cpp": "\n" * 601}, {"api/a.cpp": 600}, "split it"),
    ("long and shrunk", {"api/a.cpp": "\n" * 580}, {"api/a.cpp": 600}, "enter the new number"),
    ("short again", {"api/a.cpp": "\n"}, {"api/a.cpp": 600}, "take it off"),
    ("gone", {"api/b.cpp": "\n"}, {"api/a.cpp": 600}, "does not exist"),
    ("path of a machine", {"README.md": "see /work/" + "main/README\n"}, {}, "mentions"),
    ("package host", {"examples/x.sh": "curl https://pypi" + ".org/simple\n"}, {}, "mentions"),
    ("build folder is not looked at", {"build/x/api.cpp": "using namespace std; /work/" + "main\n"}, {}, None),
]


def self_test():
    failed = 0
    for name, tree, too_long, wanted in CASES:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in tree.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            said = check(root, too_long)
        good = not said if wanted is None else len(said) == 1 and wanted in said[0]
        if not good:
            failed += 1
            print(f"{name}: wanted {wanted!r}, got {said}")
    print(f"{len(CASES) - failed} of {len(CASES)} cases passed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    offences = check(arguments.root, TOO_LONG)
    for offence in offences:
        print(offence)
    print(f"{len(offences)} offences" if offences else "every include points down")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
