"""Clients of the control socket that send garbage, never read or never stop: requests go on, memory stays bounded."""

import os
import socket
import struct
import threading
import time

from runner.client import requests
from runner.host import Failure

from . import nat

COMMANDS = int(os.environ.get("LVS_COMMANDS", "100000"))
GROUP = "nogroup"
FLUSH = 17
NOBODY = ("setpriv", "--reuid=nobody", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")


def connect(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(20)
    connection.connect(path)
    return connection


def message(command, flags):
    """A request of the IPVS family, whose number a director always gives as 0x1c."""
    return struct.pack("<IHHIIBBH", 20, 0x1C, flags, 1, 0, command, 1, 0)


def never_reads(path):
    """Asks for lists and leaves them; the director lets go of it in the end."""
    lazy = [connect(path) for _ in range(100)]
    for connection in lazy:
        connection.send(message(4, 0x305) * 500)
    return lazy


def garbage(path):
    for number in range(300):
        with connect(path) as connection:
            packet = os.urandom(1 + number * 200)
            if number % 2:
                # The command may be any but that which empties the table, and needs no attribute for it.
                command = bytes([packet[16] if packet[16] != FLUSH else 0])
                packet = struct.pack("<IHHII", len(packet), 0x1C, 5, 1, 0) + command + packet[17:]
            connection.settimeout(0.01)
            try:
                connection.send(packet)
                connection.recv(65536)
            except OSError:
                pass  # Silence or a closed door is as good as an error.


def commands(path, count):
    """Asks without a pause; how long it took in seconds."""
    began = time.monotonic()
    with connect(path) as connection:
        request = message(13, 5) * 50
        for _ in range(count // 50):
            connection.send(request)
            for _ in range(100):
                connection.recv(65536)
    return time.monotonic() - began


def resident(process):
    """KiB that the director and nobody else holds."""
    for line in open(f"/proc/{process.pid}/status", encoding="ascii"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise Failure("the director has no memory")


def expect_privilege(lab, path):
    """Root and the group may use the socket, and nobody else."""
    host = lab.host("director")
    tool = ("directorctl", "--control", path, "-Ln")
    other = host.attempt(*NOBODY, "--regid=daemon", *tool)
    if other.returncode == 0 or "must be root" not in other.stderr:
        raise Failure(f"somebody else may use the socket, or is not told why not: {other.stderr}")
    host.run(*NOBODY, f"--regid={GROUP}", *tool, show=True)


def run(lab):
    nat.prepare_host(lab)
    path = str(lab.file("control.sock"))
    director = lab.director(interfaces=("eth0", "eth1"), control=path, options=("--control-group", GROUP))
    director.configure(nat.RULES)
    lab.directory.chmod(0o755)
    expect_privilege(lab, path)
    before = director.ctl("-Sn", show=False)
    memory = resident(director.process)
    lazy = never_reads(path)
    failures = []

    def abuse():
        try:
            garbage(path)
            took = commands(path, COMMANDS)
            print(f"  {COMMANDS} commands of one client in {took:.1f} s")
        except Exception as problem:
            failures.append(problem)

    thread = threading.Thread(target=abuse)
    thread.start()
    client = lab.host("client")
    while thread.is_alive():
        requests(client, f"http://{nat.VIP}/", count=10)
    thread.join()
    if failures:
        raise Failure(f"a client that only asks was not served: {failures[0]!r}")
    grown = resident(director.process) - memory
    print(f"  the director has grown by {grown} KiB")
    if grown > 64 << 10:
        raise Failure(f"the director has grown by {grown} KiB")
    for connection in lazy:
        connection.close()
    if director.ctl("-Sn", show=False) != before:
        raise Failure("the table has changed")
    director.stop()
