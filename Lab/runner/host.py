"""Hosts: network name spaces with interfaces, settings and processes."""

import os
import pathlib
import signal
import subprocess
import time


# What a lab that measures runs comes before what else the machine does. With a scheduler that groups processes by
# session, as Linux does by default, niceness counts inside of a group only: the group is put first.
FIRST = ("sh", "-c", "(echo -20 > /proc/self/autogroup) 2> /dev/null; exec nice -n -20 \"$@\"", "sh")


class Failure(Exception):
    """A lab that does not do what it should; the text is for the person at the terminal."""


class Skip(Exception):
    """What this machine does not have, so that a scenario cannot be played on it."""


class Host:
    """One machine of the lab."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.namespace = lab.prefix + name
        self.files = ()

    def create(self):
        done = subprocess.run(
            ["ip", "netns", "add", self.namespace], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failure(f"cannot make the name space {self.namespace}: {done.stderr.strip()}")
        # Link-local addresses at once, not when a second of duplicate detection is over. New name spaces
        # begin with the machine's own IPv4 settings, and a machine may be a router: these hosts are none.
        for setting in ("net.ipv6.conf.default.accept_dad=0", "net.ipv4.ip_forward=0"):
            self.attempt("sysctl", "-qw", setting)
        self.run("ip", "link", "set", "lo", "up")

    def inside(self, argv):
        """The command line that runs `argv` on this host."""
        return [*(FIRST if self.lab.is_urgent else ()), "ip", "netns", "exec", self.namespace, *self.files, *argv]

    def live_in(self, process, root):
        """Commands run below `root` from now on, as the mounts of a process show it."""
        self.files = ("nsenter", "-t", str(process), "-m", "chroot", root)

    def environment(self):
        # A socket path of the person who started us would lead every host to one director.
        kept = {name: value for name, value in os.environ.items() if name != "DIRECTOR_CONTROL"}
        return kept | {"PATH": self.lab.path}

    def say(self, argv):
        print(f"{self.name}# {' '.join(argv)}")

    def attempt(self, *argv, show=False, timeout=60, **options):
        """Runs a command to its end, whatever that is."""
        if show:
            self.say(argv)
        try:
            done = subprocess.run(
                self.inside(argv),
                stdin=None if "input" in options else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=timeout,
                env=self.environment(),
                start_new_session=True,
                **options,
            )
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: no end after {timeout} s: {' '.join(argv)}") from None
        if show and done.stdout:
            print(done.stdout, end="")
        return done

    def run(self, *argv, **options):
        """Runs a command that must succeed; returns what it printed."""
        done = self.attempt(*argv, **options)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise Failure(f"{self.name}: {' '.join(argv)}: exit status {done.returncode}\n{said}")
        return done.stdout

    def start(self, *argv, log=None, **options):
        """Starts a command that goes on; it ends at the latest with the lab."""
        if log:
            output = open(self.lab.file(log), "ab")
            options |= {"stdout": output, "stderr": output}
        process = subprocess.Popen(
            self.inside(argv),
            **({"stdin": subprocess.DEVNULL} | options),
            env=self.environment(),
            start_new_session=True,
        )
        if log:
            output.close()
        return process

    def set(self, **settings):
        """Writes kernel settings; `__` in a name stands for the dot."""
        for name, value in settings.items():
            self.run("sysctl", "-qw", f"net.ipv4.{name.replace('__', '.')}={value}")

    def set6(self, **settings):
        """The same for IPv6."""
        for name, value in settings.items():
            self.run("sysctl", "-qw", f"net.ipv6.{name.replace('__', '.')}={value}")

    def address(self, interface, *addresses):
        for address in addresses:
            self.run("ip", "address", "add", address, "dev", interface)
        self.run("ip", "link", "set", interface, "up")

    def gateway(self, address):
        family = "-6" if ":" in address else "-4"
        self.run("ip", family, "route", "replace", "default", "via", address)

    def processes(self):
        listed = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True
        )
        return [int(word) for word in listed.stdout.split()]

    def destroy(self):
        """Ends every process of the name space and removes it; interfaces go with it."""
        for which, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
            for process in self.processes():
                try:
                    os.kill(process, which)
                except ProcessLookupError:
                    pass
            deadline = time.monotonic() + patience
            while self.processes() and time.monotonic() < deadline:
                time.sleep(0.02)
        self.remove_tables()
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True)

    def remove_tables(self):
        """The connection tables of directors that were killed here and not started again."""
        try:
            number = os.stat(f"/run/netns/{self.namespace}").st_ino
        except FileNotFoundError:
            return
        for directory in ("/run/director", f"/dev/shm/director-{os.getuid()}"):
            pathlib.Path(directory, f"{number}.table").unlink(missing_ok=True)


def cable(one, one_interface, other, other_interface):
    """Joins two hosts by a pair of interfaces."""
    one.run(
        *("ip", "link", "add", "name", one_interface, "type", "veth"),
        *("peer", "name", other_interface, "netns", other.namespace),
    )
    one.run("ip", "link", "set", one_interface, "up")
    other.run("ip", "link", "set", other_interface, "up")


def until(condition, what, seconds=10.0):
    """Waits for a condition to give something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.05)


def stop(process, which=signal.SIGTERM, seconds=10.0):
    """Ends a process that we started and returns its exit status."""
    if process.poll() is None:
        process.send_signal(which)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Failure(f"process {process.pid} did not end within {seconds:g} s of {which.name}") from None
