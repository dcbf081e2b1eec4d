"""A pair with keepalived and lvs_sync_daemon: 50 downloads and 1,000 idle connections outlive the VIP's move and return."""

import os
import time

from runner.holding import Downloads, Idle, Pulse, start_echo
from runner.host import Failure, until
from runner.servers import make_payload
from runner.steady import SteadyClient

from .keepalived_dr import SERVERS, prepare, vip_moves

LONG = True
DOWNLOADS = int(os.environ.get("LVS_DOWNLOADS", "50"))
IDLE = int(os.environ.get("LVS_IDLE", "1000"))
# Slow enough that the downloads last for both moves.
RATE = 2.5e6
# One interval of VRRP, and what the rest may take.
PAUSE = 1.1
HEAD = """
global_defs {
    lvs_sync_daemon eth0 VI_1 id 7
}
"""
PULSE = """
virtual_server 192.168.0.38 5300 {
    lb_algo rr
    lb_kind DR
    protocol UDP
    real_server 192.168.0.18 5300 {
        weight 1
    }
    real_server 192.168.0.28 5300 {
        weight 1
    }
}
"""


def roles(pair):
    """Which synchronisation daemon each director runs."""
    return [
        [word for word in ("master", "backup") if word in director.ctl("-L --daemon", show=False)]
        for director in pair.directors
    ]


def expect_roles(pair, *expected):
    """Waits for the role of each director; one without keepalived has none."""
    until(lambda: roles(pair) == [[role] if role else [] for role in expected], f"the daemons to be {expected}")
    print(f"  synchronisation: {', '.join(f'{d.host.name} is {r}' for d, r in zip(pair.directors, expected) if r)}")


def listed(director):
    return sum(" ESTABLISHED " in line for line in director.ctl("-Lnc", show=False).splitlines())


def move(pair, pulse, steady, idle, index, change):
    """The VIP moves; nobody who had a connection notices more than a pause."""
    if pulse.pause() > PAUSE:
        raise Failure("the flow of datagrams stops before anything has happened")
    vip_moves(pair, steady, index, change)
    pause = pulse.pause()
    print(f"  longest pause of a flow of datagrams: {pause:.3f} s")
    expect_roles(pair, *(("master", "backup") if index == 0 else (None, "master")))
    idle.expect("idle connections")
    if pause > PAUSE:
        raise Failure(f"the move took {pause:.3f} s and not at most {PAUSE} s")


def run(lab):
    downloads_go_on(lab, prepare(lab, head=HEAD + PULSE))


def downloads_go_on(lab, pair):
    """Downloads and idle connections outlive the VIP's move to the second director and its return."""
    for name in SERVERS:
        start_echo(lab.host(name), pair.vip)
    payload = make_payload(lab)
    pair.start()
    expect_roles(pair, "master", "backup")
    idle = Idle(pair.client, pair.vip, IDLE)
    downloads = Downloads(pair.client, pair.vip, DOWNLOADS, RATE, payload)
    steady, pulse = SteadyClient(pair.client, pair.vip), Pulse(pair.client, pair.vip)
    until(lambda: listed(pair.directors[1]) >= IDLE + DOWNLOADS, "the backup to list all connections")
    print(f"  the backup lists {listed(pair.directors[1])} established connections")
    time.sleep(1)
    first = pair.keepaliveds[0]
    move(pair, pulse, steady, idle, 1, first.stop)
    time.sleep(3)
    move(pair, pulse, steady, idle, 0, first.start)
    if not downloads.are_running:
        raise Failure("the downloads ended before the VIP had moved back: LVS_DOWNLOADS, or a lower rate")
    downloads.expect_whole()
    idle.expect("idle connections at the end")
    for director in pair.directors:
        director.ctl("status")
    idle.close()
    pulse.close()
    steady.stop()
    for keepalived in pair.keepaliveds:
        keepalived.stop()
    for director in pair.directors:
        director.stop()
