"""directorctl top on a terminal: draws, is resized, outlives its director, and leaves the terminal as it was."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

from runner.client import get
from runner.host import Failure

from . import nat


class Screen:
    """`directorctl top` in a terminal of its own."""

    def __init__(self, host, *words):
        self.master, self.slave = pty.openpty()
        self.resize(24, 100)
        self.before = termios.tcgetattr(self.slave)
        self.told = ""
        # A session of its own, whose terminal this is: otherwise it hears of no resize.
        claim = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
        streams = {name: self.slave for name in ("stdin", "stdout", "stderr")}
        self.process = host.start("python3", "-c", claim, "directorctl", "top", "--interval", "0.2", *words, **streams)

    def resize(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            self.told += os.read(self.master, 65536).decode()

    def wait(self, text, seconds=10.0):
        """Waits for something new on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.told:
            if time.monotonic() > deadline:
                raise Failure(f"top does not show {text!r}; it showed:\n{self.told[-3000:]!r}")
            self.read()
        self.told = ""

    def type(self, keys):
        os.write(self.master, keys.encode())

    def ended(self, how):
        """It must end, with the terminal as it was."""
        self.process.wait(timeout=5)
        self.read()
        after = termios.tcgetattr(self.slave)
        if after != self.before or not self.told.endswith("\x1b[?25h\x1b[?1049l") or self.process.returncode != 0:
            raise Failure(f"after {how} status {self.process.returncode}, modes {after}, not {self.before}: {self.told!r}")
        os.close(self.slave)
        os.close(self.master)
        print(f"  ended by {how}, the terminal is as it was")


def run(lab):
    director = nat.prepare(lab)
    host = lab.host("director")
    screen = Screen(host)
    screen.wait("TCP  172.16.254.200:80")
    get(lab.host("client"), f"http://{nat.VIP}/")
    screen.wait("1 of 1000000 connections")
    screen.resize(10, 60)
    screen.wait("1-3 of 3  by name  q quit  ? keys  / filter  s,r order  t se\x1b")
    screen.type("/0.28\r")
    screen.wait("filter '0.28'  1-2 of 2")
    director.stop()
    screen.wait("waiting for the director")
    print("  a director that is gone is waited for")
    director.start()
    screen.wait("started anew")
    screen.type("q")
    screen.ended("q")
    for how, act in (
        ("Ctrl-C", lambda screen: screen.type("\x03")),
        ("SIGTERM", lambda screen: screen.process.send_signal(signal.SIGTERM)),
        ("SIGHUP", lambda screen: screen.process.send_signal(signal.SIGHUP)),
        ("--count", lambda screen: None),
    ):
        screen = Screen(host, *(("--count", "3") if how == "--count" else ()))
        screen.wait("by name")
        act(screen)
        screen.ended(how)
