"""Services as their unit files say, where there is no systemd: its command lines, environment and privileges."""

import os
import shlex
import signal
import socket

from .host import Failure, stop, until

UNITS = "/lib/systemd/system"


class Service:
    """A service that is installed on a host with files of its own."""

    def __init__(self, host, name):
        self.host = host
        self.name = name
        self.log = f"{host.name}-{name}.log"
        self.process = None
        self.settings = self.read()

    def read(self):
        """The section Service of the unit and what is dropped in beside it: a list of values for each key."""
        found = self.host.run(
            "sh", "-c", 'cat "$1"; if [ -d "$1.d" ]; then cat "$1.d"/*.conf; fi', "sh", f"{UNITS}/{self.name}.service"
        )
        settings, section = {}, None
        for line in found.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif section == "Service" and "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                # An empty value takes back the earlier ones.
                settings[key] = [*settings.get(key, []), value] if value else []
        return settings

    def words(self, key):
        """A command line of the unit in words, with the variables that it has from its environment file."""
        (line,) = self.settings[key]
        variables = {"MAINPID": str(self.process.pid if self.process else 0)}
        for path in self.settings.get("EnvironmentFile", []):
            text = self.host.attempt("cat", path.lstrip("-")).stdout
            for setting in text.splitlines():
                if "=" in setting and not setting.startswith("#"):
                    name, value = setting.split("=", 1)
                    variables[name] = " ".join(shlex.split(value))
        words = []
        for word in line.split():
            words += variables[word[1:]].split() if word.startswith("$") else [word]
        return words

    def confined(self):
        """What takes away the privileges that the unit does not leave."""
        (kept,) = self.settings.get("CapabilityBoundingSet", [""])
        if not kept:
            return []
        names = ",".join("+" + name.removeprefix("CAP_").lower() for name in kept.split())
        return ["setpriv", "--no-new-privs", f"--bounding-set=-all,{names}"]

    def start(self, ready=None, seconds=20):
        """Starts it and waits until it says itself that it is ready, or until `ready` is true where it tells only systemd."""
        for directory in self.settings.get("StateDirectory", []):
            self.host.run("install", "-d", "-m", "0700", f"/var/lib/{directory}")
        path = self.host.lab.file(f"{self.name}.notify")
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(path))
            listener.setblocking(False)
            self.host.say([*self.words("ExecStart"), "&"])
            # The process must be the service itself, as systemd has it: each of these becomes the next.
            self.process = self.host.start(
                *self.confined(), "env", f"NOTIFY_SOCKET={path}", *self.words("ExecStart"), log=self.log
            )
            until(lambda: ready() if ready else self.is_ready(listener), f"the service {self.name} to be ready", seconds)

    def is_ready(self, listener):
        if self.process.poll() is not None:
            raise Failure(f"the service {self.name} ended with status {self.process.returncode}:\n{self.told()}")
        try:
            return "READY=1" in listener.recv(4096).decode().splitlines()
        except BlockingIOError:
            return False

    def once(self, key="ExecStart"):
        """Runs a command of a service that does its work and ends."""
        return self.host.run(*self.words(key), show=True)

    def reload(self):
        self.host.run(*self.words("ExecReload"), show=True)

    def stop(self):
        status = stop(self.process)
        if status not in (0, -signal.SIGTERM):
            raise Failure(f"the service {self.name} ended with status {status}:\n{self.told()}")

    def lose(self):
        """An end without a chance to tidy up, as by a power failure."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def told(self):
        return self.host.lab.file(self.log).read_text(errors="replace")
