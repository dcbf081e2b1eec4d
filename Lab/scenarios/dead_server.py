"""A real server dies without a word, comes back elsewhere, and comes back as another machine: others never notice."""

import json
import re
import time

from runner.client import get
from runner.host import Failure, until
from runner.steady import SteadyClient

from . import nat

LONG = True

DEAD = "192.168.0.28"
# A service of the server that stays, and one of both.
RULES = nat.RULES + f"""
    -A -t {nat.VIP}:8080 -s rr
    -a -t {nat.VIP}:8080 -r 192.168.0.18:80 -m
    -A -t {nat.VIP}:8081 -s rr
    -a -t {nat.VIP}:8081 -r {DEAD}:80 -m
"""
ALIVE = f"{nat.VIP}:8080"
TO_DEAD = f"http://{nat.VIP}:8081/"
# So that the kernel asks again after seconds and not after half a minute.
IMPATIENT = {"base_reachable_time_ms": 1000, "delay_first_probe_time": 1, "retrans_time_ms": 200}


def drops(director):
    return {one["reason"]: one["frames"] for one in json.loads(director.ctl("status --json", show=False))["drops"]}


def answers(client):
    def asked():
        try:
            return get(client, TO_DEAD, seconds=1) == "server2"
        except Failure:
            return False

    return asked


def die(switch):
    """The cable is cut at the far end: the director's own interfaces see nothing of it."""
    switch.run("ip", "link", "set", "to-server2", "down")


def run(lab):
    nat.prepare_host(lab)
    host, client, server, switch = (lab.host(name) for name in ("director", "client", "server2", "switch"))
    for name, value in IMPATIENT.items():
        host.run("sysctl", "-qw", f"net.ipv4.neigh.eth1.{name}={value}")
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(RULES)
    if get(client, TO_DEAD) != "server2":
        raise Failure("the server is not reached to begin with")
    steady = SteadyClient(client, ALIVE, seconds=3)
    steady.first_good()

    began = time.monotonic()
    die(switch)
    for _ in range(3):
        client.attempt("curl", "-s", "--max-time", "1", TO_DEAD)
    status = until(
        lambda: (text := director.ctl("status", show=False)) and f"{DEAD} on eth1" in text and text,
        "the next hop to be told as one that does not answer",
    )
    # One try a second and more fill the few places that wait for an address, or wait there for too long.
    until(
        lambda: client.attempt("curl", "-s", "--max-time", "0.3", TO_DEAD) and drops(director).get("no-neighbour", 0),
        "packets to the dead server to be counted",
    )
    print(f"  dropped for the dead server: {drops(director)['no-neighbour']} (no-neighbour)")
    steady.expect(began, "while a server was dead", seconds=2, pages=["server1"])

    # Another machine with its address says nothing at all until it is asked.
    server.run("ip", "link", "set", "eth0", "down")
    server.run("ip", "link", "set", "eth0", "address", "02:00:5e:00:53:03")
    server.run("ip", "link", "set", "eth0", "up")
    server.gateway("192.168.0.8")
    switch.run("ip", "link", "set", "to-server2", "up")
    back = time.monotonic()
    until(answers(client), "the silent new machine to be used", 15)
    print(f"  a new machine that said nothing was in use {time.monotonic() - back:.1f} s later")

    # It moves while it is in use: first with a word (gratuitous ARP), then without one.
    move(lab, "02:00:5e:00:53:04", announces=True, seconds=5)
    move(lab, "02:00:5e:00:53:05", announces=False, seconds=15)
    steady.expect(began, "all the while", pages=["server1"])
    steady.stop()
    if not re.search(r"no-neighbour: \d+", director.ctl("status")) or "192.168.0.18 on" in status:
        raise Failure("status does not tell what was dropped, or names the server that was never away")
    director.stop()


def move(lab, hardware, announces, seconds):
    """Changes a server's hardware address under its running services."""
    host, client, server = (lab.host(name) for name in ("director", "client", "server2"))
    before = server.attempt("sysctl", "-n", "net.ipv4.conf.eth0.arp_notify").stdout.strip()
    server.set(conf__eth0__arp_notify=1 if announces else 0)
    server.run("ip", "link", "set", "eth0", "address", hardware)
    server.set(conf__eth0__arp_notify=before)
    if not announces:
        # Its own questions would give it away: whom it answers it knows already.
        mine = host.run("cat", "/sys/class/net/eth1/address").strip()
        server.run("ip", "neigh", "replace", "192.168.0.8", "lladdr", mine, "dev", "eth0", "nud", "permanent")
    began = time.monotonic()
    until(answers(client), f"the server to be found at {hardware}", seconds)
    how = "with gratuitous ARP" if announces else "without a word"
    print(f"  moved to another hardware address {how}: in use {time.monotonic() - began:.1f} s later")

