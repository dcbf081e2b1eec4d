"""Server and director on one CPU: the director's looking for frames takes nothing from the server."""

import sys

from runner.client import HELPERS
from runner.host import Failure, until
from runner.usage import usage

from . import nat

ALONE = True
PORT, OTHER = 5300, 5301
RULES = f"""
    -A -u {nat.VIP}:{PORT} -s rr
    -a -u {nat.VIP}:{PORT} -r 192.168.0.18:{PORT} -m
"""
TOOL = str(HELPERS / "ping_pong.py")
TRIPS = 3000
# A time slice, which a director that spins where the server wants to run may add, is a millisecond and more.
MOST_MICROSECONDS_MORE = 400
CPU = "1"
# Microseconds of the server's CPU for each of some requests, and of the worker's meanwhile: for four frames, and what
# is looked for in vain.
WORK, MOST_TAKEN = 4000, 600


def ask(client, trips, work):
    """Round trips by routing and by the director: median and two more quantiles of each."""
    targets = (f"192.168.0.18:{OTHER}", f"{nat.VIP}:{PORT}")
    told = client.run("taskset", "-c", "0", sys.executable, TOOL, str(trips), str(work), *targets)
    both = [[float(word) for word in line.split()] for line in told.splitlines()]
    for quantiles, what in zip(both, ("by kernel routing", "by the director ")):
        print("  {}, {} us of work: p50 {} us, p90 {} us, p99 {} us".format(what, work, *quantiles))
    return both


def run(lab):
    nat.prepare_host(lab)
    client, server = lab.host("client"), lab.host("server1")
    client.gateway(nat.VIP)
    director = lab.director(interfaces=("eth0", "eth1"), cpu=CPU)
    director.configure(RULES)
    # What a service's server answers goes through the director whoever asked: routing is shown by another port.
    for port in (PORT, OTHER):
        server.start("taskset", "-c", CPU, sys.executable, TOOL, "serve", str(port), log="pong.log")
        until(lambda: f":{port}" in server.run("ss", "-lun"), "the server to listen")

    before = usage(director.process.pid, "worker")
    routed, balanced = ask(client, TRIPS, 0)
    used = usage(director.process.pid, "worker") - before
    print(f"  the worker's CPU a round trip: {used.cpu_seconds / TRIPS * 1e6:.0f} us")
    more = balanced[0] - routed[0]
    if more > MOST_MICROSECONDS_MORE:
        raise Failure(f"a round trip takes {more:.0f} us more than by routing, and not at most {MOST_MICROSECONDS_MORE}")
    # While the server works nothing comes, and that is when a worker that goes on looking takes the server's CPU.
    trips = TRIPS // 30
    before = usage(director.process.pid, "worker")
    ask(client, trips, WORK)
    used = usage(director.process.pid, "worker") - before
    taken = used.cpu_seconds / trips * 1e6
    print(f"  the worker's CPU while the server works {WORK} us: {taken:.0f} us")
    if taken > MOST_TAKEN:
        raise Failure(f"the worker takes {taken:.0f} us of CPU while the server works, and not at most {MOST_TAKEN}")
    director.stop()
