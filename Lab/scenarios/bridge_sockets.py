"""A socket that director-run replaces is like the kernel's in every way, and one it does not replace is the kernel's."""

import sys

from runner.client import HELPERS
from runner.host import Failure

PROGRAM = str(HELPERS / "netlink_socket.py")


def run(lab):
    lab.build("routed")
    director = lab.director(interfaces=("eth0",))
    host = director.host
    watcher = host.start(
        *("director-run", "--wait", "0.3", sys.executable, PROGRAM, "away"),
        stdin=-1,
        stdout=-1,
        stderr=-1,
        text=True,
        bufsize=1,
        cwd=lab.directory,
    )

    def expect(word):
        found = watcher.stdout.readline().strip()
        if found != word:
            raise Failure(f"'{found}' and not '{word}': {watcher.communicate(timeout=10)[1]}")
        print(f"  {word}")

    expect("ready")
    director.kill()
    watcher.stdin.write("go on\n")
    expect("refused")
    director.start()
    watcher.stdin.write("go on\n")
    expect("ok")
    if watcher.wait(timeout=10) != 0:
        raise Failure("the program ended badly")
