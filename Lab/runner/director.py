"""Directors: starting, asking, stopping."""

import shutil
import signal
import subprocess

from .host import Failure, stop, until


class Director:
    """The program under test on one host."""

    def __init__(self, host, interfaces=(), options=(), control=None, cpu=None, under=()):
        self.host = host
        # All of it on one CPU, for labs that measure.
        self.bound = ("taskset", "-c", str(cpu)) if cpu is not None else ()
        # Words that start the program with other privileges or limits.
        self.under = under
        self.interfaces = interfaces
        # Without a path of its own it is found by its name space.
        self.control = ("--control", control) if control else ()
        self.options = (*self.control, *options)
        self.process = None

    def start(self):
        path = self.host.lab.path
        for program in ("director", "directorctl"):
            if not shutil.which(program, path=path):
                raise Failure(f"there is no {program} yet: build it with Lab/lab build, or set DIRECTOR_BIN")
        words = [word for name in self.interfaces for word in ("--interface", name)]
        command = [*self.bound, *self.under, "director", *words, *self.options]
        self.host.say([*command, "&"])
        self.process = self.host.start(*command, log=self.log)
        until(self.answers, f"the director on {self.host.name} to answer")

    @property
    def log(self):
        return f"{self.host.name}.log"

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(
                f"the director on {self.host.name} ended with status {self.process.returncode}:\n"
                + self.told()
            )
        return self.host.attempt("directorctl", *self.control, "-Ln").returncode == 0

    def told(self):
        """What it wrote so far."""
        path = self.host.lab.file(self.log)
        return path.read_text(errors="replace") if path.exists() else ""

    def ctl(self, line, show=True):
        """Runs directorctl with the words of one line, as one would type them."""
        return self.host.run("directorctl", *self.control, *line.split(), show=show)

    def configure(self, rules):
        """Gives the commands of a text, one a line; each begins like a command line of ipvsadm."""
        for line in rules.strip().splitlines():
            self.ctl(line.strip())

    def stop(self):
        """Ends it as an operator would; it must end well."""
        status = stop(self.process)
        if status != 0:
            raise Failure(f"the director ended with status {status} after SIGTERM:\n{self.told()}")

    def kill(self):
        """Ends it without a chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            raise Failure("the director survives SIGKILL") from None
