"""What cannot be done is refused by name, and strange bytes on the control socket do no harm."""

import random
import socket
import stat

from runner.client import requests
from runner.host import Failure

from . import nat

NO_PRIVILEGE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
LITTLE_MEMORY = ("prlimit", "--as=4000000000")


def refused(host, *command, says):
    """A command that must fail at once, with words in its complaint that help."""
    done = host.attempt(*command, show=True, timeout=10)
    complaint = done.stderr.strip()
    print("  " + complaint.replace("\n", "\n  "))
    if done.returncode <= 0 or not complaint:
        raise Failure(f"this should have been refused; exit status {done.returncode}")
    for word in says:
        if word.lower() not in complaint.lower():
            raise Failure(f"the complaint does not name {word}")


def strange_messages(host_socket, seed=20):
    """Sends random messages on connections of their own, with and without a plausible length in front."""
    numbers = random.Random(seed)
    for round_number in range(200):
        message = numbers.randbytes(numbers.choice([1, 3, 15, 16, 20, 64, 700]))
        if round_number % 2 and len(message) >= 16:
            message = len(message).to_bytes(4, "little") + message[4:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(0.05)
            connection.connect(host_socket)
            try:
                connection.send(message)
                connection.recv(65536)
            except OSError:
                pass  # No answer, or a closed door, is as good as an error.


def run(lab):
    nat.prepare_host(lab)
    host = lab.host("director")
    rules = lab.file("rules")
    missing = str(lab.file("missing.rules"))
    refused(host, "director", "--interface", "nosuch0", says=["nosuch0"])
    refused(host, "director", "--interface", "eth0", "--rules", missing, says=[missing])
    rules.write_text(f"-A -t {nat.VIP}:80 -s rr\n-A -t {nat.VIP}:81 -s nonsense\n")
    refused(host, "director", "--interface", "eth0", "--rules", str(rules), says=[":81", "nonsense"])
    refused(host, *NO_PRIVILEGE, "director", "--interface", "eth0", says=["CAP_NET_RAW"])
    refused(host, "director", "--interface", "eth0", "--connections", "1000000000", says=["268435455"])
    for words, says in (
        (("--workers", "0"), ["--workers 0", "auto"]),
        (("--workers", "9999"), ["--workers 9999", "CPU", "accepted"]),
        (("--workers", "many"), ["--workers many", "auto"]),
        (("--workers", "2", "--cpus", "0"), ["one for each worker"]),
        (("--cpus", "0,0"), ["twice"]),
        (("--cpus", "1-"), ["--cpus 1-", "2-5"]),
        (("--cpus", "8191"), ["8191", "accepted"]),
    ):
        refused(host, "director", "--interface", "eth0", *words, says=says)
    many = ("--connections", "100000000")
    refused(host, *LITTLE_MEMORY, "director", "--interface", "eth0", *many, says=["100000000 connections"])
    refused(host, "directorctl", "-Ln", says=["director"])

    control = lab.file("control.sock")
    director = lab.director(interfaces=("eth0", "eth1"), control=str(control))
    director.configure(nat.RULES)
    if stat.S_IMODE(control.stat().st_mode) & 0o077:
        raise Failure("others than the owner may use the control socket")
    refused(host, "directorctl", "--control", str(control), "set", "sync_ports=3", says=["powers of two"])
    before = director.ctl("-Sn", show=False)
    strange_messages(str(control))
    if director.ctl("-Sn") != before:
        raise Failure("strange messages changed the table")
    requests(lab.host("client"), f"http://{nat.VIP}/", expect={"server1": 5, "server2": 5})
    director.stop()
    if control.exists():
        raise Failure("the control socket outlives the director")
