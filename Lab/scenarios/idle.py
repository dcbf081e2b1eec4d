"""A director with services, two interfaces and nothing to do takes less than 1 % of a CPU."""

import time

from runner.client import KeepAlive
from runner.host import Failure
from runner.usage import usage

from . import nat

ALONE = True
# More services than a small site has.
MORE_RULES = "\n".join(
    f"-A -u {nat.VIP}:{port} -s wlc\n-a -u {nat.VIP}:{port} -r 192.168.0.18:{port} -m"
    for port in range(6000, 6020)
)
SECONDS = 3.0
MOST_OF_A_CPU = 0.01


def run(lab):
    director = nat.prepare(lab, rules=nat.RULES + MORE_RULES)
    # A connection that is open and says nothing: its timer and its servers' neighbours are looked after.
    connection = KeepAlive(lab.host("client"), nat.VIP)
    connection.get()
    time.sleep(1.5)
    before, began = usage(director.process.pid), time.monotonic()
    time.sleep(SECONDS)
    used, took = usage(director.process.pid) - before, time.monotonic() - began
    share = used.cpu_seconds / took
    print(f"  idle: {share:.2%} of a CPU, {used.sleeps / took:.0f} wake-ups/s, {used.faults} page faults")
    if share >= MOST_OF_A_CPU:
        raise Failure(f"an idle director takes {share:.1%} of a CPU and not less than {MOST_OF_A_CPU:.0%}")
    connection.get()
    connection.close()
    director.stop()
