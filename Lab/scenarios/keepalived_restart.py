"""A director killed under a running keepalived comes back with its table; nothing asked of it meanwhile is lost."""

import time

from runner.client import requests
from runner.host import Failure, stop, until
from runner.steady import SteadyClient

from .keepalived_dr import EVEN, has_server, prepare

LONG = True


def watch_resets(pair, name):
    """Records what the VIP answers with a reset or an ICMP error; returns a function that must find nothing.

    Connections that the killed director had are not meant: a new director does not know them.
    """
    capture, log = pair.lab.file(f"{name}.pcap"), f"{name}.log"
    watch = pair.client.start(
        *("tcpdump", "-U", "-i", "eth0", "-w", str(capture)),
        f"(tcp[tcpflags] & tcp-rst != 0 or icmp) and src host {pair.vip}",
        log=log,
    )
    until(lambda: "listening" in pair.lab.file(log).read_text(), "tcpdump to listen")

    def expect_none():
        stop(watch)
        seen = pair.client.run("tcpdump", "-n", "-r", str(capture))
        if seen.strip():
            raise Failure("the director's host answered for the VIP:\n" + seen)
        print("  while the director was away no reset and no ICMP error came from the VIP")

    return expect_none


def run(lab):
    pair = prepare(lab, options=("--state", str(lab.file("state-{name}"))))
    pair.start()
    director, keepalived = pair.directors[0], pair.keepaliveds[0]
    state = lab.file(f"state-{director.host.name}")
    until(lambda: "192.168.0.28" in state.read_text(), "the table to be in the state file")
    before = director.ctl("-Sn")
    print("director# kill -9 $(pidof director)")
    clients = [SteadyClient(pair.client, pair.vip, seconds=20) for _ in range(4)]
    for steady in clients:
        steady.first_good()
    expect_none = watch_resets(pair, "killed")
    killed = time.monotonic()
    director.kill()
    time.sleep(1.5)
    expect_none()
    director.start()
    after = director.ctl("-Sn", show=False)
    if after != before:
        raise Failure(f"the table was\n{before}and is\n{after}")
    print("  the table is back")
    for number, steady in enumerate(clients, 1):
        steady.expect(killed, f"client {number}, while the director was away and after", seconds=4)
        _, gap = steady.told(killed)
        print(f"    the longest time without an answer was {gap:.1f} s")
        steady.stop()

    # The same while keepalived has something to say.
    print("director# kill -9 $(pidof director); server1# service nginx stop")
    expect_none = watch_resets(pair, "killed-again")
    director.kill()
    stop(pair.nginx["server1"])
    time.sleep(2.5)
    expect_none()
    director.start()
    until(lambda: not has_server(director, "server1"), "keepalived's removal of server1 to arrive")
    print("  keepalived's removal of server1 was not lost")
    requests(pair.client, f"http://{pair.vip}/", count=4, expect={"server2": 4})
    pair.nginx["server1"] = pair.start_server("server1")
    until(lambda: has_server(director, "server1"), "server1 to be in the table again")
    requests(pair.client, f"http://{pair.vip}/", expect=EVEN, alternate=True)
    if keepalived.process.poll() is not None:
        raise Failure("keepalived has ended")
    told = keepalived.told()
    for word in ("Respawning", "died", "Resource temporarily unavailable"):
        if word in told:
            raise Failure(f"keepalived says '{word}':\n{told}")
    keepalived.stop()
    left = director.ctl("-Sn", show=False)
    if left:
        raise Failure(f"keepalived left in the table:\n{left}")
