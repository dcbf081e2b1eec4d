"""Command line: plays scenes and keeps what the director received, what it sent, its rules and its network."""

import os
import sys

from runner.host import Failure
from runner.lab import ROOT, Lab

from .scenes import SCENES
from .stage import Stage

FIXTURES = ROOT / "Tests" / "InstrumentsTests" / "Fixtures" / "lab"
# What a repository can carry without anybody minding.
LARGEST = 48 * 1024


def record(name):
    lab = Lab(os.environ.get("LAB_PREFIX") or "captures-")
    lab.expect_free()
    print(f"\n== {name}: {SCENES[name].__doc__.splitlines()[0]}")
    try:
        stage = Stage(lab)
        SCENES[name](stage)
        sizes = stage.keep(FIXTURES / name)
    except Failure:
        for director in lab.directors:
            print(director.told())
        raise
    finally:
        lab.clear()
    print("  " + ", ".join(f"{file}: {size}" for file, size in sizes.items()))
    if max(sizes.values()) > LARGEST:
        raise Failure(f"{name}: a capture is larger than {LARGEST} bytes")


def main():
    names = sys.argv[1:] or list(SCENES)
    for name in names:
        if name not in SCENES:
            raise Failure(f"no scene is called {name}; there are: {', '.join(SCENES)}")
    for name in names:
        record(name)


try:
    main()
except Failure as failure:
    sys.exit(f"Lab/captures/record: {failure}")
