"""Frames and connections by the lab's own program (Lab/traffic), and the clocks to judge them by."""

import json
import pathlib
import signal
import subprocess

from topologies.straight import CROWD, VIP, hardware

from .host import Failure, until


def traffic(host, command, *words, seconds=120):
    """Runs a command of the program to its end; returns what it counted."""
    return counted(host.run(host.lab.compile("traffic"), command, *map(str, words), timeout=seconds))


def counted(text):
    return json.loads(text.strip().splitlines()[-1])


class Background:
    """A command of the program that goes on until it is asked what it counted."""

    def __init__(self, host, command, *words, ready=None):
        self.host = host
        self.command = command
        self.process = host.start(
            *(host.lab.compile("traffic"), command, *map(str, words)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        if ready and self.process.stderr.readline().strip() != ready:
            raise Failure(f"traffic {command} on {host.name}: {self.process.stderr.read()}")

    def first_line(self):
        """What it says as soon as it is ready."""
        return json.loads(self.process.stdout.readline())

    def result(self, which=signal.SIGTERM, seconds=20):
        """Ends it, or with None waits for its end; returns what it counted."""
        if which is not None and self.process.poll() is None:
            self.process.send_signal(which)
        try:
            said, complaint = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"traffic {self.command} on {self.host.name} does not end") from None
        if self.process.returncode not in (0, 3) or not said.strip():
            raise Failure(f"traffic {self.command} on {self.host.name}: {complaint}")
        return counted(said)

    def stop(self):
        """Ends a command that counts nothing."""
        self.process.terminate()
        self.process.communicate(timeout=20)


def crowd(host, addresses, flows, port, to=VIP, **options):
    """Words of the flows that come from the crowd's addresses, for any command on frames."""
    named = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    words = ["--interface", "eth0", "--from", CROWD, "--addresses", addresses, "--flows", flows, "--port", port]
    gateway = hardware(host.lab.host("director"), "eth0")
    return [*words, "--to", to, "--hardware", gateway, *(word for word in named if word is not True)]


def received(host, interface="eth0"):
    """Frames that an interface got so far."""
    (link,) = json.loads(host.run("ip", "-j", "-s", "link", "show", interface))
    return link["stats64"]["rx"]["packets"]


def cpu_seconds(processes):
    """CPU that processes have used so far, with all their threads, in nanoseconds' precision."""
    total = 0
    for process in processes:
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except (OSError, IndexError):
                pass
    return total / 1e9


def resident_bytes(processes):
    """Memory that processes have at the moment."""
    total = 0
    for process in processes:
        for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def steer(host, cpu, interfaces=("eth0", "eth1")):
    """Has one CPU do the receive work of a host's interfaces (RPS), as a card's interrupt would."""
    for interface in interfaces:
        path = f"/sys/class/net/{interface}/queues/rx-0/rps_cpus"
        host.run("sh", "-c", f"echo {1 << cpu:x} > {path}")


def listening(host, port, transport="tcp"):
    """Waits until somebody serves a port."""
    option = "-ltn" if transport == "tcp" else "-lun"
    until(lambda: f":{port} " in host.run("ss", option), f"port {port} of {host.namespace} to be served")
