"""The project's Debian packages, made of the programs that a lab uses."""

import hashlib
import os
import pathlib
import shutil
import subprocess

from .host import Failure
from .lab import ROOT

PACKAGING = ROOT / "Lab" / "packaging"


def programs(lab):
    """Where the programs are that this lab uses."""
    found = shutil.which("director", path=lab.path)
    if not found:
        raise Failure("there is no director yet: build it with Lab/lab build, or set DIRECTOR_BIN")
    return pathlib.Path(found).resolve().parent


def make(lab, into):
    """Makes the packages; returns their paths by name of the package."""
    done = subprocess.run(
        [ROOT / "Lab" / "package", "--ready", "--into", into],
        env=os.environ | {"DIRECTOR_BIN": str(programs(lab))},
        capture_output=True,
        text=True,
    )
    print(done.stdout, end="")
    if done.returncode != 0:
        raise Failure(f"Lab/package: {done.stderr}")
    return found(into)


def ready(lab):
    """The packages of these programs and files, made once."""
    signs = hashlib.sha256()
    for path in sorted([*programs(lab).glob("*director*"), *PACKAGING.rglob("*"), ROOT / "Lab" / "package"]):
        if path.is_file():
            signs.update(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}\n".encode())
    into = ROOT / ".build" / "packages-of-the-lab" / signs.hexdigest()[:16]
    if not found(into):
        shutil.rmtree(into.parent, ignore_errors=True)
        make(lab, into)
    return found(into)


def found(directory):
    return {path.name.split("_")[0]: path for path in sorted(directory.glob("*.deb"))}
