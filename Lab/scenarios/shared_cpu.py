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
# A director that spins where the server wants to run adds a time slice, a millisecond and more, to each trip.
MOST_MICROSECONDS_MORE = 400
CPU = "1"


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
    targets = (f"192.168.0.18:{OTHER}", f"{nat.VIP}:{PORT}")
    told = client.run("taskset", "-c", "0", sys.executable, TOOL, str(TRIPS), *targets)
    used = usage(director.process.pid, "worker") - before
    routed, balanced = ([float(word) for word in line.split()] for line in told.splitlines())
    for trips, what in ((routed, "by kernel routing"), (balanced, "by the director ")):
        print("  {}: p50 {} us, p90 {} us, p99 {} us".format(what, *trips))
    print(f"  the worker's CPU a round trip: {used.cpu_seconds / TRIPS * 1e6:.0f} us")
    more = balanced[0] - routed[0]
    if more > MOST_MICROSECONDS_MORE:
        raise Failure(f"a round trip takes {more:.0f} us more than by routing, and not at most {MOST_MICROSECONDS_MORE}")
    director.stop()
