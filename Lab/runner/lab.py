"""The lab as a whole: which hosts stand, where their files lie, how all of it goes away."""

import importlib
import os
import pathlib
import shutil
import signal
import subprocess

from .director import Director
from .host import Failure, Host

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATE = pathlib.Path("/var/lib/lvs-lab")


class Lab:
    """Hosts whose name spaces share a prefix, and a directory for what their processes write."""

    def __init__(self, prefix):
        if not prefix or len(prefix) > 40 or not prefix.replace("-", "").isalnum():
            raise Failure(f"a prefix is made of letters, digits and '-', not {prefix!r}")
        self.prefix = prefix
        self.directory = STATE / prefix.rstrip("-")
        self.binaries = find_binaries()
        self.path = os.pathsep.join([*self.binaries, os.environ.get("PATH", os.defpath)])
        self.hosts = {}
        self.directors = []
        # Whether processes of the hosts come before everything else on the machine: for labs that measure.
        self.is_urgent = False

    def file(self, name):
        return self.directory / name

    # Standing and falling

    def expect_free(self):
        """Refuses to begin where another lab stands; to be asked before anything that ends with `clear`."""
        if self.directory.exists():
            raise Failure(
                f"a lab with the prefix {self.prefix} stands already:"
                " take it down (Lab/lab down) or choose another prefix (LAB_PREFIX)"
            )

    def build(self, topology):
        """Makes the hosts of a topology and the cables between them."""
        self.directory.mkdir(parents=True, mode=0o755)
        importlib.import_module(f"topologies.{topology}").build(self)

    def add(self, name):
        """A new host; its name is noted first, so that `down` finds it whatever happens next."""
        host = Host(self, name)
        host.create()
        self.hosts[name] = host
        with open(self.file("hosts"), "a", encoding="utf-8") as notes:
            notes.write(name + "\n")
        return host

    def host(self, name):
        if name not in self.hosts:
            known = ", ".join(self.hosts) or "none: no lab stands (Lab/lab up routed)"
            raise Failure(f"no host is called {name}; hosts: {known}")
        return self.hosts[name]

    def adopt(self):
        """Finds the hosts of a lab that an earlier command left standing."""
        if self.file("hosts").exists():
            names = self.file("hosts").read_text(encoding="utf-8").split()
            self.hosts = {name: Host(self, name) for name in names}
        return self

    def clear(self):
        """Takes everything down. Whoever is impatient now would leave half of it behind."""
        patient = {
            which: signal.signal(which, signal.SIG_IGN)
            for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            for host in self.hosts.values():
                host.destroy()
            self.hosts = {}
            self.directors = []
            if self.directory.exists():
                shutil.rmtree(self.directory)
        finally:
            for which, handler in patient.items():
                signal.signal(which, handler)

    # What runs on it

    def director(self, name="director", **options):
        """Starts a director on the host of that name and waits until it answers."""
        director = Director(self.host(name), **options)
        self.directors.append(director)
        director.start()
        return director

    def compile(self, source):
        """Compiles one of the lab's own C programs, a file or a directory of files; returns the path of the result."""
        result = self.file(pathlib.Path(source).stem)
        if not result.exists():
            place = ROOT / "Lab" / source
            files = sorted(place.glob("*.c")) if place.is_dir() else [place]
            done = subprocess.run(
                ["cc", "-std=gnu11", "-O2", "-Wall", "-o", result, *files],
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                raise Failure(f"cc {source}:\n{done.stderr}")
        return str(result)


def find_binaries():
    """Directories to look for director and directorctl in, before PATH."""
    chosen = os.environ.get("DIRECTOR_BIN")
    if chosen:
        path = pathlib.Path(chosen).resolve()
        return [str(path if path.is_dir() else path.parent)]
    built = ROOT / ".build" / "release"
    return [str(built)] if (built / "director").exists() else []
