"""Clients that hold on to what they have while directors come and go: idle connections, downloads, datagrams."""

import sys

from .client import HELPERS, Talker, digest
from .host import Failure


class Idle(Talker):
    """Many connections that say nothing until they are asked whether they go on."""

    def __init__(self, host, address, count):
        super().__init__(host, "holding", address, str(count))
        self.count = count
        self.hear()
        print(f"  {count} connections are open, and idle")

    def expect(self, what):
        answer = self.ask()
        print(f"  {what}: {answer}")
        if answer != f"{self.count} of {self.count} go on":
            raise Failure(f"{what}: {answer}")


class Downloads(Talker):
    """Many downloads side by side, each at a rate in bytes a second."""

    def __init__(self, host, address, count, rate, payload):
        super().__init__(host, "downloads", address, str(count), str(rate), digest(payload))
        self.count = count
        print(f"  {self.hear()} downloads of {payload.stat().st_size:,} bytes, {rate / 1e6:g} MB/s each")

    @property
    def are_running(self):
        return self.process.poll() is None

    def expect_whole(self):
        answer = self.hear()
        print(f"  downloads: {answer}")
        if answer != f"{self.count} whole":
            raise Failure(f"downloads: {answer}")
        self.close()


PORT = "5300"


def start_echo(host, address):
    """Answers datagrams to an address of the host, from that address."""
    tool = (sys.executable, str(HELPERS / "datagrams.py"))
    host.start(*tool, "answer", PORT, address, log=f"{host.name}-echo.log")


class Pulse(Talker):
    """One flow of datagrams, 200 a second, and the longest time without an answer."""

    def __init__(self, host, address):
        super().__init__(host, "pulse", address, PORT)

    def pause(self):
        """Seconds of the longest pause since the last call."""
        return int(self.ask()) / 1000
