"""With keepalived the VIP moves when the master's cable is pulled or its director ends, and returns when that is mended."""

from runner.steady import SteadyClient

from .keepalived_dr import prepare, vip_moves

LONG = True

# The usual way to let a program's health decide: three seconds without an answer, and the other director takes over.
CHECK = """
vrrp_script director {
    script "/bin/sh -c 'exec directorctl -Ln > /dev/null'"
    interval 1
    timeout 2
    fall 2
    rise 1
}
"""
GLOBAL = """
global_defs {
    script_user root
    enable_script_security
}
"""


def run(lab):
    pair = prepare(lab, head=GLOBAL + CHECK, more="track_script {\n        director\n    }")
    pair.start()
    director, switch = pair.directors[0], lab.host("switch")
    steady = SteadyClient(pair.client, pair.vip)
    vip_moves(pair, steady, 1, lambda: switch.run("ip", "link", "set", "to-director", "down", show=True))
    vip_moves(pair, steady, 0, lambda: switch.run("ip", "link", "set", "to-director", "up", show=True))
    print("director# kill $(pidof director)")
    vip_moves(pair, steady, 1, director.stop)
    steady.stop()
