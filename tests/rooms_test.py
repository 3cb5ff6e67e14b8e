#!/usr/bin/env python3
"""Checks that the rooms keep their direction: nfsbackend <- cache <- fused.

Includes go that way only, each third-party library is included in one room only, and the CMake targets link in the same
direction. --check looks at the tree it is run in; --self-test plants violations and expects to find each of them.
"""

import pathlib
import re
import sys
import tempfile

# What a room may include of the project, and which third-party headers belong to one room alone.
ALLOWED = {
    "nfsbackend": {"nfsbackend"},
    "cache": {"nfsbackend", "cache"},
    "fused": {"nfsbackend", "cache", "fused"},
}
OWNED = [
    (re.compile(r"^nfsc/"), "nfsbackend"),
    (re.compile(r"^rocksdb/"), "cache"),
    (re.compile(r"^(fuse3?/)?(fuse|fuse_\w+|cuse_\w+)\.h$|^linux/fuse\.h$"), "fused"),
]
# Targets that a room's CMakeLists.txt must not name.
FORBIDDEN_LINKS = {
    "nfsbackend": ["cache", "fused_program", "PkgConfig::FUSE3", "RocksDB", "rocksdb"],
    "cache": ["fused_program", "PkgConfig::FUSE3", "PkgConfig::LIBNFS"],
    "fused": ["PkgConfig::LIBNFS", "RocksDB", "rocksdb"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
LINK = re.compile(r"target_link_libraries\s*\(([^)]*)\)")


def include_fault(room, header):
    """Why this room may not include this header, or None."""
    for pattern, owner in OWNED:
        if pattern.search(header) and room != owner:
            return f"{header} belongs to {owner}/ alone"
    first = header.split("/")[0]
    if first in ALLOWED and first not in ALLOWED[room]:
        return f"{room}/ must not know {first}/"
    if first in ("tests", "helm", "scripts"):
        return f"the program must not know {first}/"
    if "/../" in f"/{header}":
        return "includes are written from the top of the tree"
    return None


def faults(tree):
    """All violations below this tree, one line each."""
    found = []
    for room in ALLOWED:
        for path in sorted((tree / room).rglob("*")):
            if path.suffix not in (".h", ".cc", ".c"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                reason = match and include_fault(room, match.group(1))
                if reason:
                    found.append(f"{path.relative_to(tree)}:{number}: {reason}")
        cmake = tree / room / "CMakeLists.txt"
        for call in LINK.findall(cmake.read_text()) if cmake.exists() else []:
            words = call.split()
            found += [
                f"{room}/CMakeLists.txt: {words[0]} must not link {word}"
                for word in words[1:]
                if word in FORBIDDEN_LINKS[room]
            ]
    return found


PLANTED = [
    ("nfsbackend/a.h", '#include "cache/file_system.h"\n'),
    ("nfsbackend/b.cc", '#include "fused/operations.h"\n'),
    ("cache/a.cc", '#include "fused/operations.h"\n'),
    ("cache/b.cc", "#include <nfsc/libnfs.h>\n"),
    ("cache/c.cc", "#include <fuse_lowlevel.h>\n"),
    ("fused/a.cc", "  #  include <nfsc/libnfs-raw.h>\n"),
    ("fused/b.cc", "#include <rocksdb/db.h>\n"),
    ("nfsbackend/c.cc", "#include <linux/fuse.h>\n"),
    ("cache/d.cc", '#include "tests/support/fake_server.h"\n'),
    ("cache/e.cc", '#include "cache/../fused/operations.h"\n'),
    ("nfsbackend/CMakeLists.txt", "target_link_libraries(nfsbackend PUBLIC cache)\n"),
    ("cache/CMakeLists.txt", "target_link_libraries(cache PUBLIC nfsbackend\n  PRIVATE PkgConfig::FUSE3)\n"),
]
INNOCENT = [
    ("fused/ok.cc", '#include "cache/file_system.h"\n#include "nfsbackend/client.h"\n#include <fuse_lowlevel.h>\n'),
    ("cache/ok.cc", '#include "nfsbackend/client.h"\n#include <rocksdb/db.h>\n// #include <nfsc/libnfs.h>\n'),
    ("nfsbackend/ok.h", "#include <nfsc/libnfs.h>\n#include <vector>\n"),
]


def self_test():
    problems = []
    for name, text in PLANTED + INNOCENT:
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory)
            for room in ALLOWED:
                (tree / room).mkdir()
            (tree / name).write_text(text)
            expected = (name, text) in PLANTED
            if bool(faults(tree)) != expected:
                problems.append(f"{name}: {'missed' if expected else 'wrongly refused'}: {text.strip()}")
    return problems


def main():
    problems = self_test() if "--self-test" in sys.argv else faults(pathlib.Path.cwd())
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
